"""Law 11: with noise drawn outside and fed to both, every method equals its transcription, and momentum is real."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.preset import generalised
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, logistic_data, logistic_problem, quadratic_problem
from laws.running import final, trajectory
from laws.table import METHODS, REFERENCE, every_method
from numpy_methods import gossip, slam, storm
from numpy_methods.draws import batches, quadratic_draws
from numpy_methods.logistic import logistic_world
from numpy_methods.quadratic import quadratic_world
from numpy_methods.steps import constant_steps, paper_steps

ROUNDS, SEED = 50, 11
STEPS = constant_steps(0.06, 0.12, 0.3, 0.4)
W = NETWORK.mixing.toarray()


def svr_interact(*arguments):
    return gossip.svr_interact(*arguments, period=4)


def rsvrb(*arguments):
    return storm.rsvrb(*arguments, adjoint_momentum=lambda t: 0.35)


def vr_biadam(*arguments):
    return storm.vr_biadam(*arguments, decay=0.8, regularization=0.5)


TRANSCRIPTIONS = {
    "DSGD": gossip.dsgd,
    "GTSGD": gossip.gtsgd,
    "MSGD": gossip.msgd,
    "Diamond": gossip.diamond,
    "Interact": gossip.interact,
    "SVRInteract": svr_interact,
    "RSVRB": rsvrb,
    "VRBiAdam": vr_biadam,
}


def same(state, points):
    np.testing.assert_allclose(state.x, points[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(state.y, points[1], rtol=0, atol=1e-9)


def world(problem, series=None):
    draws = quadratic_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE, series)
    return quadratic_world(problem.oracles, draws, series)


@pytest.mark.parametrize("name", TRANSCRIPTIONS)
def test_fed_the_same_noise_a_method_is_its_transcription(name):
    problem = quadratic_problem("upper")
    state = trajectory(REFERENCE, METHODS[name].algorithm, problem, NETWORK, range(1, ROUNDS + 1), seed=SEED)
    zero_x, zero_y = np.zeros((AGENTS, P)), np.zeros((AGENTS, Q))
    same(state, TRANSCRIPTIONS[name](world(problem), W, zero_x, zero_y, ROUNDS, STEPS))


@every_method(lambda method: method.has_momentum)
def test_fed_the_same_noise_the_schedules_of_the_paper_are_its_schedules(method):
    """Only noise can see the momenta."""
    c_alpha, omega, c_beta, c_eta, c_gamma = 0.2, 2.0, 2.0, 9.0, 15.0
    algorithm = replace(
        method.algorithm,
        upper_step=hg.PowerDecay(c_alpha, omega, 1 / 3),
        lower_step=hg.PowerDecay(c_beta * c_alpha, omega, 1 / 3),
        upper_momentum=hg.SquaredStep(c_eta),
        lower_momentum=hg.SquaredStep(c_gamma),
    )
    problem = quadratic_problem("upper")
    state = trajectory(REFERENCE, algorithm, problem, NETWORK, range(1, ROUNDS + 1), seed=SEED)
    transcription = TRANSCRIPTIONS[type(generalised(algorithm)).__name__]
    steps = paper_steps(c_alpha, omega, c_beta, c_eta, c_gamma)
    zero_x, zero_y = np.zeros((AGENTS, P)), np.zeros((AGENTS, Q))
    same(state, transcription(world(problem), W, zero_x, zero_y, ROUNDS, steps))


@every_method(lambda method: isinstance(method.algorithm, hg.Slam))
def test_fed_the_same_noise_slam_is_its_transcription(method):
    problem = quadratic_problem(method.share)
    state = trajectory(REFERENCE, method.algorithm, problem, NETWORK, range(1, ROUNDS + 1), seed=SEED)
    roots = np.sqrt([W[i, j] for i, j in NETWORK.edges])
    A = np.zeros((len(roots), AGENTS))
    A[np.arange(len(roots)), NETWORK.edges[:, 0]], A[np.arange(len(roots)), NETWORK.edges[:, 1]] = roots, -roots
    scales = slam.Scales(
        lambda r: 1 / 0.06,
        lambda r: 1 / 0.12,
        method.algorithm.gamma,
        method.algorithm.rho,
        upper=method.share != "lower",
        lower=method.share != "upper",
    )
    zero_x, zero_y = np.zeros((AGENTS, P)), np.zeros((AGENTS, Q))
    same(state, slam.primal_dual(world(problem), A, zero_x, zero_y, ROUNDS, scales))


def test_diamond_with_a_drawn_depth_is_its_transcription():
    problem, series = quadratic_problem("upper"), (6, 5.0)
    algorithm = replace(METHODS["Diamond"].algorithm, hypergradient=hg.Neumann(*series))
    state = trajectory(REFERENCE, algorithm, problem, NETWORK, range(1, ROUNDS + 1), seed=SEED)
    zero_x, zero_y = np.zeros((AGENTS, P)), np.zeros((AGENTS, Q))
    same(state, gossip.diamond(world(problem, series), W, zero_x, zero_y, ROUNDS, STEPS))


@pytest.mark.parametrize("terms", [None, 5], ids=["Exact", "Neumann"])
def test_diamond_on_batches_is_its_transcription_on_the_same_rows(terms):
    """The noise of real samples: every factor of eq. 5 has rows of its own, both points of eq. 6 the same ones."""
    agents, size, lipschitz = 5, 4, 9.0
    upper, lower = logistic_data(agents, ragged=True)
    held = lambda level: np.array([len(agent["b"]) for agent in level])
    series = None if terms is None else (terms, lipschitz)
    network = hg.networks.ring(agents)
    algorithm = hg.Diamond(0.1, 0.2, 0.3, 0.4, hg.Exact() if terms is None else hg.Neumann(terms, lipschitz))
    problem = logistic_problem("upper", agents, batch_size=size, ragged=True)
    state = trajectory(REFERENCE, algorithm, problem, network, range(1, ROUNDS + 1), seed=SEED)
    rows = batches(SEED, ROUNDS, held(upper), held(lower), size, terms)
    x0, y0 = np.tile([0.3, -0.2], (agents, 1)), np.tile([0.5, -0.4, 0.1], (agents, 1))
    steps = constant_steps(0.1, 0.2, 0.3, 0.4)
    same(
        state,
        gossip.diamond(logistic_world(upper, lower, rows, series), network.mixing.toarray(), x0, y0, ROUNDS, steps),
    )


@pytest.mark.parametrize("which", ["upper_momentum", "lower_momentum"])
@every_method(lambda method: method.has_momentum)
def test_a_little_more_momentum_is_another_trajectory(method, which):
    algorithm = method.algorithm
    other = replace(algorithm, **{which: getattr(algorithm, which) + 0.1})
    problem = quadratic_problem(method.share)
    one, two = (final(REFERENCE, a, problem, NETWORK, ROUNDS, seed=SEED) for a in (algorithm, other))
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), (one.x, one.y), (two.x, two.y))
    assert max(moved) > 1e-3


@pytest.mark.parametrize("which", ["upper_momentum", "lower_momentum"])
@every_method(lambda method: method.has_momentum)
def test_without_noise_momentum_vanishes(method, which):
    """STORM's p_t is G_t then, whatever eta: why only noisy runs can see a wrong sign in eq. 6 and 7."""
    algorithm = method.algorithm
    other = replace(algorithm, **{which: getattr(algorithm, which) + 0.1})
    problem = quadratic_problem(method.share, noise=0.0)
    one, two = (final(REFERENCE, a, problem, NETWORK, ROUNDS) for a in (algorithm, other))
    np.testing.assert_allclose(one.x, two.x, atol=1e-12)
