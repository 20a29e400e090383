"""What the methods share whose directions are all taken at one point: 200 rounds of noise, graphs, and closed forms."""

from functools import cache
from typing import Any

import numpy as np

import hypergossip as hg
from hypergossip.problems.quadratic import solution
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from numpy_methods.draws import quadratic_draws
from numpy_methods.quadratic import quadratic_world
from numpy_methods.single_loop_draws import soba_noise
from numpy_methods.world import World

ROUNDS, SEED = 200, 11
ZEROS = np.zeros((AGENTS, P)), np.zeros((AGENTS, Q))
LAZY = hg.networks.erdos_renyi(AGENTS, 0.4, seed=2, weights="lazy-metropolis")  # l_2 = .94, l_n = .38


@cache
def world(share: str) -> World:
    """The noisy quadratics of the laws, with the samples of a key that is split into an upper and a lower one."""
    return quadratic_world(quadratic_problem(share).oracles, soba_noise(SEED, ROUNDS, AGENTS, P, Q, NOISE))


@cache
def in_turn_world(share: str) -> World:
    """The same with the samples of an upper key that is split in two, for dx f and dy f and for second derivatives."""
    return quadratic_world(quadratic_problem(share).oracles, quadratic_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE))


def rounds_of(algorithm: Any, share: str, network: Any = NETWORK) -> Any:
    """The states after each of the first 200 rounds on the noisy quadratics of the laws."""
    return trajectory(REFERENCE, algorithm, quadratic_problem(share), network, range(1, ROUNDS + 1), seed=SEED)


def same_rounds(states: Any, points: Any) -> None:
    """Asserts that x, y and z of every agent after every round are the transcription's, to 1e-9."""
    for name, expected in zip("xyz", points, strict=True):
        np.testing.assert_allclose(getattr(states, name), expected, rtol=0, atol=1e-9)
    assert np.abs(points[0][-1]).max() > 0.1
    assert np.ptp(points[0][-1], axis=0).max() > 1e-3  # heterogeneous agents


def distance(algorithm: Any, share: str, rounds: int, network: Any = NETWORK, **more: Any) -> float:
    """How far x of the agents ends from the closed form without noise, at most."""
    problem = quadratic_problem(share, noise=0.0, **more)
    x = final(REFERENCE, algorithm, problem, network, rounds).x
    return float(np.abs(x - solution(problem).x).max())


def order(biases: list[float]) -> list[float]:
    """The orders of a bias from each step to its half."""
    return [float(v) for v in np.log2(np.divide(biases[:-1], biases[1:]))]
