"""Dif-MAML against its transcription, fed the same noise."""

import numpy as np
import pytest

import hypergossip as hg
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, quadratic_problem
from laws.transcribed import ROUNDS, SEED, run, same
from numpy_methods.dif_maml import dif_maml, inner_step_draws

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
    draws = inner_step_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE)
    points = dif_maml(problem.oracles, draws, NETWORK.mixing.toarray(), X0, Y0, ROUNDS, *by_hand)
    same(run(hg.DifMAML(*given), problem, x=X0, y=Y0), points, X0, apart=1e-2)


def test_an_inner_step_that_diverges_is_refused():
    with pytest.raises(ValueError, match="diverge"):
        hg.solve(hg.DifMAML(0.1, 3.0), quadratic_problem("upper"), NETWORK, rounds=1)
