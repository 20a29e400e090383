"""How a run is held against its transcription: after every round, every agent, on the same samples."""

from functools import cache
from typing import Any

import numpy as np
import pytest

import hypergossip as hg
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, logistic_data, logistic_problem
from laws.running import trajectory
from laws.table import REFERENCE
from numpy_methods.draws import batches, quadratic_draws
from numpy_methods.logistic import Rows, logistic_world
from numpy_methods.quadratic import quadratic_world
from numpy_methods.single_loop_draws import inner_noise
from numpy_methods.slam import Scales
from numpy_methods.world import World

ROUNDS, SEED, SIZE, LIPSCHITZ = 50, 11, 4, 9.0
NETWORKS = {1: hg.networks.single(), 5: hg.networks.ring(5)}
alone_and_together = pytest.mark.parametrize("agents", NETWORKS)
X0, Y0 = np.array([0.3, -0.2]), np.array([0.5, -0.4, 0.1])  # where `logistic_problem` starts
ZEROS = np.zeros((AGENTS, P)), np.zeros((AGENTS, Q))


def run(algorithm: Any, problem: Any, network: Any = NETWORK, **starts: Any) -> Any:
    """Returns the states after every round."""
    return trajectory(REFERENCE, algorithm, problem, network, range(1, ROUNDS + 1), seed=SEED, **starts)


def same(state: Any, points: Any, start: Any = 0.0, atol: float = 1e-9, apart: float = 0.0) -> None:
    """Asserts that x, y and where it is given z of every agent after every round are the points.

    Args:
        state: The library's states.
        points: The transcription's x, y and z.
        start: Where x started; it ends elsewhere.
        atol: The tolerance.
        apart: How far apart the agents end at least.
    """
    for name, expected in zip("xyz", points):
        np.testing.assert_allclose(getattr(state, name), expected, rtol=0, atol=atol)
        assert np.ptp(expected[-1], axis=0).max() >= apart, name
    assert np.abs(points[0][-1] - start).max() > 0.05


@cache
def noise() -> Any:
    """The noise of one upper and one lower sample a round, for the quadratics of the laws."""
    return quadratic_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE)


@cache
def noise_of_inner_steps() -> Any:
    """The noise of up to eight inner steps a round."""
    return inner_noise(SEED, ROUNDS, AGENTS, Q, NOISE, 8)


def inner_gradient(world: World) -> Any:
    """Returns the gradient of `world` with the sample of an inner step."""
    return lambda t, i, s, x, y: world.full_lower_gradient(i, x, y) + noise_of_inner_steps()[t, i, s]


def noisy_world(problem: Any, draws: Any = None, series: Any = None) -> World:
    """Returns quadratics whose gradients carry the noise that the library draws."""
    return quadratic_world(problem.oracles, noise() if draws is None else draws, series)


def slam_scales(algorithm: Any, share: str) -> Scales:
    """Returns SLAM's numbers as its transcriptions take them."""
    steps = [lambda r, step=step: 1 / step for step in (algorithm.upper_step, algorithm.lower_step)]
    return Scales(*steps, algorithm.gamma, algorithm.rho, upper=share != "lower", lower=share != "upper")


class Batches:
    """A logistic regression of heterogeneous agents on batches: the library's run, and what a transcription takes."""

    def __init__(self, agents: int) -> None:
        self.data = logistic_data(agents, ragged=True)
        self.problem = logistic_problem("upper", agents, batch_size=SIZE, ragged=True)
        self.counts = [np.array([len(agent["b"]) for agent in level]) for level in self.data]
        self.network = NETWORKS[agents]
        self.rest = (self.network.mixing.toarray(), np.tile(X0, (agents, 1)), np.tile(Y0, (agents, 1)), ROUNDS)

    def world(self, rows: Rows, series: Any = None) -> World:
        return logistic_world(*self.data, rows, series)

    def world_of_estimators(self, terms: int | None = None) -> World:
        """Returns the rows of eq. 4 or eq. 5, as every estimator splits its key, and others for dy g."""
        rows = batches(SEED, ROUNDS, *self.counts, SIZE, terms)
        return self.world(rows, None if terms is None else (terms, LIPSCHITZ))

    def run(self, algorithm: Any) -> Any:
        return run(algorithm, self.problem, self.network)
