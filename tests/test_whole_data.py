"""The whole-data loss is the user's own function on the agent's own rows, whatever the loss and the numbers of rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.agent_data.whole_data import MOST_SHAPES
from masking import losses
from masking.losses import agents, problem

RING = hg.networks.ring(3)


def somewhere(seed=0):
    x, y, v = 0.5 * np.random.default_rng(seed).standard_normal((3, 3, 2))
    return jnp.asarray(x), jnp.asarray(y), jnp.asarray(v)


KINDS = [
    (losses.class_weighted, (6, 9, 4), "masked"),
    (losses.batch_normalised, (6, 9, 4), "masked"),
    (losses.by_size, (6, 9, 4), "sizes"),
    (losses.own_vjp, (6, 9, 4, 4), "sizes"),
    (losses.dropped, (6, 9, 4), "sizes"),
    (losses.by_length, range(2, 12), "mean"),
    (losses.class_weighted, range(2, 12), "masked"),
    (losses.class_weighted, (7, 7, 7), "equal"),
]


@pytest.mark.parametrize(("loss", "sizes", "kind"), KINDS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_every_agents_oracles_are_those_of_its_own_rows(loss, sizes, kind):
    data = agents(sizes)
    made, lower = problem(loss, data)
    assert made.oracles.form.whole[0].kind == made.oracles.form.whole[1].kind == kind
    key = jax.random.key(0)
    x, y, v = somewhere()
    flat = made.upper.ravel(x), made.lower.ravel(y), made.lower.ravel(v)

    def of_agent(oracles, x, y, v):
        full = oracles.full
        return (
            full.upper_loss(x, y, key),
            full.lower_loss(x, y, key),
            full.upper_gradients(x, y, key),
            full.lower_gradient(x, y, key),
            full.jacobian_product(x, y, key)(v),
            *([] if loss is losses.own_vjp else [full.hessian_product(x, y, key)(v)]),
        )

    def of_own_rows(own):
        gradient = lambda y: jax.grad(lower, 1)(x, y, own)
        return (
            loss(y, own),
            lower(x, y, own),
            (jnp.zeros(6), jax.grad(loss)(y, own).ravel()),
            gradient(y).ravel(),
            -4 * flat[2],
            *([] if loss is losses.own_vjp else [jax.jvp(gradient, (y,), (v,))[1].ravel()]),
        )

    together = jax.jit(jax.vmap(of_agent, (0, None, None, None)))(made.oracles, *flat)
    own = jax.jit(of_own_rows)
    for i in (1, len(data) - 1):  # the function of its own rows is compiled for each number of them
        alone = own(jax.tree.map(jnp.asarray, data[i]))
        jax.tree.map(
            lambda one, other, i=i: np.testing.assert_allclose(one[i], other, rtol=1e-9, atol=1e-11), together, alone
        )


def test_a_single_agent_calls_the_loss_itself():
    """The check is not made at zero, where this loss is the mean of its rows whatever their classes."""
    data = agents((6, 9))
    made, lower = problem(losses.class_weighted, data)
    x, y, _ = somewhere()
    ours = made.agent(0).full.lower_loss(x.ravel(), y.ravel(), jax.random.key(0))
    np.testing.assert_allclose(ours, lower(x, y, jax.tree.map(jnp.asarray, data[0])), rtol=1e-14)
    assert abs(float(losses.class_weighted(y, data[0]) - losses.mean(y, data[0]))) > 1e-2


def test_a_mask_in_one_agents_data_is_seen():
    """With the rows of one agent alone, the masked mean would pass for a mean over rows."""
    data = [own | {"m": np.ones(len(own["c"]))} for own in agents((4, 6, 5))]
    data[2]["m"][-2:] = 0.0
    loss = lambda y, b: jnp.sum(b["m"] * losses.nll(y, b)) / jnp.sum(b["m"])
    made, _ = problem(loss, data)
    _, y, _ = somewhere()
    full = jax.jit(lambda oracles: oracles.full.upper_loss(made.x0, y.ravel(), jax.random.key(0)))
    for i, rows in enumerate(data):
        np.testing.assert_allclose(full(made.agent(i)), loss(y, jax.tree.map(jnp.asarray, rows)), rtol=1e-12)


def test_what_cannot_be_called_on_so_many_sizes_is_refused_with_the_reason():
    words = "the upper loss cannot be called on agents that hold 9 different numbers"
    with pytest.raises(ValueError, match=words) as told:
        problem(losses.dropped, agents(range(2, 3 + MOST_SHAPES)))
    assert "'random_bits'" in str(told.value)
    assert "at most 8 different numbers" in str(told.value)


@pytest.mark.parametrize("engine", [hg.Sharded(devices=2), hg.Debug()], ids=lambda e: type(e).__name__)
def test_engines_agree_on_unequal_agents_with_class_weights(engine):
    method = hg.DSGD(0.1, 0.1, hg.ConjugateGradient(2))
    personal, _ = problem(losses.class_weighted, agents((6, 9, 4)))
    run = lambda engine: hg.solve(method, personal, RING, rounds=2, engine=engine, check=False, measure=False)
    ours, theirs = run(engine), run(hg.Simulated())
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.y, theirs.y, rtol=1e-10, atol=1e-12)


def test_the_same_arrays_for_both_levels_are_held_once():
    data = agents((5, 7))
    one, _ = problem(losses.mean, data)
    assert one.oracles.upper_data["a"] is one.oracles.lower_data["a"]
    other, _ = problem(losses.mean, agents((5, 7), first=2), data)
    assert other.oracles.upper_data["a"] is not other.oracles.lower_data["a"]


class Changing:
    """A loss that belongs to an object with a setting; not hashable, as a dataclass with arrays is not."""

    __hash__ = None

    def __init__(self):
        self.scale = 1.0

    def lower(self, x, y, b):
        return losses.mean(y, b) + self.scale * jnp.sum((y - x) ** 2)

    def __call__(self, x, y, b):
        return losses.mean(y, b)


@pytest.mark.parametrize("sizes", [(6, 9, 4), (5, 5, 5)], ids=["unequal", "equal"])
def test_a_method_is_that_of_its_object_as_it_is_now(sizes):
    data, zero, setting = agents(sizes), np.zeros((3, 2)), Changing()
    found, method = [], hg.DSGD(0.1, 0.1, hg.ConjugateGradient(2))
    for setting.scale in (1.0, 2.0):
        made = hg.Problem(setting, setting.lower, upper_data=data, lower_data=data, x0=zero + 1, y0=zero)
        solved = hg.solve(method, made, RING, rounds=0, check=False, measure="lower_error")
        found.append(solved.history["lower_error"][0])
        value = made.agent(1).full.lower_loss(made.x0, made.y0, jax.random.key(0))
        own = jax.tree.map(jnp.asarray, data[1])
        np.testing.assert_allclose(value, setting.lower(zero + 1, zero, own), rtol=1e-12)
    assert abs(found[0] - found[1]) > 1e-2


def test_a_loop_over_the_rows_is_called_as_it_is():
    """JAX cannot differentiate it backwards where its number of turns is not known."""
    row = lambda y, b: lambda i, s: s + jnp.sum((b["a"][i] @ y) ** 2) / b["a"].shape[0]
    loss = lambda y, b: jax.lax.fori_loop(0, b["a"].shape[0], row(y, b), jnp.zeros((), y.dtype))
    made, _ = problem(loss, agents((6, 9, 4)))
    assert made.oracles.form.whole[0].kind == "sizes"
