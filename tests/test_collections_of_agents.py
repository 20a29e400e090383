"""Collections of agents' data: what is taken for a pytree, and what is told how to be one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from refusals import refused

AGENTS, SAMPLES, P = 3, 4, 2
SHAPE = (AGENTS, SAMPLES)


def loss(x, y, batch):
    return jnp.mean((batch["A"] @ y) ** 2) + jnp.sum((y - x) ** 2)


def make(upper_data, lower_data=None, both=loss):
    """A problem of one loss at both levels."""
    rows = {"A": np.ones((*SHAPE, P))} if lower_data is None else lower_data
    return hg.Problem(both, both, upper_data=upper_data, lower_data=rows, x0=np.zeros(P), y0=np.zeros(P))


def stored(data):
    """The numbers that the problem's losses see of the leaf "A"."""
    problem = make(data, both=lambda x, y, batch: jnp.mean(batch["A"]) * jnp.sum((y - x) ** 2))
    return np.asarray(problem.oracles.upper_data["A"])


def agent(samples=SAMPLES):
    return {"A": np.ones((samples, P))}


COLLECTIONS = {
    "a generator": (lambda: (agent() for _ in range(3)), ["iterator", "a list with one pytree for each agent"]),
    "agents by number": (lambda: {i: agent() for i in range(3)}, ["keys are numbers", "list(data.values())"]),
    "a tuple of agents": (lambda: tuple(agent() for _ in range(3)), ["a tuple of 3 pytrees", "give a list"]),
    "a tuple of heterogeneous agents": (lambda: (agent(), agent(5)), ["a tuple of 2 pytrees", "give a list"]),
    "a tuple of agents with labels": (
        lambda: tuple(agent() | {"t": np.ones(SAMPLES)} for _ in range(3)),
        ["a tuple of 3 pytrees", "give a list"],
    ),
    "agents by name": (lambda: {"a": agent(), "b": agent(5)}, ["[4, 5] agents", "['b']['A'] 5", "list(data.values())"]),
    "a list in a dict": (
        lambda: {"A": [np.ones(SAMPLES)] * 3},
        ["no samples", "a list with one pytree for each agent"],
    ),
    "nothing": (lambda: {}, ["no arrays"]),
    "a number": (lambda: 3.0, ["no agents", "(agents, samples, ...)"]),
    "an agent of nothing": (lambda: [agent(), {}, agent()], ["agent 1", "no arrays"]),
    "an array of agents": (lambda: np.array([agent() for _ in range(3)]), ["array of dicts", "list of pytrees"]),
    "text": (lambda: "digits.csv", ["upper_data holds text"]),
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_other_collections_of_agents_are_told_what_to_be(name):
    call, words = COLLECTIONS[name]
    assert refused(lambda: make(call()), words).startswith("upper_data")


UNEQUAL = {
    "leaves (agents, samples, ...)": (
        lambda: {"A": np.ones((*SHAPE, P)), "t": np.ones((AGENTS, SAMPLES + 1))},
        ["upper_data, agent 0", "upper_data['A'] 4, upper_data['t'] 5", "one label for each row"],
    ),
    "one agent of a list": (
        lambda: [agent(k) | {"t": np.ones(SAMPLES)} for k in (4, 4, 3)],
        ["upper_data, agent 2", "upper_data['A'] 3, upper_data['t'] 4"],
    ),
    "many leaves": (
        lambda: [{f"{k:02}": np.ones(SAMPLES + (k == 9)) for k in range(12)}] * AGENTS,
        ["agent 0", "(upper_data['00'] 4, upper_data['09'] 5)"],
    ),
    "rows in a list": (
        lambda: [{"A": list(np.ones((SAMPLES, P))), "t": np.ones(SAMPLES)}] * AGENTS,
        ["agent 0", "upper_data['A'][0] 2", "upper_data['t'] 4", "np.stack(rows)"],
    ),
    "rows in lists of different lengths": (
        lambda: [{"A": list(np.ones((k, P)))} for k in (4, 4, 3)],
        ["agents 0 and 2", "different structures", "np.stack(rows)"],
    ),
    "a pair": (
        lambda: [(np.ones((SAMPLES, P)), np.ones(k)) for k in (4, 5, 4)],
        ["upper_data, agent 1", "(upper_data[0] 4, upper_data[1] 5)"],
    ),
}


@pytest.mark.parametrize("name", UNEQUAL)
def test_unequal_numbers_of_samples_are_told_by_agent_and_leaf(name):
    call, words = UNEQUAL[name]
    text = refused(lambda: make(call()), words)
    assert ("np.stack" in text) is name.startswith("rows in")


def test_a_list_of_jax_numbers_is_an_array_as_one_of_python_numbers_is():
    given = jnp.arange(12.0).reshape(SHAPE)
    np.testing.assert_array_equal(stored([{"A": list(row)} for row in given]), given)
    np.testing.assert_array_equal(stored({"A": [list(row) for row in given]}), given)
    np.testing.assert_array_equal(stored([{"A": [np.array(v) for v in row]} for row in given]), given)


def test_a_tuple_of_support_and_query_is_a_pytree():
    """The same problem as with the two under other names; also where it has as many entries as there are agents."""
    random = np.random.default_rng(0)
    point = random.standard_normal(P)
    for agents in (2, 3):
        support, query = ({"A": random.standard_normal((agents, SAMPLES, P))} for _ in range(2))
        fit = lambda first, second: lambda x, y, b: loss(x, y, b[first]) + 2 * loss(x, y, b[second])
        values = []
        for data, keys in (((support, query), (0, 1)), ({"s": support, "q": query}, ("s", "q"))):
            problem = make(data, data, fit(*keys))
            assert problem.agents == agents
            own = [problem.agent(i).full for i in range(agents)]
            values.append([one.upper_loss(jnp.zeros(P), jnp.asarray(point), jax.random.key(0)) for one in own])
        np.testing.assert_array_equal(*values)
        expected = [
            np.mean((support["A"][i] @ point) ** 2) + 2 * np.mean((query["A"][i] @ point) ** 2) for i in range(agents)
        ]
        np.testing.assert_allclose(values[0], np.array(expected) + 3 * point @ point, rtol=1e-12)


def test_tuples_of_agents_at_both_levels_are_refused_where_their_samples_cannot_be_agents():
    refused(lambda: make((agent(), agent()), (agent(5), agent(5))), ["upper_data is a tuple of 2 pytrees"])
