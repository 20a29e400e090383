"""Every method without noise against its NumPy transcription: autodiff against derivatives by hand, round by round."""

from functools import partial

import numpy as np
import pytest

import hypergossip as hg
from laws import transcribed
from laws.problems import logistic_data, logistic_problem
from laws.transcribed import ROUNDS, same
from numpy_methods import gossip, graphs, slam
from numpy_methods.logistic import logistic_world
from numpy_methods.steps import constant_steps, paper_steps

AGENTS = 5
EDGES = np.array([[0, 1], [0, 2], [1, 2], [2, 3], [3, 4]])
WORLD = logistic_world(*logistic_data(AGENTS))
RANDOM = np.random.default_rng(1)
X0, Y0 = RANDOM.standard_normal((AGENTS, 2)), RANDOM.standard_normal((AGENTS, 3))  # heterogeneous: the start counts too
MIXINGS = {"metropolis": graphs.metropolis(AGENTS, EDGES), "laplacian": graphs.laplacian_weights(AGENTS, EDGES)}

CONSTANTS = constant_steps(0.3, 0.4, 0.3, 0.2)
C_ALPHA, OMEGA, C_BETA, C_ETA, C_GAMMA = 0.7, 2.0, 1.2, 3.0, 2.0
PAPERS = paper_steps(C_ALPHA, OMEGA, C_BETA, C_ETA, C_GAMMA)

NUMBERS = {
    "constants": (
        {"upper_step": 0.3, "lower_step": 0.4},
        {"upper_momentum": 0.3, "lower_momentum": 0.2},
        CONSTANTS,
    ),
    "schedules": (
        {
            "upper_step": hg.PowerDecay(C_ALPHA, offset=OMEGA, power=1 / 3),
            "lower_step": hg.PowerDecay(C_BETA * C_ALPHA, offset=OMEGA, power=1 / 3),
        },
        {"upper_momentum": hg.SquaredStep(C_ETA), "lower_momentum": hg.SquaredStep(C_GAMMA)},
        PAPERS,
    ),
}


METHODS = {
    "DSGD": (lambda steps, momenta: hg.DSGD(**steps, hypergradient=hg.Exact()), gossip.dsgd),
    "GTSGD": (lambda steps, momenta: hg.GTSGD(**steps, hypergradient=hg.Exact()), gossip.gtsgd),
    "MSGD": (lambda steps, momenta: hg.MSGD(**steps, **momenta, hypergradient=hg.Exact()), gossip.msgd),
    "Diamond": (lambda steps, momenta: hg.Diamond(**steps, **momenta, hypergradient=hg.Exact()), gossip.diamond),
    "Interact": (lambda steps, momenta: hg.Interact(**steps), gossip.interact),
    "SVRInteract": (
        lambda steps, momenta: hg.SVRInteract(**steps, period=7, hypergradient=hg.Exact()),
        partial(gossip.svr_interact, period=7),
    ),
}


def run(algorithm, share, network):
    """The states after every round."""
    return transcribed.run(algorithm, logistic_problem(share, AGENTS), network, x=X0, y=Y0)


def agree(state, points):
    same(state, points, X0, apart=1e-4)


@pytest.mark.parametrize("weights", MIXINGS)
@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("name", METHODS)
def test_a_gossip_method_is_its_transcription(name, numbers, weights):
    steps, momenta, by_hand = NUMBERS[numbers]
    construct, transcription = METHODS[name]
    network = hg.networks.from_edges(AGENTS, EDGES, weights=weights)
    state = run(construct(steps, momenta), "upper", network)
    agree(state, transcription(WORLD, MIXINGS[weights], X0, Y0, ROUNDS, by_hand))


# A directed ring of all agents and two chords, (sender, receiver): neither A nor B is doubly stochastic.
ONE_WAY = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0], [0, 2], [3, 1]])


@pytest.mark.parametrize("numbers", NUMBERS)
def test_gtsgd_by_push_pull_is_its_transcription_on_a_directed_network(numbers):
    steps, _, by_hand = NUMBERS[numbers]
    network = hg.networks.from_edges(AGENTS, ONE_WAY, directed=True)
    A, B = graphs.pull_and_push(AGENTS, ONE_WAY)
    assert min(np.ptp(A.sum(axis=0)), np.ptp(B.sum(axis=1)), np.abs(A - B).max()) > 0.1
    state = run(hg.GTSGDPushPull(**steps, hypergradient=hg.Exact()), "upper", network)
    points = gossip.gtsgd_push_pull(WORLD, A, B, X0, Y0, ROUNDS, by_hand)
    same(state, points, X0, apart=1e-7)


GAMMA, RHO = 0.8, 0.9


def incidence_and_rho(weights):
    """The paper's A and rho for which A'A rho is the library's (I - W) RHO."""
    if weights == "laplacian":  # I - W = 2 L / (3 l_max) with the unweighted Laplacian of eq. 7
        A = graphs.incidence(AGENTS, EDGES)
        return A, RHO * 2 / (3 * np.linalg.eigvalsh(A.T @ A)[-1])
    return graphs.weighted_incidence(MIXINGS[weights], EDGES), RHO


def slam_pair(share, numbers, weights):
    """The library's states, and the transcriptions' arguments."""
    steps, _, by_hand = NUMBERS[numbers]
    A, rho = incidence_and_rho(weights)
    network = hg.networks.from_edges(AGENTS, EDGES, weights=weights)
    algorithm = hg.Slam(**steps, gamma=GAMMA, rho=RHO, hypergradient=hg.Exact())
    state = run(algorithm, share, network)
    scales = slam.Scales(
        alpha=lambda r: 1 / by_hand.alpha(r),
        beta=lambda r: 1 / by_hand.beta(r),
        gamma=GAMMA,
        rho=rho,
        upper=share != "lower",
        lower=share != "upper",
    )
    return state, A, scales


@pytest.mark.parametrize("weights", MIXINGS)
@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("share", ["upper", "lower", "both"])
def test_slam_is_its_primal_dual_form(share, numbers, weights):
    state, A, scales = slam_pair(share, numbers, weights)
    agree(state, slam.primal_dual(WORLD, A, X0, Y0, ROUNDS, scales))


@pytest.mark.parametrize("weights", MIXINGS)
@pytest.mark.parametrize("share", ["upper", "lower", "both"])
def test_slam_is_the_recursion_of_algorithm_1(share, weights):
    state, A, scales = slam_pair(share, "constants", weights)
    agree(state, slam.recursion(WORLD, A.T @ A, X0, Y0, ROUNDS, scales))
