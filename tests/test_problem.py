"""What a problem makes of what the user gives: agents, spaces, precision, and the constraint."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from small_problems import START, Q, advance, logistic, lower, point, rows, upper


def test_the_start_is_raveled_and_every_agent_has_its_own_rows():
    x0 = {"decay": np.arange(3.0), "tilt": np.array([7.0])}
    problem = logistic((4, 6, 5), x0=x0)
    assert problem.agents == 3
    np.testing.assert_array_equal(problem.x0, [0, 1, 2, 7])
    assert (problem.upper.size, problem.lower.size) == (4, Q + 1)
    for i, count in enumerate((4, 6, 5)):
        agent = problem.agent(i)
        assert (int(agent.upper_count), int(agent.lower_count)) == (count, count + 1)
        np.testing.assert_array_equal(agent.upper_data["features"][:count], rows(count, i)["features"])
        np.testing.assert_array_equal(agent.lower_data["label"][: count + 1], rows(count + 1, 50 + i)["label"])


def test_an_agents_view_needs_nothing_but_its_own_data():
    together = logistic((4, 6, 5)).agent(1)
    alone = hg.Problem(upper, lower, upper_data=[rows(6, 1)], lower_data=[rows(7, 51)], **START)
    x, y = point(alone)
    key = jax.random.key(0)
    value = jax.jit(lambda agent: (*agent.upper_gradients(x, y, key), agent.lower_gradient(x, y, key)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), value(together), value(alone.agent(0)))


def test_stacked_data_and_a_list_of_equal_agents_are_the_same():
    agents = [rows(5, seed) for seed in (1, 2)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *agents)
    one = hg.Problem(upper, lower, upper_data=agents, lower_data=agents, **START)
    other = hg.Problem(upper, lower, upper_data=stacked, lower_data=stacked, **START)
    assert one.oracles.form == other.oracles.form
    jax.tree.map(np.testing.assert_array_equal, one.oracles, other.oracles)


@pytest.mark.parametrize(
    ("share", "shared"),
    [
        ("upper", (4, 0)),
        ("lower", (0, 4)),
        ("both", (4, 4)),
        ({"lower": {"weights": True, "intercept": False}}, (0, 3)),
        ({"upper": {"decay": False, "tilt": True}, "lower": True}, (1, 4)),
    ],
)
def test_what_is_shared(share, shared):
    problem = logistic((2,), share=share)
    assert (problem.upper.shared_size, problem.lower.shared_size) == shared
    assert f"{shared[0]} of 4 upper, {shared[1]} of 4 lower" in repr(problem)


def test_relabelling_moves_data_and_identity_together():
    problem, order = logistic((2, 3, 4)), [2, 0, 1]
    moved = problem.relabelled(order)
    np.testing.assert_array_equal(moved.identities, order)
    for k, i in enumerate(order):
        jax.tree.map(np.testing.assert_array_equal, moved.agent(k), problem.agent(i))
    np.testing.assert_array_equal(problem.identities, [0, 1, 2])


@pytest.mark.parametrize(("double", "expected"), [(True, np.float64), (False, np.float32)])
def test_one_switch_decides_the_precision_and_whole_numbers_stay_whole(double, expected):
    data = {"features": np.ones((2, 3, Q), np.float32), "index": np.zeros((2, 3), np.int32)}
    with jax.enable_x64(double):
        problem = hg.Problem(
            lambda x, y, batch: jnp.mean(batch["features"] @ y) + jnp.sum(x**2),
            lambda x, y, batch: jnp.sum((y - x) ** 2) + 0.0 * jnp.mean(batch["features"]),
            upper_data=data,
            lower_data=data,
            x0=np.zeros(Q, np.float16),
            y0=np.zeros(Q, np.float64),
        )
    agent = problem.agent(0)
    assert {problem.x0.dtype, problem.y0.dtype, agent.upper_data["features"].dtype} == {np.dtype(expected)}
    assert np.issubdtype(agent.lower_data["index"].dtype, np.integer)


def test_projection_keeps_x_in_a_box():
    box = lambda x: jax.tree.map(lambda leaf: jnp.clip(leaf, -0.05, 0.1), x)
    algorithm = hg.DSGD(0.5, 0.3, hg.Exact())
    free, _ = advance(algorithm, logistic(), hg.networks.ring(3), 40)
    kept, _ = advance(algorithm, logistic(project=box), hg.networks.ring(3), 40)
    assert np.abs(free.x).max() > 0.2
    assert kept.x.min() >= -0.05
    assert kept.x.max() == 0.1  # at the bound, exactly


def test_a_run_on_unlike_counts_is_the_run_on_the_same_rows_repeated():
    """An agent with 3 rows has the losses of one with each row twice; the first is padded, the second is not."""
    few, many = rows(3, 5), rows(6, 6)
    twice = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf]), few)
    runs = []
    for agents in ([many, few], [many, twice]):
        problem = hg.Problem(upper, lower, upper_data=agents, lower_data=agents, **START)
        algorithm = hg.Diamond(0.2, 0.3, 0.5, 0.5, hg.ConjugateGradient(8, 1e-12))
        runs.append(advance(algorithm, problem, hg.networks.path(2), 10))
    (weighted, fewer), (repeated, more) = runs
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14), weighted, repeated)
    np.testing.assert_array_equal(fewer.samples * [1, 2], more.samples)
