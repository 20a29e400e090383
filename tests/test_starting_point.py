"""What is refused or warned of at the starting point, by the name of the loss, the agent and the leaf."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg

RING, CG = hg.networks.ring(3), hg.ConjugateGradient(10)
RANDOM = np.random.default_rng(0)
DATA = {"a": RANDOM.standard_normal((3, 6, 2)), "t": RANDOM.standard_normal((3, 6))}


def fit(y, b):
    return jnp.mean((b["a"] @ y - b["t"]) ** 2)


def near(x, y):
    return jnp.sum((y - x) ** 2)


def plain(x, y, b):
    """An upper loss that depends on y alone."""
    return fit(y, b)


def coupled(x, y, b):
    """A lower loss that is strongly convex."""
    return fit(y, b) + near(x, y)


def made(upper, lower, *, data=DATA, x0=0.0, y0=0.0, **options):
    start = lambda value: np.full(2, value) if np.isscalar(value) else value
    levels = {"upper_data": data, "lower_data": data} | options
    return hg.Problem(upper, lower, x0=start(x0), y0=start(y0), **levels)


def run(problem, **options):
    return hg.solve(hg.DSGD(hg.PowerDecay(0.1), 0.1, CG), problem, RING, rounds=1, **({"measure": False} | options))


def spoiled(agent):
    """Labels of which an agent's are too large for the three columns; a gather outside them is NaN."""
    classes = np.tile([0, 1, 2, 0, 1, 2], (3, 1))
    classes[agent] += 1
    return DATA | {"c": classes.astype(np.int32)}


def nll(y, b):
    table = jnp.concatenate([b["a"] @ y[:, None], b["a"]], axis=1)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(table), b["c"][:, None], axis=1))


def labelled(x, y, b):
    return nll(y, b) + jnp.sum(x**2)


NORM = lambda v: jnp.linalg.norm(v) ** 2
LOG = lambda x, y, b: fit(y, b) + jnp.sum(jnp.log(x))
ROOT = lambda x, y, b: near(x, y) + jnp.sum(jnp.abs(y) ** 1.5)
MIXED = lambda x, y, b: near(0, y) + jnp.sum(jnp.sqrt(x) * y)
NORM_ABOVE, NORM_BELOW = (lambda x, y, b: fit(y, b) + NORM(x)), (lambda x, y, b: fit(y, b) + NORM(y - x))
NOT_FINITE = {
    "label": (labelled, coupled, "the upper loss of agent 1 is NaN"),
    "lower label": (plain, lambda x, y, b: nll(y, b) + near(x, y), "the lower loss of agent 1 is NaN"),
    "log": (LOG, coupled, "the upper loss of agent 0, and of 2 more agents, is infinite"),
    "norm above": (NORM_ABOVE, coupled, "the gradient of the upper loss in x of agent 0, and of 2 more agents, is NaN"),
    "norm of y above": (
        lambda x, y, b: NORM(y) + jnp.sum(x),
        coupled,
        "the gradient of the upper loss in y of agent 0",
    ),
    "norm below": (plain, NORM_BELOW, "the gradient of the lower loss in y of agent 0"),
    "root": (plain, ROOT, "the curvature of the lower loss in y of agent 0"),
    "mixed": (plain, MIXED, "the mixed second derivative of the lower loss of agent 0"),
}


@pytest.mark.parametrize("name", NOT_FINITE)
def test_what_is_not_finite_at_the_start_is_refused_by_name(name):
    upper, lower, words = NOT_FINITE[name]
    problem = made(upper, lower, data=spoiled(1) if "label" in name else DATA)
    with pytest.raises(ValueError, match=f"{words}.* at the starting point, on all its samples. Usual causes: a label"):
        run(problem)


def test_a_label_outside_a_batch_is_seen_too():
    """All rows are looked at: two of the batch may be good ones."""
    data = spoiled(0)
    data["c"][0] = [0, 1, 2, 0, 1, 3]
    with pytest.raises(ValueError, match="the upper loss of agent 0 is NaN"):
        run(made(labelled, coupled, data=data, batch_size=1))


def test_an_agents_name_is_told():
    with pytest.raises(ValueError, match=r"the upper loss of agent 2 \('c'\) is NaN"):
        run(made(labelled, coupled, data=spoiled(2), names=["a", "b", "c"]))


def test_in_the_first_round_the_steps_are_not_blamed():
    with pytest.raises(hg.NotFinite, match="round 0: x of agent 0 is not finite") as told:
        run(made(NORM_ABOVE, coupled), check=False)
    assert "nothing has moved yet" in str(told.value)
    assert "steps" not in str(told.value)


NEITHER, NO_Y = (
    "neither the upper loss nor the lower solution depends on it",
    "the upper loss depends on it neither directly",
)
WITHOUT_INFLUENCE = {
    "absent": (plain, lambda x, y, b: fit(y, b) + near(0, y), NEITHER),
    "apart from y": (plain, lambda x, y, b: fit(y, b) + near(0, y) + jnp.sum(x**2), NEITHER),
    "constant": (lambda x, y, b: jnp.mean(b["t"]), coupled, f"{NO_Y} nor through y"),
    "stopped": (lambda x, y, b: fit(jax.lax.stop_gradient(y), b), coupled, NO_Y),
}


@pytest.mark.parametrize("name", WITHOUT_INFLUENCE)
def test_an_x_without_influence_is_warned_of(name):
    upper, lower, words = WITHOUT_INFLUENCE[name]
    with pytest.warns(hg.PreflightWarning, match=f"x has no influence: {words}"):
        result = run(made(upper, lower, x0=1.0))
    np.testing.assert_array_equal(result.x, 1.0)


def test_only_the_leaf_without_influence_is_named():
    x0 = {"used": np.ones(2), "unused": np.ones(3)}
    with pytest.warns(hg.PreflightWarning, match=r"x\['unused'\] has no influence") as told:
        run(made(plain, lambda x, y, b: coupled(x["used"], y, b), x0=x0))
    assert len(told) == 1


STATIONARY = {
    "even in x": (plain, lambda x, y, b: fit(y, b) + near(x**2, y)),  # x = 0 is a stationary point of it
    "even in y": (lambda x, y, b: jnp.sum(y**2), lambda x, y, b: near(x, y) + jnp.sum(y**4)),  # so is y
    "direct": (lambda x, y, b: jnp.sum(x**2) + 0 * jnp.sum(y), lambda x, y, b: near(0, y)),  # a direct influence alone
}


@pytest.mark.parametrize("name", STATIONARY)
def test_a_stationary_start_is_not_taken_for_no_influence(name):
    """Every warning is an error in the tests."""
    run(made(*STATIONARY[name]))


def test_a_frozen_leaf_of_y_is_named_and_no_regulariser_advised():
    frozen = lambda y, b: jnp.mean((b["a"] @ y["w"] * jax.lax.stop_gradient(y["scale"]) - b["t"]) ** 2)
    lower, y0 = lambda x, y, b: frozen(y, b) + near(x, y["w"]), {"w": np.zeros(2), "scale": np.ones(())}
    with pytest.raises(ValueError, match=r"the lower loss does not depend on y\['scale'\]") as told:
        run(made(lambda x, y, b: frozen(y, b), lower, y0=y0))
    assert "regulariser" not in str(told.value)


@pytest.mark.parametrize("curvature", [-0.3, 0.0], ids=["negative", "flat"])
def test_the_regulariser_that_is_advised_is_enough(curvature):
    bent = lambda y: jnp.sum(jnp.array([2.0, curvature / 2]) * y**2)
    lower = lambda c: lambda x, y, b: bent(y) + jnp.sum(x * y) + c * jnp.sum(y**2)
    with pytest.raises(ValueError, match=r"not strongly convex .* c above .*check=False") as told:
        run(made(plain, lower(0.0)))
    advised = float(str(told.value).split("c above ")[1].split()[0])
    run(made(plain, lower(1.01 * advised)))


def test_the_start_of_every_agent_is_looked_at():
    """The problem's own start is fine, and that of agent 2 is not."""
    problem, x0 = made(LOG, coupled, x0=1.0), np.ones((3, 2))
    run(problem, x0=x0)
    x0[2, 1] = -1.0
    with pytest.raises(ValueError, match="the upper loss of agent 2 is NaN at the starting point"):
        run(problem, x0=x0)


def test_leaves_without_entries_are_no_matter():
    loss = lambda x, y, b: coupled(x["w"], y["w"], b)
    empty = {"w": np.ones(2), "none": np.zeros((0, 2))}
    run(made(loss, loss, x0=empty, y0=empty), measure=True)


def test_a_batch_without_a_sample_that_counts_is_told_apart():
    data = DATA | {"m": np.tile([1.0, 0, 0, 0, 0, 0], (3, 1))}
    seen = lambda y, b: jnp.sum(b["m"] * (b["a"] @ y - b["t"]) ** 2) / jnp.sum(b["m"])
    with pytest.raises(ValueError, match=r"not finite at the starting point on a batch, .* larger batch_size"):
        run(made(plain, lambda x, y, b: seen(y, b) + near(x, y), data=data, batch_size=1))


def test_one_loss_at_both_levels_is_measured():
    """At y* the adjoint's target is round-off."""
    history = run(made(coupled, coupled, x0=1.0, y0=1.0), measure=True).history
    assert (history["relative_residual"] <= 1e-9).all()
    assert history["metric"].notna().all()
