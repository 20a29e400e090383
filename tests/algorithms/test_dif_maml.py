"""Dif-MAML against its transcription, fed the same noise."""

import numpy as np
import pytest

import hypergossip as hg
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, quadratic_problem
from laws.running import trajectory
from laws.table import REFERENCE
from numpy_methods.dif_maml import dif_maml, inner_step_draws

ROUNDS, SEED = 50, 11
RANDOM = np.random.default_rng(1)
X0, Y0 = RANDOM.standard_normal((AGENTS, P)), RANDOM.standard_normal((AGENTS, Q))  # heterogeneous, and cold every round
NUMBERS = {
    "constants": ((0.06, 0.2), (lambda t: 0.06, lambda t: 0.2)),
    "schedules": ((hg.PowerDecay(0.3, 2.0, 1 / 3), 0.2), (lambda t: 0.3 * (2 + t) ** (-1 / 3), lambda t: 0.2)),
}


@pytest.mark.parametrize("numbers", NUMBERS)
def test_fed_the_same_noise_it_is_its_transcription(numbers):
    given, by_hand = NUMBERS[numbers]
    problem = quadratic_problem("upper")
    state = trajectory(REFERENCE, hg.DifMAML(*given), problem, NETWORK, range(1, ROUNDS + 1), seed=SEED, x=X0, y=Y0)
    draws = inner_step_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE)
    points = dif_maml(problem.oracles, draws, NETWORK.mixing.toarray(), X0, Y0, ROUNDS, *by_hand)
    np.testing.assert_allclose(state.x, points[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(state.y, points[1], rtol=0, atol=1e-9)
    assert np.ptp(points[0][-1], axis=0).max() > 1e-2  # the agents differ


def test_an_inner_step_that_diverges_and_a_shared_lower_level_are_refused():
    for algorithm, share, sentence in (
        (hg.DifMAML(0.1, 3.0), "upper", "diverge"),
        (hg.DifMAML(0.1, 0.1), "both", "shares"),
    ):
        with pytest.raises(ValueError, match=sentence):
            hg.solve(algorithm, quadratic_problem(share), NETWORK, rounds=1)
