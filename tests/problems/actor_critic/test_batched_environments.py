"""Batches of environments, in which one call plays a step of all episodes: the same episodes as one by one."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from plain_environment import Plain

import hypergossip as hg
from hypergossip.problems.actor_critic import FullyConnected, actor_critic, from_parallel, from_vmas
from hypergossip.problems.actor_critic.batched_environments import BatchedEnvironments
from hypergossip.problems.actor_critic.pettingzoo_environments import ParallelGame
from hypergossip.support.extras import MissingExtra

KEY, HORIZON = jax.random.key(0), 7
ACTS = {"a": Box(0, 2, (2,)), "b": Box(-1, 1, (1,))}


class Walks:
    """Two agents push a place in the plane, each with its own actions, until it is far from 0."""

    names, calls, discrete = ("a", "b"), [], False

    def __init__(self, episodes):
        self.metadata, self.episodes = {"name": "walks"}, episodes

    def action_space(self, agent):
        return Discrete(3, start=-1) if self.discrete else ACTS[agent]

    def observation_space(self, agent):
        return Box(-9, 9, (2,))

    def reset(self, seeds):
        assert len(seeds) == self.episodes
        self.calls.append("reset")
        self.place = np.stack([np.random.default_rng(seed).normal(size=2) for seed in seeds])
        return [self.place, -self.place]

    def step(self, actions):
        self.calls.append("step")
        self.place = (
            self.place + sum(np.asarray(each, float).reshape(self.episodes, -1).mean(1) for each in actions)[:, None]
        )
        rewards = np.stack([self.place[:, 0], self.place.sum(axis=1)], axis=1)
        return [self.place, -self.place], rewards, np.abs(self.place).max(axis=1) > 4


class Walk(Plain):
    """One of the episodes as an environment of its own."""

    batch = Walks
    action_space = lambda self, agent: self.batch.action_space(self.batch, agent)
    observation_space = lambda self, agent: Box(-9, 9, (2,))

    def named(self, values):
        return dict(zip("ab", values, strict=True))

    def reset(self, seed=None, options=None):
        self.agents, self.inner = ["a", "b"], self.batch(1)
        return self.named(part[0] for part in self.inner.reset([seed])), {}

    def step(self, actions):
        seen, rewards, over = self.inner.step([np.asarray(actions[name])[None] for name in "ab"])
        self.agents = [] if over[0] else self.agents
        return self.named(part[0] for part in seen), self.named(rewards[0]), self.tell(over[0]), self.tell(False), {}


def batched(batch=Walks, most=64, kept=4):
    table = BatchedEnvironments(batch, HORIZON, most, kept, True)
    return ParallelGame(2, table.form.spaces.acting.actions, HORIZON, table)


def problem_of(game):
    net = FullyConnected((3,))
    return actor_critic(game, actor=net, critic=net, reward_model=False, episodes=6, test_episodes=9)


def played(problem):
    """Training and test episodes, without what has no meaning after their ends, and one agent's gradients."""
    x = jnp.stack([problem.x0, problem.x0 + 0.2])

    @jax.jit
    def run(x):
        agent, tests = problem.agent(0), problem.together["return"].play(problem.oracles, x)
        training = agent.play(x[0], KEY).seen
        parts = [(seen.alive, seen.over, seen.rewards) for seen in (training, tests)]
        return parts, agent.upper_gradients(x[0], problem.y0, KEY)[0], agent.lower_gradient(x[0], problem.y0, KEY)

    return run(x)


@pytest.mark.parametrize(("discrete", "most", "kept"), [(False, 64, 4), (True, 4, 1)])
def test_the_episodes_are_those_of_single_environments(discrete, most, kept):
    batch = type("Own", (Walks,), {"discrete": discrete, "calls": []})
    single = problem_of(from_parallel(type("One", (Walk,), {"batch": batch}), horizon=HORIZON, pad=True, leaving=False))
    one, other = played(single), played(problem_of(batched(batch, most, kept)))
    ends = np.asarray(one[0][1][0]).sum(axis=0)  # of the test episodes
    assert ends.min() < HORIZON == ends.max()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), one, other)


def test_one_call_plays_a_step_of_all_episodes():
    batch = type("Own", (Walks,), {"calls": []})
    problem = problem_of(batched(batch))
    batch.calls.clear()
    seen = jax.jit(lambda x: problem.agent(0).play(x, KEY))(problem.x0).seen
    steps = int(np.asarray(seen.alive).any(axis=1).sum())  # none is played when all episodes are over
    assert (batch.calls.count("reset"), batch.calls.count("step")) == (1, steps)


def test_states_of_different_times_are_played_on():
    game = batched(kept=1)
    actions = 0.1 * jnp.arange(8.0).reshape(2, 2, 2)
    first = jax.vmap(game.reset)(jax.random.split(KEY, 2))
    one = jax.tree.map(lambda leaf: leaf[0], first)
    ahead, *_ = game.step(one, actions[0])
    both = jax.tree.map(lambda a, b: jnp.stack([a, b[1]]), ahead, first)
    after, rewards, *_ = jax.jit(jax.vmap(game.step))(both, actions)
    again, gained, *_ = game.step(game.step(one, actions[0])[0], actions[0])
    np.testing.assert_array_equal(after.whole[0], again.whole)
    np.testing.assert_array_equal(rewards[0], gained)
    np.testing.assert_array_equal(after.time, [2, 1])


def test_an_episode_that_depends_on_the_others_is_refused():
    class Shared(Walks):
        def reset(self, seeds):
            generator = np.random.default_rng(seeds[0])
            self.place = generator.normal(size=(self.episodes, 2))
            return [self.place, -self.place]

    class Noisy(Walks):
        def step(self, actions):
            self.place = self.place + np.random.default_rng(len(self.place)).normal(size=self.place.shape)
            return super().step(actions)

    for wrong, time in ((Shared, 0), (Noisy, 1)):
        with pytest.raises(ValueError, match=f"the seed of an episode of walks does not determine it.* at step {time}"):
            batched(wrong)


@pytest.mark.parametrize(("place", "what"), [(0, "observation"), (1, "reward")])
def test_numbers_that_are_not_finite_are_refused_at_their_source(place, what):
    class Wrong(Walks):
        def step(self, actions):
            answer = super().step(actions)
            answer[place][-1][0] = np.nan  # of the last agent, or of the last episode
            return answer

    with pytest.raises(
        ValueError, match=f"the {what} of agent '[ab]' of walks at step 1 of the episode .* contains nan"
    ):
        batched(Wrong)


def test_errors_have_a_place():
    class Broken(Walks):
        def step(self, actions):
            raise ZeroDivisionError("no")

    with pytest.raises(RuntimeError, match=r"walks raised ZeroDivisionError at step 1 of the episode .*: no"):
        batched(Broken)


def test_a_scenario_of_vmas():
    pytest.importorskip("vmas")
    for options in ({"n_agents": 2}, {"n_agents": 2, "continuous_actions": False}):
        problem = problem_of(from_vmas("balance", horizon=4, options=options))
        slam = hg.Slam(0.1, 0.05, 1.0, 1.0, hg.Direct())
        result = hg.solve(slam, problem, hg.networks.complete(2), rounds=2, check=False)
        assert np.all(np.isfinite(result.history["return"]))


def test_what_from_vmas_refuses(monkeypatch):
    with pytest.raises(ValueError, match="options has max_steps, which the game sets; omit it, and use horizon"):
        from_vmas("balance", horizon=4, options={"max_steps": 3})
    with pytest.raises(ValueError, match="options is 3; give a dict of the scenario's arguments"):
        from_vmas("balance", horizon=4, options=3)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match="a scenario of VMAS needs torch, which is not installed: pip install vmas"):
        from_vmas("balance", horizon=4)
