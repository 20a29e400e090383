"""Measuring for some agents at a time is measuring for all at once, and takes less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.agent_data import blocks as agent_blocks
from hypergossip.core.agent_data.blocks import agents_at_a_time, in_blocks
from hypergossip.core.collective import observed
from hypergossip.core.random_keys import run_key
from hypergossip.metrics.stationarity import Metrics, MetricsProgram
from laws.problems import logistic_problem

AGENTS = 5


def measured(problem, twice=True):
    random = np.random.default_rng(0)
    x, y = (jnp.asarray(random.standard_normal((2, AGENTS, v.size)), v.dtype) for v in (problem.x0, problem.y0))
    program = MetricsProgram(Metrics._fields, problem.upper, problem.lower, twice)
    return jax.tree.map(np.asarray, observed(program, problem.oracles, x, y))


@pytest.mark.parametrize(
    ("share", "block", "ragged"),
    [("upper", 1, True), ("lower", 2, False), ("both", 4, True)],
)
def test_in_blocks_and_all_at_once_are_the_same(monkeypatch, share, block, ragged):
    problem = logistic_problem(share, AGENTS, ragged=ragged)
    at_once = measured(problem)
    monkeypatch.setattr("hypergossip.core.collective.agents_at_a_time", lambda oracles: block)
    for name, value in measured(problem).items():
        np.testing.assert_allclose(value, at_once[name], rtol=1e-11, atol=1e-14, err_msg=name)


def test_a_small_problem_is_measured_at_once_and_a_large_one_in_blocks(monkeypatch):
    problem = logistic_problem("upper", AGENTS)
    assert agents_at_a_time(problem.oracles) is None
    of_agent = 8 * sum(leaf.size for leaf in jax.tree.leaves(problem.oracles)) / AGENTS
    for fit, agents in ((1, 1), (2, 2), (3, 3), (4, 3)):  # not four and then the last four of five again
        monkeypatch.setattr(agent_blocks, "BLOCK_BYTES", (fit + 0.5) * of_agent)
        assert agents_at_a_time(problem.oracles) == agents
    monkeypatch.setattr(agent_blocks, "BLOCK_BYTES", 1.0)
    assert agents_at_a_time(problem.oracles) == 1
    session = hg.Sharded(devices=AGENTS).open(
        hg.engines.Job(hg.Interact(0.1, 0.1), problem, hg.networks.ring(AGENTS), run_key(0)[None])
    )
    assert agents_at_a_time(session.placed.oracles) is None  # every device measures its own, here one


@pytest.mark.parametrize("agents", [1, 2, 7])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_every_agent_has_its_own_result(agents, block):
    block = min(block, agents)
    own, common = jnp.arange(2.0 * agents).reshape(agents, 2), jnp.ones(2)
    one = lambda index, v: in_blocks(lambda v, c: (v @ v, v + c), block, index, v, common)
    square, moved = jax.vmap(one)(jnp.arange(agents), own)
    np.testing.assert_array_equal(square, (own * own).sum(axis=1))
    np.testing.assert_array_equal(moved, own + 1)
