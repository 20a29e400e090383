"""DSGDA-GT, FAB and SUN-DSBO: their transcriptions, the penalised optimum, its order in the penalty, and the pairs."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.first_order import lower_gradients
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.digraphs import DIGRAPHS, DIRECTED, EDGES
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, Still, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from laws.transcribed import SEED, ZEROS
from numpy_methods import graphs, penalties

ROUNDS = 200
W = NETWORK.mixing.toarray()
LAM = 10.0
PLAIN = hg.DSGDAGT(0.04, 0.05 / LAM, LAM)
SYMMETRIC = replace(PLAIN, symmetric=True)
STORM = replace(PLAIN, momentum=0.3)
FAB = hg.FAB(0.04, 0.05 / LAM, LAM)
SUN = hg.SUNDSBO(0.3, 0.05, mu=0.1, gamma=1.0)
SE = hg.SUNDSBOSE(0.3, 0.05, mu=0.1, gamma=1.0)

both_shares = pytest.mark.parametrize("share", ["both", "upper"])


class NoGradient(Still):
    """Oracles without dx g."""

    lower_gradients = property()

    def __init__(self):
        super().__init__(place=0)


@cache
def noise(two_upper):
    return penalties.draw_noise(SEED, ROUNDS, AGENTS, P, Q, NOISE, two_upper)


def directions(algorithm, problem, noisy=False):
    losses = penalties.Losses(problem.oracles, noise(hasattr(algorithm, "penalty")) if noisy else None)
    if hasattr(algorithm, "penalty"):
        return penalties.penalty(losses, algorithm.penalty, algorithm.symmetric)
    return penalties.envelope(losses, algorithm.mu, algorithm.gamma)


def penalised(algorithm, problem):
    """The optimum of the penalised problem, from its own linear system."""
    shared = all(problem.lower.shared)
    return penalties.optimum(directions(algorithm, problem), AGENTS, P, Q, shared)


def error(algorithm, problem):
    """How far the penalised optimum is from x*."""
    return np.linalg.norm(penalised(algorithm, problem)[0] - solution(problem).x)


def equal(state, points):
    for name, expected in zip("xyz", points, strict=True):
        np.testing.assert_allclose(getattr(state, name), expected, rtol=0, atol=1e-9)
    assert np.abs(points[0][-1]).max() > 0.1


def run(algorithm, problem, network=NETWORK):
    return trajectory(REFERENCE, algorithm, problem, network, range(1, ROUNDS + 1), seed=SEED)


@both_shares
@pytest.mark.parametrize("algorithm", [PLAIN, SYMMETRIC, STORM, SUN], ids=["plain", "symmetric", "STORM", "SUN-DSBO"])
def test_fed_the_same_noise_a_tracked_method_is_its_transcription(algorithm, share):
    problem = quadratic_problem(share)
    matrix_of_y = W if share == "both" else np.eye(AGENTS)
    eta = getattr(algorithm, "momentum", None) or 1.0
    numbers = (*ZEROS, ROUNDS, algorithm.upper_step, algorithm.lower_step, eta)
    points = penalties.tracked(directions(algorithm, problem, noisy=True), (W, matrix_of_y), (W, matrix_of_y), *numbers)
    equal(run(algorithm, problem), points)


def test_fed_the_same_noise_fab_is_its_transcription_on_a_directed_network():
    problem, (A, B) = quadratic_problem("both"), graphs.pull_and_push(AGENTS, EDGES)
    assert min(np.ptp(A.sum(axis=0)), np.ptp(B.sum(axis=1))) > 0.1
    numbers = (*ZEROS, ROUNDS, FAB.upper_step, FAB.lower_step)
    equal(run(FAB, problem, DIRECTED), penalties.tracked(directions(FAB, problem, True), (A, A), (B, B), *numbers))


@both_shares
def test_fed_the_same_noise_the_form_without_trackers_is_its_transcription(share):
    problem = quadratic_problem(share)
    matrices = W, W if share == "both" else np.eye(AGENTS)
    numbers = (*ZEROS, ROUNDS, SE.upper_step, SE.lower_step)
    equal(run(SE, problem), penalties.combined(directions(SE, problem, True), matrices, *numbers))


@both_shares
@pytest.mark.parametrize("factor", [1.0, 4.0])
@pytest.mark.parametrize("algorithm", [PLAIN, SYMMETRIC, FAB, SUN], ids=["plain", "symmetric", "FAB", "SUN-DSBO"])
def test_without_noise_a_tracked_method_reaches_the_penalised_optimum(algorithm, factor, share):
    if algorithm is SUN:
        tried = replace(SUN, mu=SUN.mu / factor, upper_step=SUN.upper_step * factor)
    else:
        tried = replace(algorithm, penalty=LAM * factor, lower_step=algorithm.lower_step / factor)
    problem = quadratic_problem(share, noise=0.0)
    x, y, z = penalised(tried, problem)
    state = final(REFERENCE, tried, problem, NETWORK, 2500)
    for found, expected in zip((state.x, state.y, state.z), (x, y, z), strict=True):
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=0, atol=1e-10)
    assert np.linalg.norm(x - solution(problem).x) > 1e-5


@pytest.mark.parametrize("network", DIGRAPHS.values(), ids=DIGRAPHS)
def test_on_directed_networks_fab_reaches_the_penalised_optimum(network):
    problem = quadratic_problem("both", noise=0.0)
    x, y, z = penalised(FAB, problem)
    state = final(REFERENCE, FAB, problem, network, 2500)
    for found, expected in zip((state.x, state.y, state.z), (x, y, z), strict=True):
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=0, atol=1e-10)


@both_shares
@pytest.mark.parametrize(("symmetric", "order"), [(False, 1), (True, 2)])
def test_the_distance_of_the_penalised_optimum_has_its_order_in_the_penalty(symmetric, order, share):
    problem = quadratic_problem(share, noise=0.0)
    errors = [error(replace(PLAIN, penalty=lam, symmetric=symmetric), problem) for lam in (10.0, 20.0, 40.0, 80.0)]
    assert np.log2(errors[-2] / errors[-1]) == pytest.approx(order, abs=0.15)
    assert errors[-1] > 1e-7


@both_shares
def test_the_distance_of_the_moreau_optimum_is_of_first_order_in_mu(share):
    problem = quadratic_problem(share, noise=0.0)
    errors = [error(replace(SUN, mu=mu), problem) for mu in (0.1, 0.05, 0.025)]
    assert np.log2(errors[-2] / errors[-1]) == pytest.approx(1, abs=0.15)


def test_without_trackers_the_bias_is_of_first_order_in_the_steps():
    problem = quadratic_problem("both", noise=0.0)
    d = directions(SE, problem)

    def fixed_point(scale):
        """Where (I - W) v + step W d = 0."""
        steps = scale * SE.upper_step, scale * SE.lower_step, scale * SE.lower_step

        def residual(*v):
            made = [d(0, i, *(u[i] for u in v)) for i in range(AGENTS)]
            return [u - W @ (u - s * np.array([one[k] for one in made])) for k, (u, s) in enumerate(zip(v, steps))]

        return penalties.solve_affine(residual, (AGENTS, P), (AGENTS, Q), (AGENTS, Q))

    x_mu = penalised(SE, problem)[0]
    errors = [np.linalg.norm(fixed_point(scale)[0].mean(axis=0) - x_mu) for scale in (1 / 8, 1 / 64, 1 / 128)]
    assert np.log2(errors[1] / errors[2]) == pytest.approx(1, abs=0.15)
    assert errors[0] > 1e-3
    state = final(REFERENCE, SE, problem, NETWORK, 2500)
    for found, expected in zip((state.x, state.y, state.z), fixed_point(1.0), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def same_runs(one, other, problem, network=NETWORK, other_network=None):
    here, there = (
        final(REFERENCE, one, problem, network, 100),
        final(REFERENCE, other, problem, other_network or network, 100),
    )
    for name in ("x", "y", "z", "t_x", "t_y", "t_z"):
        np.testing.assert_allclose(getattr(here, name), getattr(there, name), rtol=0, atol=1e-12)
    assert np.abs(here.x).max() > 0.1


def test_storm_without_noise_is_the_plain_form_and_with_noise_is_not():
    same_runs(STORM, PLAIN, quadratic_problem("both", noise=0.0))
    noisy = quadratic_problem("both")
    assert (
        np.abs(final(REFERENCE, STORM, noisy, NETWORK, 20).x - final(REFERENCE, PLAIN, noisy, NETWORK, 20).x).max()
        > 1e-3
    )


@pytest.mark.parametrize("symmetric", [False, True])
def test_fab_on_doubly_stochastic_weights_is_dsgda_gt(symmetric):
    same_runs(replace(FAB, symmetric=symmetric), replace(PLAIN, symmetric=symmetric), quadratic_problem("both"))


def test_a_result_states_the_penalty():
    result = hg.solve(PLAIN, quadratic_problem("both"), NETWORK, rounds=1, check=False, progress=False)
    assert "penalty=10.0" in result.saved.configuration["algorithm"]


def test_storm_reduces_the_variance():
    """Mean square distance from x_lambda over late rounds."""
    noisy = quadratic_problem("both", noise=0.5)
    x = penalised(PLAIN, noisy)[0]
    late = range(1000, 2000, 10)
    squares = [
        np.square(trajectory(REFERENCE, algorithm, noisy, NETWORK, late).x.mean(axis=1) - x).sum(axis=1).mean()
        for algorithm in (PLAIN, STORM)
    ]
    assert squares[1] < 0.95 * squares[0]


def test_they_refuse_what_cannot_work():
    known = facts(quadratic_problem("both"), NETWORK)._replace(gradient_difference=0.0)
    for algorithm in (PLAIN, SYMMETRIC, STORM, FAB, SUN, SE):
        assert concerns(algorithm, known) == []
    with pytest.raises(ValueError, match=r"DSGDAGT: momentum is -0\.1; a momentum lies in \[0, 1\]"):
        concerns(replace(PLAIN, momentum=-0.1), known)
    assert concerns(replace(PLAIN, momentum=hg.SquaredStep(30.0)), known) == []
    for algorithm in (PLAIN, FAB):
        with pytest.raises(
            ValueError, match=rf"{type(algorithm).__name__}: penalty = 0; it must be finite and positive"
        ):
            concerns(replace(algorithm, penalty=0.0), known)
        (text,) = concerns(replace(algorithm, penalty=8 * LAM), known)
        assert "lower_step = 0.005 is likely to be unstable" in text
    for algorithm in (SUN, SE):
        with pytest.raises(ValueError, match=r"gamma = 0; it must be finite and positive"):
            concerns(replace(algorithm, gamma=0.0), known)
        with pytest.raises(ValueError, match="shares only its lower level"):
            concerns(algorithm, facts(quadratic_problem("lower"), NETWORK))


def test_oracles_without_dx_g_are_refused():
    with pytest.raises(TypeError, match=r"NoGradient has no lower_gradients\(x, y, key\)"):
        lower_gradients(NoGradient(), jnp.zeros(P), jnp.zeros(Q), jax.random.key(0))
