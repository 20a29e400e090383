"""Rows of problems with much data: solved in float32 and refined, several at once, and the same after a resumption."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import hypergossip as hg
from hypergossip.core.collective import observed
from hypergossip.engines import arrays
from hypergossip.metrics import effort
from hypergossip.metrics.effort import Effort, choose_effort
from hypergossip.metrics.linear_systems import Reference, in_single_precision, refine
from hypergossip.metrics.selection import MeasurementWarning
from hypergossip.metrics.stationarity import Metrics, MetricsProgram
from hypergossip.running import reference_point, snapshot
from hypergossip.running import rows as rows_of_run
from laws.problems import logistic_problem

AGENTS, EVERY, GROUP = 4, 2, 3
MEASURED = ["stationarity", "lower_error", "metric", "upper_loss", "consensus_error"]


@pytest.fixture
def refined(monkeypatch):
    """Every problem counts as one with much data, and three rows of two runs are measured together."""
    monkeypatch.setattr(effort, "MUCH_DATA", 0)
    monkeypatch.setattr(effort, "MUCH_OF_AGENT", 0)
    monkeypatch.setattr(effort, "POINTS_AT_ONCE", 2 * GROUP)


def solve(problem, rounds=10, engine=None, **more):
    slam = hg.Slam(0.05, 0.1, 1.0, 0.5, hg.ConjugateGradient(4, 1e-6))
    method = slam if any(problem.lower.shared) else hg.Interact(0.05, 0.1)
    settings = {"seeds": 2, "observe_every": EVERY, "progress": False, "check": False, "engine": engine}
    return hg.solve(method, problem, hg.networks.ring(AGENTS), rounds=rounds, **settings | more)


def same_bits(one, other):
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"), check_exact=True)


@pytest.mark.parametrize(
    ("share", "ragged", "block"),
    [("upper", False, None), ("upper", True, None), ("both", False, 3), ("lower", True, 1)],
)
def test_refined_metrics_agree_with_those_in_float64(monkeypatch, share, ragged, block):
    problem = logistic_problem(share, AGENTS, ragged=ragged)
    random = np.random.default_rng(0)
    x, y = (jnp.asarray(random.standard_normal((3, AGENTS, v.size)), v.dtype) for v in (problem.x0, problem.y0))
    monkeypatch.setattr("hypergossip.core.collective.agents_at_a_time", lambda oracles: block)
    spaces = problem.upper, problem.lower
    exact = observed(MetricsProgram(Metrics._fields, *spaces), problem.oracles, x, y)
    found = observed(MetricsProgram(Metrics._fields, *spaces, refined=True), problem.oracles, x, y, ())
    for name in MEASURED:
        np.testing.assert_allclose(found[name], exact[name], rtol=1e-7, err_msg=name)
    assert (np.asarray(found["relative_residual"]) < 1e-8).all()


@pytest.mark.parametrize("share", ["upper", "both", {"upper": True, "lower": {"one": True, "two": False}}])
def test_a_run_has_the_same_rows_with_and_without_refinement(share, refined, monkeypatch):
    problem = logistic_problem(share, AGENTS)
    found = solve(problem).history
    monkeypatch.setattr(effort, "MUCH_DATA", np.inf)
    exact = solve(problem).history
    for name in MEASURED:
        np.testing.assert_allclose(found[name], exact[name], rtol=1e-7, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("engine", [None, hg.Sharded(devices=2), hg.Debug()])
def test_a_run_resumes_within_a_group_of_rows_with_the_same_bits(engine, refined, tmp_path):
    problem = logistic_problem("upper", AGENTS)
    whole = solve(problem, engine=engine)
    part = solve(problem, rounds=6, engine=engine, checkpoint=tmp_path)  # four rows: a group, and one of the next
    assert snapshot.read(tmp_path).reference_point is not None
    same_bits(part.history, whole.history[whole.history["round"] <= 6].reset_index(drop=True))
    same_bits(solve(problem, engine=engine, checkpoint=tmp_path).history, whole.history)
    part.save(tmp_path / "result")
    same_bits(solve(problem, rounds=4, engine=engine, start=hg.load(tmp_path / "result")).history, whole.history)


@pytest.mark.parametrize("share", ["upper", "both", {"upper": True, "lower": {"one": True, "two": False}}])
def test_all_references_are_computed_by_one_compiled_program(share, refined, monkeypatch):
    """The first one starts from y itself, without an inverse Hessian, the others from the one before."""
    of, given = reference_point.ReferenceSolution, []

    def noting(session, program, x, y, own=None):
        if isinstance(program, of):
            given.append(jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (x, y, own)))
        return compute(session, program, x, y, own)

    compute = arrays.ArraySession.compute
    monkeypatch.setattr(arrays.ArraySession, "compute", noting)
    solve(logistic_problem(share, AGENTS), rounds=30)
    assert len(given) > 2
    assert given[1:] == given[:-1]


def test_rows_that_a_rule_or_a_function_reads_are_measured_at_once(refined):
    problem, told = logistic_problem("upper", AGENTS), []
    together = solve(problem).history
    at_once = solve(problem, on_row=told.append).history
    assert len(told) == 6
    for name in MEASURED:
        np.testing.assert_allclose(at_once[name], together[name], rtol=1e-8, atol=1e-15)
    chosen = partial(choose_effort, problem, ("metric",), 2, False)
    assert (chosen(at_once=True).rows, chosen(at_once=False).rows) == (1, GROUP)
    threshold = float(at_once["metric"][at_once["round"] == 4].max())
    assert solve(problem, stop=threshold).rounds == 4


def test_what_refinement_does_not_reach_is_solved_in_float64(refined, monkeypatch):
    """Nothing is accurate enough, so that every row is that of the program in float64 throughout."""
    problem = logistic_problem("upper", AGENTS)
    monkeypatch.setattr(rows_of_run, "ACCURATE", -1.0)
    found = solve(problem).history
    monkeypatch.setattr(effort, "MUCH_DATA", np.inf)
    for name in MEASURED:
        np.testing.assert_allclose(found[name], solve(problem).history[name], rtol=1e-12, atol=1e-18)


def test_an_ill_conditioned_system_is_refined_to_the_residual_that_is_asked_for():
    """A condition number of 1e6: the residual of float32 alone is far from 1e-9."""
    random = np.random.default_rng(0)
    q, _ = np.linalg.qr(random.standard_normal((40, 40)))
    H, b = jnp.asarray(q * np.geomspace(1e-6, 1.0, 40) @ q.T), jnp.asarray(random.standard_normal(40))
    single = H.astype(jnp.float32)
    for inverse in (None, jnp.asarray(np.linalg.inv(H), jnp.float32)):
        direction = in_single_precision(lambda y: lambda v: single @ v, Reference(b, inverse))
        z, residual2, positive = refine(direction, b, lambda v: H @ v, b, 1e-9, jnp.vdot)
        reached = np.linalg.norm(H @ z - b) / np.linalg.norm(b)
        np.testing.assert_allclose(np.sqrt(residual2), reached * np.linalg.norm(b), rtol=1e-3, atol=1e-12)
        assert inverse is None or reached < 1e-9
        assert positive


def test_a_loss_that_refuses_float32_is_measured_in_float64_throughout(refined):
    constant = np.ones(2)

    def lower(x, y, batch):
        return jnp.sum((y - constant * x) ** 2)  # in a test, JAX refuses to mix float32 and float64

    data = np.zeros((AGENTS, 3, 1))
    problem = hg.Problem(lower, lower, upper_data=data, lower_data=data, x0=np.zeros(2), y0=np.zeros(2))
    assert choose_effort(problem, ("metric",), 2, False, False) == Effort()
    assert (solve(problem).history["relative_residual"] < 1e-8).all()


def test_an_indefinite_lower_level_is_not_measured(refined):
    """Zero is a stationary point of g at which a curvature is negative: there is no lower solution."""

    def lower(x, y, batch):
        return jnp.sum(jnp.array([1, -0.5], y.dtype) * y**2) + jnp.mean(batch["row"]) * y[0]

    upper = lambda x, y, batch: jnp.sum((y - 1) ** 2) + jnp.sum(x**2)
    data = {"row": np.ones((AGENTS, 3), np.float32)}
    problem = hg.Problem(upper, lower, upper_data=data, lower_data=data, x0=np.ones(2), y0=np.zeros(2))
    assert choose_effort(problem, ("metric",), 2, False, False).refined
    with pytest.warns(MeasurementWarning, match="was not reached"):
        assert solve(problem, rounds=2).history["stationarity"].isna().all()


def test_effort_follows_the_data_the_runs_and_the_columns(monkeypatch):
    problem = logistic_problem("upper", AGENTS)
    assert choose_effort(problem, ("metric",), 5, False, False) == Effort()
    entries = sum(leaf.size for leaf in jax.tree.leaves(problem.oracles))
    many = -(-effort.MUCH_DATA // entries)
    assert not choose_effort(problem, ("metric",), many, False, False).refined  # the agents have little data each
    monkeypatch.setattr(effort, "MUCH_OF_AGENT", entries // AGENTS)
    assert choose_effort(problem, ("metric",), many, False, False).refined
    assert choose_effort(problem, ("upper_loss",), many, False, False) == Effort()
    assert not choose_effort(problem, ("metric",), many, True, False).reference


@pytest.mark.parametrize("kind", ["quadratic", "logistic"])
def test_elimination_measures_what_conjugate_gradients_measure(kind):
    problem = hg.problems.quadratic(6, 3, 5, seed=2) if kind == "quadratic" else logistic_problem("upper")
    random = np.random.default_rng(0)
    shape = lambda size: (2, problem.agents, size)
    x, y = (jnp.asarray(random.standard_normal(shape(v.size))) for v in (problem.x0, problem.y0))
    programs = (MetricsProgram(Metrics._fields, problem.upper, problem.lower, eliminate=e) for e in (False, True))
    iterated, eliminated = (observed(program, problem.oracles, x, y) for program in programs)
    for name in Metrics._fields[:-1]:
        np.testing.assert_allclose(eliminated[name], iterated[name], rtol=1e-7, atol=1e-12, err_msg=name)
    assert np.max(eliminated["relative_residual"]) < 1e-9


def test_a_lower_level_that_is_not_convex_is_seen_by_elimination():
    loss = lambda x, y, batch: jnp.mean(batch) * (y[0] ** 2 - y[1] ** 2 + y[0] + y[1]) + x @ x
    data = np.ones((3, 4))
    upper = lambda x, y, batch: jnp.mean(batch) * jnp.sum(y) + x @ x
    problem = hg.Problem(upper, loss, upper_data=data, lower_data=data, x0=np.zeros(1), y0=np.zeros(2))
    program = MetricsProgram(Metrics._fields, problem.upper, problem.lower, eliminate=True)
    found = observed(program, problem.oracles, jnp.ones((1, 3, 1)), jnp.ones((1, 3, 2)))
    assert np.isinf(found["relative_residual"]).all()
    assert np.isnan(found["stationarity"]).all()


def test_many_agents_with_few_unknowns_are_solved_by_elimination():
    choose = lambda problem, runs=1: choose_effort(problem, ("metric",), runs, False, False)
    assert choose(hg.problems.quadratic(10_000, 2, 4)).eliminate
    assert choose(hg.problems.quadratic(1000, 2, 4), 10).eliminate
    assert not choose(hg.problems.quadratic(9_999, 2, 4)).eliminate
    assert not choose(hg.problems.quadratic(10_000, 2, 9)).eliminate
    assert not choose(hg.problems.quadratic(10_000, 2, 4, share="both")).eliminate
