"""The benchmark of learning in a loop over mpe2 takes the gradients of the library on the episodes that it played."""

import jax
import numpy as np
from benchmarks.game_learning import Recorded

from hypergossip.problems.actor_critic import cooperative_navigation
from hypergossip.problems.actor_critic.oracles import GameOracles


def test_recorded_episodes_give_the_same_gradients():
    problem = cooperative_navigation(2, widths=(4,), reward_model=False)
    critic_key, actor_key = jax.random.split(jax.random.key(0))
    agent = GameOracles(1, problem.oracles.form)
    x, y = problem.x0, problem.y0
    played = [agent.play(x, key).seen for key in (critic_key, actor_key)]
    recorded = Recorded(1, problem.oracles.form, recorded=played)
    lower = recorded.lower_gradient(x, y, critic_key)
    upper, _ = recorded.upper_gradients(x, y, actor_key)
    np.testing.assert_array_equal(lower, agent.lower_gradient(x, y, critic_key))
    np.testing.assert_array_equal(upper, agent.upper_gradients(x, y, actor_key)[0])
    assert np.linalg.norm(lower) > 0
    assert np.linalg.norm(upper) > 0
