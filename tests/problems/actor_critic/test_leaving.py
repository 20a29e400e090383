"""Agents that leave before the others, and an environment's own time limit that it reports as a termination."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_environment import HORIZON, LATE, Plain, changed, refused

import hypergossip as hg
from hypergossip.problems.actor_critic import FullyConnected, actor_critic, from_parallel
from hypergossip.problems.actor_critic.rollout import rollout

KEY = jax.random.key(0)


class Leaver(Plain):
    """Agent "a" is over at step `at`; the actions are part of what is seen, so that they must arrive."""

    at, late, by = 3, 0, "over"  # how many steps later it leaves the list, and by which flag
    last = 6  # when "b" is over

    def step(self, actions):
        assert set(actions) == set(self.agents)
        self.t += 1
        self.place = self.place + self.generator.random(2)
        there = self.agents
        tell = lambda value: {name: value(name) for name in there}
        ends = {"a": self.t >= self.at, "b": self.t == self.last}
        answer = (
            tell(lambda name: self.place + actions[name]),
            tell(lambda name: 1.0 + actions[name]),
            tell(lambda name: ends[name] and (name == "b" or self.by == "over")),
            tell(lambda name: ends[name] and name == "a" and self.by == "cut"),
            tell(lambda name: {}),
        )
        gone = {"a": self.t >= self.at + self.late, "b": self.t == self.last}
        self.agents = [name for name in there if not gone[name]]
        return answer


class Silent(Leaver):
    """It is only missing in the list, and its last answer has no entry for it."""

    def step(self, actions):
        observations, rewards, terminations, truncations, infos = super().step(actions)
        answer = observations, rewards, dict(terminations, a=False), truncations, infos
        if self.t == self.at:
            for part in answer:
                part.pop("a", None)
        elif self.t > self.at:
            answer[2].pop("a")
        return answer


def episode(game, actions=1, steps=HORIZON):
    def body(state, _):
        after, *outcome = game.step(state, jnp.full(game.agents, actions))
        return after, (after, *outcome)

    first = game.reset(KEY)
    _, seen = jax.jit(lambda state: jax.lax.scan(body, state, length=steps))(first)
    return first, *seen


@pytest.mark.parametrize("by", ["over", "cut"])
@pytest.mark.parametrize("late", [0, 1, 2])
def test_the_others_play_on(by, late):
    game = from_parallel(type("One", (Leaver,), {"by": by, "late": late}), horizon=HORIZON)
    first, states, rewards, terminated, truncated = episode(game)
    assert first.allowed.all()
    np.testing.assert_array_equal(rewards[:6], [[2, 2]] * 3 + [[0, 2]] * 3)
    assert np.all(states.observations[:2] > 0)
    assert not np.any(states.observations[2:5, 0])
    assert np.all(states.observations[2:5, 1] > 0)
    np.testing.assert_array_equal(states.allowed[2, :, :], [[True, False, False], [True, True, True]])
    assert (np.flatnonzero(terminated).tolist(), np.flatnonzero(truncated)[0]) == ([5], HORIZON - 1)


def test_an_agent_that_goes_without_a_word_has_no_last_reward():
    _, states, rewards, terminated, _ = episode(from_parallel(Silent, horizon=HORIZON))
    np.testing.assert_array_equal(rewards[:6], [[2, 2]] * 2 + [[0, 2]] * 4)
    assert not np.any(states.observations[2:5, 0])
    assert terminated[5]


def test_an_agent_may_leave_late_and_a_replay_gives_the_same():
    game = from_parallel(type("Late", (Leaver,), {"at": LATE, "last": HORIZON}), horizon=HORIZON, live=1)
    states = [game.reset(KEY)]
    for _ in range(LATE + 1):
        states.append(game.step(states[-1], jnp.ones(2, int))[0])
    again, rewards, *_ = game.step(states[-2], jnp.ones(2, int))
    jax.tree.map(np.testing.assert_array_equal, again, states[-1])
    np.testing.assert_array_equal(rewards, [0, 2])


def problem_of(environment, **options):
    net = FullyConnected((3,))
    game = from_parallel(environment, horizon=8, **options)
    return actor_critic(game, actor=net, critic=net, reward_model=False, episodes=2, test_episodes=2, entropy=0.1)


def test_after_it_has_left_an_agent_adds_nothing_to_its_gradient():
    problem = problem_of(Leaver)
    x, y = problem.x0, problem.y0
    agent, form = problem.agent(0), problem.oracles.form
    played = agent.play(x, KEY)
    log = form.policy(x, played.inputs, played.allowed)
    left = np.asarray(played.seen.alive).copy()
    left[:3] = False
    assert (left.sum(), played.seen.alive.sum()) == (6, 12)
    assert not np.any(log[..., 0][left])
    assert not np.any(np.exp(log[..., 1:])[left])
    values = form.values(form.lower_space.unravel(y)["critic"], played.seen.states)
    differences = played.rewards + form.discount * jnp.where(played.seen.over, 0.0, values[1:]) - values[:-1]

    def expected(x):  # over the three steps that it plays, without any mask
        log = form.policy(x, played.inputs[:3])
        chosen = jnp.take_along_axis(log, played.actions[:3, :, None], axis=-1)[..., 0]
        terms = differences[:3] * chosen - 0.1 * jnp.sum(jnp.exp(log) * log, axis=-1)
        return -jnp.sum(terms) / 12.0

    np.testing.assert_allclose(agent.upper_gradients(x, y, KEY)[0], jax.grad(expected)(x), rtol=1e-9, atol=1e-12)


def test_a_method_runs_on_it():
    slam = hg.Slam(0.1, 0.05, 1.0, 1.0, hg.Direct())
    result = hg.solve(slam, problem_of(Leaver), hg.networks.complete(2), rounds=2)
    assert np.all(np.isfinite(result.history["return"]))


def test_without_leavers_the_masks_change_nothing():
    slam, run = hg.Slam(0.1, 0.05, 1.0, 1.0, hg.Direct()), hg.networks.complete(2)
    one, other = (hg.solve(slam, problem_of(Plain, leaving=leaving), run, rounds=2).x for leaving in (True, False))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), one, other)
    assert from_parallel(Plain, horizon=8, leaving=False).reset(KEY).allowed is None


def test_test_episodes_take_turns():
    """With the same actions as side by side, and without any replay."""
    steps, returns = [], []

    class Counted(Leaver):
        def step(self, actions):
            steps.append(self.t)
            return super().step(actions)

    net = FullyConnected((3,))
    for live in (64, 5, 2, 1):
        game = from_parallel(Counted, horizon=8, live=live)
        problem = actor_critic(game, actor=net, critic=net, reward_model=False, episodes=2, test_episodes=5)
        steps.clear()
        x = jnp.stack([problem.x0, problem.x0 + 1])
        seen = jax.jit(lambda x, problem=problem: problem.together["return"].play(problem.oracles, x))(x)
        returns.append(jax.block_until_ready(seen))
        assert len(steps) == 5 * 6
    for other in returns[1:]:
        jax.tree.map(np.testing.assert_array_equal, other, returns[0])


def test_a_time_limit_that_is_told_as_a_termination_is_a_truncation():
    timed = changed(over=lambda self: self.tell(self.t >= 5))
    for limit, expected in ((None, (True, False)), (5, (False, True)), (6, (True, False))):
        _, _, _, terminated, truncated = episode(from_parallel(timed, horizon=HORIZON, time_limit=limit), steps=5)
        assert (bool(terminated[4]), bool(truncated[4])) == expected
        assert not np.any(terminated[:4] | truncated[:4])


def test_the_values_go_on_at_a_time_limit():
    timed = changed(over=lambda self: self.tell(self.t >= 5), remaining=lambda self: [] if self.t >= 5 else self.agents)
    gradients = []
    for limit in (None, 5):
        problem = problem_of(timed, time_limit=limit)
        assert bool(problem.agent(0).play(problem.x0, KEY).seen.over.any()) == (limit is None)
        gradients.append(problem.agent(0).lower_gradient(problem.x0, problem.y0, KEY))
    assert not np.allclose(*gradients)


def test_options_that_are_none():
    refused("leaving is 1; give True or False", Plain, leaving=1)
    refused("pad is None; give True or False", Plain, pad=None)
    refused("time_limit is 0", Plain, time_limit=0)


def test_an_episode_is_watched_when_test_episodes_take_turns():
    net, steps = FullyConnected((3,)), []

    class Counted(Leaver):
        def step(self, actions):
            steps.append(self.t)
            return super().step(actions)

    game = from_parallel(Counted, horizon=8, live=2)
    problem = actor_critic(game, actor=net, critic=net, reward_model=False, episodes=2, test_episodes=5)
    x = jnp.stack([problem.x0, problem.x0 + 1])
    seen = problem.together["return"].play(problem.oracles, x)
    steps.clear()
    watched = rollout(problem, jax.vmap(problem.upper.unravel)(x), 3)
    assert len(steps) <= 6 * 6  # the test episodes and this one again, from its start to its end
    np.testing.assert_array_equal(watched.rewards, seen.rewards[:6, 3])
    np.testing.assert_array_equal(watched.states.whole, seen.states[:7, 3])
