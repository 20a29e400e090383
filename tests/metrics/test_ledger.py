"""Costs: bytes from the message's shapes and the graph, counts in 64 bits, observations averaged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Cost
from hypergossip.core.messages import messages
from hypergossip.metrics import ledger, observations


def sent(problem, algorithm):
    """The bytes of a round to one neighbour."""
    found = messages(algorithm, (problem.upper, problem.lower), problem.agent(0), problem.x0, problem.y0)
    return sum(message.times * message.bytes for message in found)


EXACT = hg.Exact()
METHODS = {
    "DSGD": (hg.DSGD(0.1, 0.1, EXACT), 1),
    "GTSGD": (hg.GTSGD(0.1, 0.1, EXACT), 2),
    "MSGD": (hg.MSGD(0.1, 0.1, 0.5, 0.5, EXACT), 1),
    "Diamond": (hg.Diamond(0.1, 0.1, 0.5, 0.5, EXACT), 2),
    "Interact": (hg.Interact(0.1, 0.1), 2),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("double", [True, False])
def test_a_message_is_so_many_vectors_of_x(name, double):
    algorithm, vectors = METHODS[name]
    with jax.enable_x64(double):
        problem = hg.problems.quadratic(2, 7, 3)
        assert sent(problem, algorithm) == vectors * 7 * (8 if double else 4)


@pytest.mark.parametrize(
    ("share", "entries"), [("upper", 7), ("lower", 3), ("both", 10), ({"upper": {"a": True, "b": False}}, 5)]
)
def test_slam_sends_only_what_is_shared(share, entries):
    plain = hg.problems.quadratic(2, 7, 3)
    x0 = {"a": np.zeros(5), "b": np.zeros(2)} if isinstance(share, dict) else np.zeros(7)
    problem = hg.Problem.from_oracles(plain.oracles, x0=x0, y0=np.zeros(3), share=share)
    slam = hg.Slam(0.1, 0.1, 1.0, 1.0, EXACT)
    assert sent(problem, slam) == 8 * entries


def test_counts_are_means_over_the_agents():
    cost = Cost(*(np.array([[1, 3], [10, 20]]) * (k + 1) for k in range(5)))
    found = ledger.columns(cost, np.array([700, 2100]))
    assert found["bytes_sent"] == 1400
    assert found["bytes_sent_max"] == 2100
    for k, name in enumerate(Cost._fields):
        np.testing.assert_array_equal(found[name], [2 * (k + 1), 15 * (k + 1)])


def test_counts_do_not_overflow():
    cost = ledger.nothing(1, 2)
    chunk = Cost(*(np.full((1, 2), 2**31 - 1, np.int32) for _ in range(5)))
    for _ in range(3):
        cost = ledger.add(cost, chunk)
    assert (cost.samples == 3 * (2**31 - 1)).all()


def test_observations_are_the_users_functions_averaged_over_agents():
    problem = hg.Problem.from_oracles(
        hg.problems.quadratic(2, 3, 2).oracles, x0={"a": np.zeros(3)}, y0=[np.zeros(2)], share="upper"
    )
    observe = (("first", lambda x, y: x["a"][0] + 10 * y[0][1]), ("whole", lambda x, y: jnp.argmax(x["a"])))
    x = jnp.arange(12.0).reshape(2, 2, 3)
    y = jnp.arange(8.0).reshape(2, 2, 2)
    found = observations(observe, problem.upper, problem.lower, x, y)
    np.testing.assert_allclose(found["first"], [(0 + 10 + 3 + 30) / 2, (6 + 50 + 9 + 70) / 2])
    np.testing.assert_allclose(found["whole"], [2, 2])
