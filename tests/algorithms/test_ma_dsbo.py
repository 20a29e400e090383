"""MA-DSBO: its transcription, what its loops leave, and the optimum that it reaches if it keeps its trackers."""

from dataclasses import replace

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, quadratic_problem
from laws.running import final, messages_on, trajectory
from laws.table import REFERENCE
from laws.transcribed import SEED, ZEROS
from numpy_methods.averaged import Loops, inner_noise_of_halves, ma_dsbo
from numpy_methods.draws import quadratic_draws
from numpy_methods.quadratic import quadratic_world

ROUNDS, T, N = 200, 3, 2
W = NETWORK.mixing.toarray()
SMALLEST = (0.04, 0.05, 0.05)
METHOD = hg.MADSBO(0.04, 0.06, 0.05, upper_momentum=0.5, inner_steps=T, iterations=N)


@pytest.mark.parametrize(
    ("tracked", "keep", "share"),
    [("both", True, "both"), ("both", False, "upper"), ("lower", False, "both"), (None, True, "both")],
)
def test_fed_the_same_noise_it_is_its_transcription(tracked, keep, share):
    algorithm, problem = replace(METHOD, tracked=tracked, keep_trackers=keep), quadratic_problem(share)
    world = quadratic_world(problem.oracles, quadratic_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE))
    noise = inner_noise_of_halves(SEED, ROUNDS, AGENTS, Q, NOISE, T)
    matrices = W, W if share == "both" else np.eye(AGENTS)
    points = ma_dsbo(world, noise, matrices, *ZEROS, ROUNDS, Loops((0.04, 0.06, 0.05), 0.5, T, N, tracked, keep))
    state = trajectory(REFERENCE, algorithm, problem, NETWORK, range(1, ROUNDS + 1), seed=SEED)
    for name, expected in zip("xyz", points, strict=True):
        np.testing.assert_allclose(getattr(state, name), expected, rtol=0, atol=1e-9)
    assert np.abs(points[0][-1]).max() > 0.1


def error(algorithm, share="both", rounds=2500):
    problem = quadratic_problem(share, noise=0.0)
    found = final(REFERENCE, algorithm, problem, NETWORK, rounds).x
    return np.linalg.norm(found.mean(axis=0) - solution(problem).x) + np.abs(found - found.mean(axis=0)).max()


@pytest.mark.parametrize(("loops", "share"), [((1, 1), "both"), ((T, N), "both"), ((T, N), "upper")])
def test_with_kept_trackers_on_everything_it_is_exact(loops, share):
    assert error(replace(METHOD, inner_steps=loops[0], iterations=loops[1], keep_trackers=True), share) < 1e-10


@pytest.mark.parametrize("keep", [True, False])
def test_under_losses_with_edge_sums_its_trackers_keep_their_sums(keep):
    """Each message of the loops has running sums of its own; fresh trackers are made up for in x alone."""
    problem, rounds = quadratic_problem("both", noise=0.0), 2500 if keep else 100
    channel = [hg.channels.EdgeSums(), hg.channels.Loss(0.2, symmetric=False)]
    options = {"rounds": rounds, "observe_every": rounds // 20, "channel": channel, "check": False, "measure": False}
    found = hg.solve(replace(METHOD, keep_trackers=keep), problem, NETWORK, **options)
    assert found.history["conserved"].max() < 1e-10
    if keep:
        assert np.abs(found.x - solution(problem).x).max() < 1e-10


def test_fresh_trackers_leave_a_bias_that_longer_loops_reduce():
    errors = [error(replace(METHOD, inner_steps=loops, iterations=loops)) for loops in (5, 10, 20, 40)]
    assert (np.diff(errors) < 0).all()
    assert errors[0] > 3e-2
    assert errors[3] < errors[2] / 2


@pytest.mark.parametrize("tracked", ["lower", None])
def test_without_all_trackers_the_bias_is_of_first_order_in_the_steps(tracked):
    """With the others kept, so that the loops leave nothing."""
    errors = []
    for scale in (1 / 32, 1 / 64):
        steps = {"upper_step": 0.08 * scale, "lower_step": 0.1 * scale, "adjoint_step": 0.1 * scale}
        algorithm = replace(METHOD, **steps, tracked=tracked, keep_trackers=True, upper_momentum=1.0)
        errors.append(error(algorithm, rounds=int(300 / scale)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.15)
    assert errors[1] > 1e-4


@pytest.mark.parametrize(("tracked", "vectors"), [("both", 2), ("lower", 2), (None, 1)])
def test_its_messages(tracked, vectors):
    """T + N exchanges of y or z, of which the first two travel together, with x."""
    algorithm = replace(METHOD, tracked=tracked)
    sent = messages_on(algorithm, quadratic_problem("both"))
    assert sum(message.times for message in sent) == T + N - 1
    assert sum(message.times * message.lower for message in sent) == vectors * (T + N) * Q
    assert sum(message.times * message.upper for message in sent) == (2 if tracked == "both" else 1) * P
    assert algorithm.vectors.masses == (("t_x",) if tracked == "both" else ())  # the others begin anew in every round
    kept = replace(algorithm, keep_trackers=True).vectors.masses
    assert kept == {"both": ("t_x", "t_y", "t_z"), "lower": ("t_y", "t_z"), None: ()}[tracked]


def test_it_refuses_what_cannot_work():
    known = facts(quadratic_problem("both"), NETWORK)._replace(gradient_difference=0.0)
    assert concerns(METHOD, known) == []
    least, top = NETWORK.smallest_eigenvalue, known.lower_curvature[1]
    for tracked, bound in (("both", (1 + least) ** 2 / 2 / top), (None, (1 + least) / top)):
        for factor in (0.98, 1.02):
            tried = replace(METHOD, tracked=tracked, adjoint_step=factor * bound)
            said = concerns(tried, known)
            assert [text.startswith("MADSBO: adjoint_step = ") for text in said] == [True] * (factor > 1)
    with pytest.raises(ValueError, match="take at least one step in each"):
        concerns(replace(METHOD, iterations=0), known)
    with pytest.raises(ValueError, match=r"tracked = 'upper'; choose"):
        concerns(replace(METHOD, tracked="upper"), known)
    with pytest.raises(ValueError, match="shares only its lower level"):
        concerns(METHOD, facts(quadratic_problem("lower"), NETWORK))


def test_with_one_step_of_each_loop_and_kept_trackers_it_is_sparkle_in_turn():
    methods = (
        hg.MADSBO(*SMALLEST, upper_momentum=1.0, inner_steps=1, iterations=1, tracked="both", keep_trackers=True),
        hg.Sparkle(*SMALLEST, correction="GT", in_turn=True),
    )
    problem = quadratic_problem("both", noise=0.0)
    one, two = (trajectory(REFERENCE, method, problem, NETWORK, range(1, ROUNDS + 1)) for method in methods)
    for name in "xyz":
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-12)
