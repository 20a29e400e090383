"""The dull part, tested: how a key draws a batch, who is never drawn, and that derivatives are the losses' own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.lower_derivatives import lower_derivatives
from hypergossip.core.oracles import below, draw
from laws.problems import logistic_problem
from small_problems import logistic, logistic_by_hand, lower, point, surprise, upper

COUNTS = (5, 8, 3)


def numbered(sampling: str, batch_size: int, counts: tuple[int, ...] = COUNTS) -> hg.Problem:
    """Agents whose rows hold their own numbers 0, 1, ..., and losses that are the batch's mean."""
    return hg.Problem(
        lambda x, y, batch: jnp.mean(batch) * jnp.sum(x) + jnp.mean(batch) * jnp.sum(y),
        lambda x, y, batch: 0.5 * jnp.sum(y**2) - jnp.mean(batch) * jnp.sum(x) * jnp.sum(y),
        upper_data=[np.arange(float(count)) for count in counts],
        lower_data=[np.arange(float(count)) for count in counts],
        x0=np.ones(1),
        y0=np.ones(1),
        batch_size=batch_size,
        sampling=sampling,
    )


def batches(problem: hg.Problem, agent: int, keys: int, seed: int = 0) -> np.ndarray:
    """The rows that so many keys draw, (keys, batch)."""
    own, form = problem.agent(agent), problem.oracles.form
    one = lambda key: draw(own.upper_data, key, own.upper_count, form.batch_size, form.sampling)
    return np.asarray(jax.vmap(one)(jax.random.split(jax.random.key(seed), keys))).astype(int)


@pytest.mark.parametrize("sampling", ["iid", "blocks"])
@pytest.mark.parametrize("agent", [0, 1, 2])
def test_every_own_row_is_equally_likely_in_every_place_and_no_other_is_drawn(sampling, agent):
    drawn = batches(numbered(sampling, 3), agent, 4000)
    count = COUNTS[agent]
    assert set(np.unique(drawn)) == set(range(count))
    for place in drawn.T:
        assert surprise(np.bincount(place, minlength=count), len(place) / count) < 5


def test_iid_places_are_independent():
    drawn = batches(numbered("iid", 2), 0, 5000)
    table = np.histogram2d(*drawn.T, bins=(np.arange(6), np.arange(6)))[0]
    assert surprise(table, len(drawn) / 25) < 5


@pytest.mark.parametrize("agent", [0, 1, 2])
def test_blocks_are_contiguous_and_cyclic_in_an_order_of_the_rows(agent):
    problem, count = numbered("blocks", 3), COUNTS[agent]
    order = np.asarray(problem.agent(agent).upper_data)[:count].astype(int)
    assert sorted(order) == list(range(count))
    place = np.argsort(order)
    assert (np.diff(place[batches(problem, agent, 500)], axis=1) % count == 1).all()


def test_blocks_are_of_shuffled_data():
    order = np.asarray(numbered("blocks", 4, (40,)).agent(0).upper_data)[:40].astype(int)
    assert (np.diff(order) == 1).mean() < 0.3
    # Equal agents stay equal, whatever their place: laws about relabelling rest on it.
    first, second = numbered("blocks", 4, (40, 40)).oracles.upper_data
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("sampling", ["iid", "blocks"])
def test_a_key_is_a_sample_at_any_point(sampling):
    agent = numbered(sampling, 3).agent(1)

    @jax.jit
    def means(key, x, y):
        fx, fy = agent.upper_gradients(x, y, key)
        return (
            fx[0],
            fy[0],
            -agent.jacobian_product(x, y, key)(jnp.ones(1))[0],
            agent.upper_loss(x, y, key) / (x + y)[0],
        )

    different = set()
    for seed in range(12):
        one = means(jax.random.key(seed), jnp.ones(1), jnp.full(1, 2.0))
        other = means(jax.random.key(seed), jnp.full(1, -7.0), jnp.full(1, 11.0))
        np.testing.assert_allclose(one, other, rtol=1e-14)
        np.testing.assert_allclose(one[0], one[1:], rtol=1e-14)  # and whichever oracle is asked
        different.add(float(one[0]))
    assert len(different) > 3


def poisoned(problem: hg.Problem, agent: int, value: float) -> tuple:
    """The agent, and the same one with everything that is not its own replaced."""
    own = problem.agent(agent)
    spoil = lambda data, count: jax.tree.map(lambda leaf: leaf.at[int(count) :].set(value), data)
    return own, dataclasses.replace(
        own, upper_data=spoil(own.upper_data, own.upper_count), lower_data=spoil(own.lower_data, own.lower_count)
    )


@pytest.mark.parametrize("batch_size", [None, 2])
def test_padding_is_never_seen(batch_size):
    problem = logistic((4, 7, 3), batch_size=batch_size)
    clean, spoilt = poisoned(problem, 2, 1e3)
    assert float(jnp.max(spoilt.upper_data["features"])) == 1e3  # agent 2 is padded indeed
    x, y = point(problem)

    @jax.jit
    def everything(agent, key):
        return (
            agent.upper_loss(x, y, key),
            agent.upper_gradients(x, y, key),
            agent.lower_gradient(x, y, key),
            agent.hessian_product(x, y, key)(jnp.ones_like(y)),
            agent.jacobian_product(x, y, key)(jnp.ones_like(y)),
        )

    for seed in range(1 if batch_size is None else 10):
        key = jax.random.key(seed)
        jax.tree.map(np.testing.assert_array_equal, everything(clean, key), everything(spoilt, key))


@pytest.mark.parametrize("counts", [(4, 7, 3), (6, 6, 6)])
def test_full_oracles_are_the_mean_over_the_real_rows(counts):
    problem = logistic(counts, batch_size=2)
    x, y = point(problem)

    @jax.jit
    def oracles(agent, key):
        hessian = jax.vmap(agent.hessian_product(x, y, key))(jnp.eye(4))
        cross = jax.vmap(agent.jacobian_product(x, y, key))(jnp.eye(4)).T
        return agent.lower_loss(x, y, key), agent.lower_gradient(x, y, key), hessian, cross

    for i, count in enumerate(counts):
        agent = problem.agent(i).full
        data = {name: np.asarray(leaf)[: count + 1] for name, leaf in agent.lower_data.items()}
        by_hand = logistic_by_hand(data, np.asarray(x), np.asarray(y))
        for ours, theirs in zip(oracles(agent, jax.random.key(i)), by_hand, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_batch_is_the_same_loss_on_fewer_rows():
    problem = logistic((9, 9), batch_size=4)
    agent, (x, y), key = problem.agent(1), point(problem), jax.random.key(3)
    rows = draw(agent.lower_data, key, agent.lower_count, 4, "iid")
    trees = problem.upper.unravel(x), problem.lower.unravel(y)
    np.testing.assert_allclose(
        jax.jit(lambda agent: agent.lower_loss(x, y, key))(agent), lower(*trees, rows), rtol=1e-14
    )
    rows = draw(agent.upper_data, key, agent.upper_count, 4, "iid")
    gx, gy = jax.jit(jax.grad(upper, (0, 1)))(*trees, rows)
    fx, fy = jax.jit(lambda agent: agent.upper_gradients(x, y, key))(agent)
    np.testing.assert_allclose(fx, problem.upper.ravel(gx), rtol=1e-13)
    np.testing.assert_allclose(fy, problem.lower.ravel(gy), rtol=1e-13)


def test_without_a_batch_size_every_key_is_the_whole_data():
    problem = logistic((4, 7, 3))
    x, y = point(problem)
    gradient = jax.jit(lambda agent, key: agent.lower_gradient(x, y, key))
    np.testing.assert_array_equal(*(gradient(problem.agent(0), jax.random.key(seed)) for seed in (0, 1)))
    assert int(problem.agent(0).samples(upper=1, lower=1)) == 4 + 5


def test_samples_are_counted_as_drawn():
    problem = logistic((4, 7, 3), batch_size=3)
    assert int(problem.agent(1).samples(upper=2, lower=5)) == 21
    assert int(problem.agent(1).full.samples(upper=1)) == 7
    assert int(problem.agent(2).full.samples(lower=2)) == 8


def test_second_derivatives_linearise_the_loss_once():
    traces = []

    def counted(x, y, batch):
        traces.append(1)
        return lower(x, y, batch)

    problem = logistic((4, 4))
    form = dataclasses.replace(problem.oracles.form, lower=counted)
    agent = dataclasses.replace(problem.agent(0), form=form)

    def five_products(v):
        product = agent.hessian_product(*point(problem), jax.random.key(0))
        return [product(v) for _ in range(5)]

    jax.eval_shape(five_products, jnp.ones(4))
    assert len(traces) == 1


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_lower_derivatives_of_one_linearisation_are_the_separate_ones(batch_size):
    problem = logistic_problem("upper", 2, batch_size=batch_size)
    agent, key = problem.agent(1), jax.random.key(3)
    random = np.random.default_rng(1)
    x, y, v = (
        jnp.asarray(random.standard_normal(size)) for size in (problem.x0.size, problem.y0.size, problem.y0.size)
    )
    gradient, products = lower_derivatives(agent, x, y, key)
    mixed, second = products(v)
    np.testing.assert_allclose(gradient, agent.lower_gradient(x, y, key), rtol=1e-12)
    np.testing.assert_allclose(mixed, agent.jacobian_product(x, y, key)(v), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(second, agent.hessian_product(x, y, key)(v), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("count", [1, 2, 49_990, 2**16, 2**31 - 1])
def test_rows_are_the_words_scaled_to_the_number_of_rows(count):
    bits = np.concatenate([[0, 1, 2**16, 2**32 - 1], np.random.default_rng(0).integers(0, 2**32, 1000)])
    rows = np.asarray(below(count, jnp.asarray(bits, jnp.uint32)))
    np.testing.assert_array_equal(rows, bits.astype(object) * count // 2**32)
    assert int(below(count, jnp.uint32(2**32 - 1))) == (2**32 - 1) % count
