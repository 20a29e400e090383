"""solve: its rows, its seeds, its chunks, how it goes on, and how it says what broke."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.metrics import evaluate
from hypergossip.running import loop
from small_problems import ALGORITHM, advance, logistic
from small_problems import RING as NETWORK

CLOCK = "seconds"


@pytest.fixture(scope="module")
def problem():
    return hg.problems.quadratic(3, 2, 2, seed=0, noise=0.1)


def solve(problem, **options):
    return hg.solve(ALGORITHM, problem, NETWORK, **({"rounds": 30, "observe_every": 10, "check": False} | options))


def same(one, other):
    """Equal bit for bit: points, state and every column but the clock."""
    jax.tree.map(np.testing.assert_array_equal, (one.x, one.y), (other.x, other.y))
    for a, b in zip(one.saved.leaves, other.saved.leaves, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.history.drop(columns=CLOCK).equals(other.history.drop(columns=CLOCK))


@pytest.mark.parametrize(
    ("rounds", "every", "expected"),
    [(30, 10, [0, 10, 20, 30]), (25, 10, [0, 10, 20, 25]), (3, 10, [0, 3]), (0, 10, [0]), (40, None, range(0, 41, 2))],
)
def test_the_first_and_the_last_round_always_have_a_row(problem, rounds, every, expected):
    result = solve(problem, rounds=rounds, observe_every=every)
    assert list(result.history["round"]) == list(expected)
    assert result.rounds == rounds


def test_a_row_is_the_state_after_so_many_rounds(problem):
    result = solve(problem)
    measured = partial(evaluate, problem.oracles, problem.upper, problem.lower)
    start = measured(jnp.zeros((1, 3, 2)), jnp.zeros((1, 3, 2)))
    state, cost = advance(ALGORITHM, problem, NETWORK, 30)
    end = measured(jnp.asarray(state.x)[None], jnp.asarray(state.y)[None])
    for row, expected in ((0, start), (-1, end)):
        for name in ("stationarity", "consensus_error", "lower_error", "metric", "upper_loss"):
            assert result.history[name].iloc[row] == pytest.approx(float(getattr(expected, name)[0]), rel=1e-12)
    np.testing.assert_array_equal(result.x, state.x)
    np.testing.assert_array_equal(result.y, state.y)
    assert result.history["samples"].iloc[-1] == cost.samples.mean() > 90
    assert result.history["samples"].iloc[0] == 0


def test_the_history_has_its_columns_in_order(problem):
    ours = ["round", "seconds", "stationarity", "consensus_error", "lower_error", "metric", "upper_loss"]
    ours += ["relative_residual", "bytes_sent"]
    counts = ["samples", "upper_gradients", "lower_gradients", "hessian_products", "jacobian_products"]
    history = solve(problem).history
    assert list(history.columns) == [*ours, "bytes_sent_max", *counts]
    assert (history["metric"] == history["stationarity"] + history["consensus_error"] + history["lower_error"]).all()
    assert (np.diff(history["seconds"]) > 0).all()
    observed = hg.Problem.from_oracles(
        problem.oracles, x0=np.zeros(2), y0=np.zeros(2), observe={"first": lambda x, y: x[0], "one": lambda x, y: 1.0}
    )
    result = solve(observed, seeds=2, rounds=5, observe_every=5)
    assert list(result.history.columns) == ["seed", *ours, "bytes_sent_max", *counts, "first", "one"]
    assert list(result.history["seed"]) == [0, 1, 0, 1]
    np.testing.assert_allclose(result.history["first"].to_numpy()[2:], result.x[:, :, 0].mean(axis=1))


def test_three_seeds_are_three_runs(problem):
    together = solve(problem, seeds=3, seed=5)
    assert together.x.shape == (3, 3, 2)
    for k, seed in enumerate((5, 6, 7)):
        alone = solve(problem, seed=seed)
        np.testing.assert_allclose(together.x[k], alone.x, rtol=1e-11)
        np.testing.assert_allclose(together.y[k], alone.y, rtol=1e-11)
        own = together.history[together.history["seed"] == seed].drop(columns=["seed", CLOCK]).reset_index(drop=True)
        np.testing.assert_allclose(own, alone.history.drop(columns=CLOCK), rtol=1e-9)
    assert np.abs(together.x[0] - together.x[1]).max() > 1e-4


def test_two_seeds_of_one_agent_are_two_runs():
    """With one agent there is no axis of agents to average over, and that of the seeds must not be taken for it."""
    single, network = hg.problems.quadratic(1, 2, 2, seed=0, noise=0.3), hg.networks.single()
    settings = {"rounds": 10, "check": False, "measure": False}
    together = hg.solve(ALGORITHM, single, network, seeds=2, **settings)
    for seed in range(2):
        alone = hg.solve(ALGORITHM, single, network, seed=seed, **settings)
        np.testing.assert_allclose(together.x[seed], alone.x, rtol=1e-11)


@pytest.mark.parametrize("seeds", [None, 2])
def test_going_on_is_the_run_that_never_stopped(problem, seeds):
    whole = solve(problem, rounds=40, observe_every=20, seeds=seeds)
    first = solve(problem, rounds=20, observe_every=20, seeds=seeds)
    same(solve(problem, rounds=20, observe_every=20, start=first, seeds=seeds), whole)
    assert first.rounds == 20  # and the result gone on from is left as it was


def test_going_on_may_change_the_numbers_of_the_algorithm(problem):
    first = solve(problem, rounds=20)
    slower = dataclasses.replace(ALGORITHM, upper_step=0.0)
    later = hg.solve(slower, problem, hg.networks.complete(3), rounds=5, check=False, start=first)
    assert later.rounds == 25
    np.testing.assert_allclose(later.x.mean(0), first.x.mean(0), rtol=1e-12)  # no step: only mixing


@pytest.mark.parametrize("other", [hg.DSGD(0.1, 0.1, hg.Exact()), hg.SVRInteract(0.1, 0.2, 5, hg.Exact())])
def test_going_on_with_another_algorithm_is_refused(problem, other):
    """SVR-INTERACT's state has DIAMOND's vectors, but its last directions mean something else."""
    words = rf"another state: its algorithm \(Diamond there, {type(other).__name__} here\).*Resume with"
    with pytest.raises(ValueError, match=words):
        hg.solve(other, problem, NETWORK, rounds=1, start=solve(problem, rounds=1), check=False)


def test_going_on_with_another_number_of_seeds_is_refused(problem):
    with pytest.raises(ValueError, match="Resume with"):
        solve(problem, rounds=1, start=solve(problem, rounds=1), seeds=2)


def test_the_length_of_the_chunks_changes_nothing(problem, monkeypatch):
    whole = solve(problem)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # one round a chunk
    same(solve(problem), whole)


def test_one_executable_for_every_length_and_none_on_a_second_run():
    calls = []

    def counted(x, y, batch):
        calls.append(1)
        return jnp.mean((batch - y) ** 2) + jnp.sum((x - y) ** 2)

    data = np.arange(12.0).reshape(2, 6) / 6
    problem = hg.Problem(
        counted, counted, upper_data=data, lower_data=data, x0=np.zeros(1), y0=np.zeros(1), batch_size=2
    )
    run = lambda rounds, every, step: hg.solve(
        hg.DSGD(step, 0.1, hg.Exact()), problem, hg.networks.path(2), rounds=rounds, observe_every=every
    )
    run(7, 7, 0.1)
    calls.clear()
    run(7, 7, 0.1)  # the same again
    run(50, 3, 0.1)  # other chunks
    run(5, 5, 0.05)  # another step size
    assert calls == []


def broken_agent(agent, factor):
    """Quadratics without noise in which one agent's lower curvature is far too large for the step."""
    problem = hg.problems.quadratic(3, 2, 2, seed=1)
    o = problem.oracles
    oracles = dataclasses.replace(o, H=o.H.at[agent].multiply(factor), F=jnp.zeros_like(o.F))
    return hg.Problem.from_oracles(oracles, x0=np.zeros(2), y0=np.zeros(2))


@pytest.mark.parametrize("agent", [0, 2])
def test_what_is_no_longer_finite_is_named_with_its_first_round_and_agent(agent):
    problem = broken_agent(agent, 30.0)
    o = jax.tree.map(lambda leaf: np.asarray(leaf)[agent], problem.oracles)
    x, y, first = np.zeros(2), np.zeros(2), None
    with np.errstate(all="ignore"):
        for t in range(400):
            # F = 0: the upper level does not see y, and y alone grows.
            y = y - 0.2 * (o.H @ y - o.B @ x - o.c)
            if not np.isfinite(y).all():
                first = t
                break
    assert first is not None
    assert first > 50
    settings = {"rounds": 400, "observe_every": 400, "check": False}
    with pytest.raises(hg.NotFinite, match=f"^round {first}: y of agent {agent} is no longer finite.*halve"):
        hg.solve(hg.DSGD(0.0, 0.2, hg.Exact()), problem, NETWORK, **settings)
    with pytest.raises(hg.NotFinite, match=rf"round \d+ of run 0: y of agent {agent} "):
        hg.solve(hg.DSGD(0.0, 0.2, hg.Exact()), problem, NETWORK, seeds=2, **settings)


def test_an_error_inside_a_users_function_surfaces_as_it_is(problem):
    wrong = {"wrong": lambda x, y: x @ jnp.ones(5)}
    with pytest.raises(TypeError, match=r"dot_general|contracting"):
        hg.Problem.from_oracles(problem.oracles, x0=np.zeros(2), y0=np.zeros(2), observe=wrong)


def test_a_problem_with_losses_runs_from_end_to_end():
    """D-SGD on logistic losses with conjugate gradients and sampling: M_t falls, and the history adds up."""
    result = hg.solve(
        hg.DSGD(0.5, 0.1, hg.ConjugateGradient(6)),
        logistic(batch_size=4),
        hg.networks.path(3),
        rounds=120,
        observe_every=60,
        progress=True,
    )
    assert set(result.x) == {"decay", "tilt"}
    assert result.y["weights"].shape == (3, 3)
    assert result.history["metric"].iloc[-1] < 0.5 * result.history["metric"].iloc[0]
    assert list(result.history["samples"]) == [0, 60 * 12, 120 * 12]
    assert list(result.history["bytes_sent"]) == [0, 60 * 32 * 4 / 3, 120 * 32 * 4 / 3]
