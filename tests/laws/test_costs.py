"""Law 7: stated messages and costs are those that are counted as each agent runs by itself."""

import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Cost
from hypergossip.core.messages import first_message
from hypergossip.core.random_keys import run_key
from hypergossip.engines import Job
from hypergossip.engines.keys import agent_key
from laws.counting import Counting, Tally
from laws.problems import AGENTS, NETWORK, P, Q, logistic_data, logistic_problem, quadratic_problem
from laws.running import by_hand, messages_on
from laws.table import METHODS, REFERENCE, every_method

ROUNDS, BATCH, SEED = 2, 4, 9
ONE_EACH = {"upper": 1, "lower": 1, "whole upper": 1, "whole lower": 1}  # a key of a quadratic is a sample


def counted_rounds(algorithm, problem, network=NETWORK, rows=lambda agent: ONE_EACH, rounds=ROUNDS):
    """The rounds by hand, and what every agent asked for in each."""
    tally, counted = Tally(), []
    steps = by_hand(
        algorithm,
        problem,
        network,
        rounds,
        seed=SEED,
        see=lambda oracles: Counting(oracles, tally),
        begin=tally.clear,
        done=lambda agent: counted.append(tally.take(rows(agent))),
    )
    return steps, [counted[t * problem.agents : (t + 1) * problem.agents] for t in range(rounds)]


def costs_on_engine(algorithm, problem, network):
    """The state that the engine ends in, and what it counts."""
    keys = run_key(SEED)[None]
    session = REFERENCE.open(Job(algorithm, problem, network, keys))
    everywhere = lambda v: jnp.broadcast_to(v, (1, problem.agents, v.size))
    return session.to_host(session.advance(session.start(everywhere(problem.x0), everywhere(problem.y0)), 0, ROUNDS))


def check_counts(algorithm, problem, network=NETWORK):
    """Holds the stated costs, alone and on an engine, against the counted ones; returns the counted ones."""
    rounds, counted = counted_rounds(algorithm, problem, network)
    assert [[step.cost for step in steps] for steps in rounds] == counted
    state, cost = costs_on_engine(algorithm, problem, network)
    for i in range(problem.agents):
        assert Cost(*(int(count[0, i]) for count in cost)) == total(counted, i), i
        # By hand and on the engine it is the same run.
        jax.tree.map(
            lambda one, all, i=i: np.testing.assert_allclose(one, all[0, i], atol=1e-12), rounds[-1][i].after, state
        )
    return rounds, counted


def total(counted, agent):
    """The costs of one agent in all the rounds."""
    return Cost(*(sum(getattr(row[agent], name) for row in counted) for name in Cost._fields))


@every_method()
def test_costs_and_messages_are_what_is_stated(method):
    algorithm = method.algorithm
    problem = quadratic_problem(method.share)
    spaces = (problem.upper, problem.lower)
    rounds, _ = check_counts(algorithm, problem)
    stated = [message.bytes for message in messages_on(algorithm, problem) for _ in range(message.times)]
    for step in (step for steps in rounds for step in steps):
        assert [buffer.nbytes for buffer in step.sent] == stated
    last, i = ROUNDS - 1, 3
    step, key = rounds[last][i], agent_key(run_key(SEED), last, i)
    first = first_message(algorithm, spaces, problem.agent(i), last, step.before, key)
    np.testing.assert_allclose(first, step.sent[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["Interact", "SVRInteract", "Diamond"])
def test_samples_are_rows_of_data(name):
    """Whole data are as many samples as the agent itself holds, whatever the others do; a batch is its rows."""
    agents, algorithm = 2, METHODS[name].algorithm
    upper, lower = logistic_data(agents, ragged=True)

    def rows(agent):
        whole = {"whole upper": len(upper[agent]["b"]), "whole lower": len(lower[agent]["b"])}
        return {"upper": BATCH, "lower": BATCH, **whole}

    problem = logistic_problem("upper", agents, batch_size=BATCH, ragged=True)
    (steps,), (counted,) = counted_rounds(algorithm, problem, hg.networks.complete(agents), rows, rounds=1)
    assert [step.cost for step in steps] == counted
    # Three samples, xi's of both levels and zeta: a batch each; or the agent's whole upper and whole lower data, once.
    assert [cost.samples for cost in counted] == ([3 * BATCH] * 2 if name == "Diamond" else [12 + 10, 11 + 9])


def one_by_one(function, now, before):
    """`at_two_points` without vmap, so that no lane of a loop works on for another."""
    return function(*now), function(*before)


ESTIMATORS = {
    "ConjugateGradient": hg.ConjugateGradient(iterations=8, tolerance=0.2),
    "ConjugateGradient to the end": hg.ConjugateGradient(iterations=2, tolerance=0.0),
    "Neumann": hg.Neumann(terms=5, lipschitz=8.0),
    "Neumann on one batch": hg.Neumann(terms=5, lipschitz=8.0, shared_batch=True),
    "TruncatedNeumann": hg.TruncatedNeumann(terms=4, lipschitz=8.0),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_costs_of_every_estimator_are_what_is_stated(name, monkeypatch):
    monkeypatch.setattr(sys.modules["hypergossip.algorithms.diamond"], "at_two_points", one_by_one)
    algorithm = replace(METHODS["Diamond"].algorithm, hypergradient=ESTIMATORS[name])
    _, counted = check_counts(algorithm, quadratic_problem("upper"))
    products = {cost.hessian_products for row in counted for cost in row}
    if name in ("ConjugateGradient", "Neumann", "Neumann on one batch"):
        assert len(products) > 1  # the count depends on the data or the key
    else:
        assert products == {2 * 2 if name == "ConjugateGradient to the end" else 2 * 3}
    if name == "ConjugateGradient":
        assert max(products) < 2 * Q  # the tolerance stops it early


@pytest.mark.parametrize("name", ["Diamond", "Slam", "MDAC"])
def test_the_history_has_the_counted_costs(name):
    """A star: its centre sends to all the others, they to it alone."""
    method, network = METHODS[name], hg.networks.star(AGENTS)
    algorithm = replace(method.algorithm, hypergradient=ESTIMATORS["Neumann"])
    problem = quadratic_problem(method.share)
    rounds, counted = counted_rounds(algorithm, problem, network)
    result = hg.solve(algorithm, problem, network, rounds=ROUNDS, seed=SEED, observe_every=1, check=False)
    sent = 8 * {"Diamond": 2 * P, "Slam": P + Q, "MDAC": P + 3 * Q}[name]
    assert {sum(buffer.nbytes for buffer in step.sent) for steps in rounds for step in steps} == {sent}
    for t in range(ROUNDS + 1):
        row = result.history[result.history["round"] == t].iloc[0]
        totals = [total(counted[:t], i) for i in range(AGENTS)]
        for field in Cost._fields:
            np.testing.assert_allclose(row[field], np.mean([getattr(cost, field) for cost in totals]), rtol=1e-12)
        assert row["bytes_sent"] == t * sent * 2 * (AGENTS - 1) / AGENTS
        assert row["bytes_sent_max"] == t * sent * (AGENTS - 1)
