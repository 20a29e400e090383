"""The parts of the study of continuous actions, small."""

import numpy as np
from studies.continuous_spread import AGENTS, Outcome, learn, spread


def test_a_short_run_and_its_gain():
    outcome = learn(spread(widths=(3,), horizon=3, episodes=1, test_episodes=2), rounds=2, seeds=1)
    assert outcome.before.shape == outcome.after.shape == (1,)
    assert np.all(np.isfinite(outcome.after))
    assert outcome.samples == 2 * 2 * 3
    assert 0.4 < outcome.deviations[0] < 0.6  # near the initial one
    assert spread().agents == AGENTS
    assert Outcome(np.array([-8.0, -6.0]), np.array([-5.0, -4.0]), 1, np.ones(2)).gain == 2.5
