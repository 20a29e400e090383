"""Laws 1 to 4: engines agree, names do not matter, sums are conserved, and equal agents are one agent."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from laws.problems import AGENTS, NETWORK, P, Q, logistic_problem, quadratic_problem
from laws.running import close, final, trajectory
from laws.table import ENGINES, METHODS, REFERENCE, every_method, every_pair, rounds_for

ROUNDS = 50


@every_pair(places=[place for place, engine in ENGINES.items() if engine is not REFERENCE], whole="sharded")
def test_engines_agree(method, engine):
    problem = quadratic_problem(method.share)
    rounds = rounds_for(engine, ROUNDS)
    here, there = (final(e, method.algorithm, problem, NETWORK, rounds) for e in (REFERENCE, engine))
    close(here, there, 1e-10)
    assert np.abs(here.x).max() > 0.1


def test_engines_agree_on_batches_of_unlike_agents():
    """Data, counts and drawn depths travel with the agents, too."""
    problem = logistic_problem("upper", AGENTS, batch_size=4, ragged=True)
    algorithm = replace(METHODS["Diamond"].algorithm, hypergradient=hg.Neumann(terms=5, lipschitz=8.0))
    here, there = (final(e, algorithm, problem, NETWORK, ROUNDS) for e in (REFERENCE, hg.Sharded(devices=4)))
    close(here, there, 1e-10)


@every_pair()
def test_new_names_for_the_agents_rename_the_run(method, engine):
    order = np.random.default_rng(0).permutation(AGENTS).tolist()
    problem = quadratic_problem(method.share)
    rounds = rounds_for(engine, ROUNDS)
    named = final(engine, method.algorithm, problem, NETWORK, rounds)
    renamed = final(engine, method.algorithm, problem.relabelled(order), NETWORK.relabelled(order), rounds)
    close(jax.tree.map(lambda leaf: leaf[np.array(order)], named), renamed, 1e-12)
    assert np.abs(named.x - renamed.x).max() > 1e-3


@every_pair(lambda method: method.conserves)
def test_what_is_conserved_sums_to_zero_in_every_round(method, engine):
    rounds = range(1, rounds_for(engine, ROUNDS) + 1)
    state = trajectory(engine, method.algorithm, quadratic_problem(method.share), NETWORK, rounds)
    for one, other in method.conserves:
        terms = getattr(state, one) - (getattr(state, other) if other else 0.0)  # (rounds, agents, entries)
        assert np.abs(terms[1:]).max() > 1e-2  # so that it says something
        sizes = np.abs(getattr(state, one)).sum(axis=1).max()
        assert np.abs(terms.sum(axis=1)).max() <= 1e-12 * max(1.0, sizes)


@every_method()
def test_conserved_is_what_the_table_says(method):
    state = final(REFERENCE, method.algorithm, quadratic_problem(method.share), NETWORK, ROUNDS)
    terms = jax.vmap(method.algorithm.conserved)(jax.tree.map(jnp.asarray, state))
    said = [leaf for leaf in jax.tree.leaves(terms) if np.abs(leaf).max() > 0]
    expected = [getattr(state, one) - (getattr(state, other) if other else 0.0) for one, other in method.conserves]
    close(said, expected, 0.0)


@every_method()
def test_equal_agents_on_a_complete_graph_are_one_agent(method):
    problem = quadratic_problem(method.share, noise=0.0, heterogeneity=0.0)
    single = alone(problem, method.share)
    one = final(REFERENCE, method.algorithm, single, hg.networks.complete(1), ROUNDS)
    many = final(REFERENCE, method.algorithm, problem, hg.networks.complete(AGENTS), ROUNDS)
    close(jax.tree.map(lambda leaf: np.repeat(leaf, AGENTS, axis=0), one), many, 1e-10)
    assert np.abs(one.x).max() > 0.1


@every_method(lambda method: method.affine)
def test_the_mean_of_equal_agents_with_unlike_starts_is_one_agent(method):
    """Everything is affine here and W keeps the mean, so the mean runs the centralised method from the mean start."""
    problem = quadratic_problem(method.share, noise=0.0, heterogeneity=0.0)
    random = np.random.default_rng(4)
    x, y = random.standard_normal((AGENTS, P)), random.standard_normal((AGENTS, Q))
    many = final(REFERENCE, method.algorithm, problem, NETWORK, ROUNDS, x=x, y=y)
    start = {"x": x.mean(axis=0, keepdims=True), "y": y.mean(axis=0, keepdims=True)}
    single = alone(problem, method.share)
    one = final(REFERENCE, method.algorithm, single, hg.networks.complete(1), ROUNDS, **start)
    close(jax.tree.map(lambda leaf: leaf.mean(axis=0, keepdims=True), many), one, 1e-10)


def alone(problem, share):
    """Agent 0's problem, for a network of one."""
    oracles = jax.tree.map(lambda leaf: leaf[:1], problem.oracles)
    return hg.Problem.from_oracles(oracles, x0=problem.x0, y0=problem.y0, share=share)
