"""Law 8: one trace for a sweep, none for a second run."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.preset import generalised
from hypergossip.core.random_keys import run_key
from hypergossip.engines import Job
from hypergossip.problems.quadratic import quadratic
from laws.problems import AGENTS, NETWORK, quadratic_problem
from laws.running import final
from laws.table import BOTH, ENGINES, KINDS, METHODS, REFERENCE, every_pair


@pytest.fixture
def count_traces(monkeypatch):
    """Returns a function that makes every run of an algorithm's Python body count, and the counter."""

    def watch(algorithm):
        cls, calls = type(generalised(algorithm)), []
        original = cls.step

        def step(self, *arguments, **more):
            calls.append(cls)
            return original(self, *arguments, **more)

        monkeypatch.setattr(cls, "step", step)
        return calls

    return watch


def scaled(algorithm, factor):
    """The same algorithm with all its numbers, those of its parts too, a little different."""
    return jax.tree.map(lambda number: number * factor, algorithm)


def test_equal_fields_are_not_equal_programs():
    """Else the compiled rounds of one method may be taken for another's."""
    kinds = {type(method.algorithm): jax.tree.structure(method.algorithm) for method in METHODS.values()}
    assert len(set(kinds.values())) == len(kinds)
    assert all(one != two for one, two in itertools.combinations(kinds.values(), 2))


@every_pair(places=BOTH)
def test_other_numbers_are_not_traced_again(method, engine, count_traces):
    def run(algorithm, **more):
        final(engine, algorithm, quadratic_problem(method.share, **more), NETWORK, 3, seed=more.get("noise", 0.0) > 1)

    run(method.algorithm)
    traces = count_traces(method.algorithm)
    run(method.algorithm)
    run(scaled(method.algorithm, 0.9))
    run(method.algorithm, noise=2.0)  # other data, and another seed
    assert not traces


def sweep(engine, algorithm, factors, problem):
    """Runs one round of the algorithm with its numbers times each factor, side by side."""
    runs = len(factors)
    swept = generalised(jax.tree.map(lambda number: jnp.asarray(number * np.asarray(factors)), algorithm), swept=True)
    keys = jax.vmap(run_key)(jnp.arange(runs))
    session = engine.open(Job(swept, problem, NETWORK, keys, swept=True))
    everywhere = lambda v: jnp.broadcast_to(v, (runs, AGENTS, v.size))
    state, _ = session.advance(session.start(everywhere(problem.x0), everywhere(problem.y0)), 0, 20)
    return session.to_host(state)


# That a method's numbers may be traced is the law above. What a sweep adds is a lane for each run: through each kind of
# message, and through each kind of loop and branch that a round has.
LOOPS = ("SVRInteract", "BSA", "AIDBiO", "ITDBiO", "MRBO", "SlamTracked")
SWEPT = [(ENGINES["dense"], name) for name in (*KINDS, *LOOPS)] + [(ENGINES["sharded"], "Diamond")]


@pytest.mark.parametrize(("engine", "name"), SWEPT, ids=[name for _, name in SWEPT])
def test_a_sweep_is_traced_once_and_is_its_points_one_by_one(engine, name, count_traces):
    method = METHODS[name]
    problem = quadratic_problem(method.share)
    traces = count_traces(method.algorithm)
    factors = [0.5, 0.8, 1.1]
    state = sweep(engine, method.algorithm, factors, problem)
    assert len(traces) == 1
    sweep(engine, method.algorithm, [0.4, 0.7, 0.6], problem)
    assert len(traces) == 1
    for run, factor in enumerate(factors):
        alone = final(REFERENCE, scaled(method.algorithm, factor), problem, NETWORK, 20, seed=run)
        np.testing.assert_allclose(state.x[run], alone.x, atol=1e-12)


def test_solve_and_tune_trace_once_for_the_messages_and_once_to_run(count_traces):
    method = METHODS["Diamond"]
    problem, network = quadratic(5, 2, 3, share=method.share), hg.networks.ring(5)  # of a size that no other test has
    traces = count_traces(method.algorithm)

    def run(algorithm):
        hg.solve(algorithm, problem, network, rounds=5, seeds=2, check=False)

    run(method.algorithm)
    assert len(traces) == 2
    run(scaled(method.algorithm, 0.9))
    assert len(traces) == 2
    grid = {"upper_step": [0.02, 0.05], "hypergradient.lipschitz": [5.0, 6.0]}
    algorithm = hg.Diamond(0.05, 0.1, 0.3, 0.3, hg.Neumann(terms=4, lipschitz=5.0))
    hg.tune(algorithm, problem, network, grid=grid, rounds=10, seeds=1)
    assert len(traces) == 4
