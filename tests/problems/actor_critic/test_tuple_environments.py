"""Gymnasium environments whose agents have a place in tuples."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, Tuple
from plain_environment import Plain

import hypergossip as hg
from hypergossip.problems.actor_critic import FullyConnected, actor_critic, from_tuples

KEY = jax.random.key(0)


class Pair(gymnasium.Env):
    """Two agents who sum their actions, until the fifth step, which it tells as a termination."""

    closed, single = 0, True

    def __init__(self):
        self.action_space = Tuple([Discrete(3), Discrete(2)])
        self.observation_space = Tuple([Box(-99, 99, (2,)), Box(-99, 99, (1,))])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time, self.sums = 0, self.np_random.random(2)
        return self.seen(), {}

    def seen(self):
        return np.array([self.sums[0], self.time]), self.sums[1:]

    def step(self, actions):
        self.time, self.sums = self.time + 1, self.sums + actions
        over = self.time == 5
        return self.seen(), list(self.sums), over if self.single else [over] * 2, False, {}

    def close(self):
        Pair.closed += 1


@pytest.mark.parametrize("single", [True, False])
def test_tuples_are_agents(single):
    make = type("One", (Pair,), {"single": single})
    game = from_tuples(make, horizon=9, pad=True, whole=lambda one: one.sums)
    state = game.reset(KEY)
    start = np.asarray(state.whole)
    assert (game.names, game.actions) == (("agent_0", "agent_1"), 3)
    np.testing.assert_allclose(game.observe(state), [[start[0], 0], [start[1], 0]], rtol=1e-12)
    for time in range(1, 6):
        state, rewards, terminated, truncated = game.step(state, jnp.array([2, 1]))
        np.testing.assert_allclose(rewards, start + np.array([2 * time, time]), rtol=1e-12)
        assert (bool(terminated), bool(truncated)) == (time == 5, False)
    limited = from_tuples(make, horizon=9, pad=True, time_limit=5)
    state = limited.reset(KEY)
    for time in range(1, 6):
        state, _, terminated, truncated = limited.step(state, jnp.array([2, 1]))
        assert (bool(terminated), bool(truncated)) == (False, time == 5)


def test_a_method_runs_on_tuples():
    net = FullyConnected((3,))
    game = from_tuples(Pair, horizon=6, pad=True)
    problem = actor_critic(game, actor=net, critic=net, reward_model=False, episodes=1, test_episodes=1)
    slam = hg.Slam(0.1, 0.05, 1.0, 1.0, hg.Direct())
    result = hg.solve(slam, problem, hg.networks.complete(2), rounds=1)
    assert np.all(np.isfinite(result.history["return"]))


class Alone(Pair):
    def __init__(self):
        super().__init__()
        self.action_space = Discrete(3)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Alone, r"makes one of type Alone, and its action_space is Discrete\(3\); use from_parallel for a"),
        (Plain, "makes one of type Plain, and it has no action_space; use from_parallel"),
        (Alone(), r"was given one of type Alone; write `lambda: ...`"),
        (lambda: None, "makes one of type NoneType, and it has no action_space"),
    ],
)
def test_what_has_no_tuples(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_tuples(make, horizon=3)


def test_closing_reaches_the_environment():
    Pair.closed = 0
    with pytest.raises(ValueError, match="give pad=True"):
        from_tuples(Pair, horizon=3)
    assert Pair.closed == 1
