"""PettingZoo either way: its own tests pass ours, and theirs are functions of arrays with us."""

import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from mpe2 import simple_spread_v3, simple_tag_v3
from pettingzoo import ParallelEnv

from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.navigation import NavigationState, navigation
from hypergossip.problems.actor_critic.parallel import as_parallel, pettingzoo_modules
from hypergossip.problems.actor_critic.pettingzoo_environments import from_parallel

with warnings.catch_warnings():  # of environments of its own that PettingZoo makes in the old way
    warnings.filterwarnings("ignore", "The old environment creation API", DeprecationWarning)
    from pettingzoo.test import parallel_api_test, parallel_seed_test


@pytest.mark.parametrize("rewards", ["mpe2", "assigned"])
def test_pettingzoos_own_tests_pass_ours(rewards):
    parallel_api_test(as_parallel(navigation(3, rewards=rewards, horizon=9)), num_cycles=40)
    parallel_seed_test(lambda: as_parallel(navigation(3, rewards=rewards)), num_cycles=10)


def test_ours_plays_the_same_game_through_pettingzoo():
    game = navigation(2, horizon=4)
    environment = as_parallel(game, seed=3)
    seen, infos = environment.reset(seed=7)
    state = game.reset(jax.random.split(jax.random.key(7))[1])
    assert infos == {"agent_0": {}, "agent_1": {}}
    assert environment.state_space.contains(environment.state())
    for t in range(1, 5):
        for i, agent in enumerate(environment.agents):
            assert environment.observation_space(agent).contains(seen[agent])
            np.testing.assert_allclose(seen[agent], game.observe(state)[i], atol=1e-14)
        np.testing.assert_allclose(environment.state(), game.global_state(state), atol=1e-14)
        state, rewards, _, _ = game.step(state, jnp.asarray([t, 0]))
        seen, gained, ended, cut, _ = environment.step({"agent_0": t, "agent_1": 0})
        np.testing.assert_allclose(list(gained.values()), rewards, atol=1e-14)
        assert ended == {"agent_0": False, "agent_1": False}
        assert cut == {"agent_0": t == 4, "agent_1": t == 4}
    assert environment.agents == []
    assert environment.step({}) == ({}, {}, {}, {}, {})


def test_seeds_begin_episodes_and_none_goes_on():
    first, second, third = as_parallel(navigation(2)), as_parallel(navigation(2)), as_parallel(navigation(2), seed=1)
    starts = [environment.reset()[0]["agent_0"] for environment in (first, first, second, third)]
    np.testing.assert_array_equal(starts[0], starts[2])
    assert not np.array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[3])
    np.testing.assert_array_equal(first.reset(seed=5)[0]["agent_1"], third.reset(seed=5)[0]["agent_1"])


def test_wrong_calls_of_ours_get_advice():
    environment = as_parallel(navigation(2))
    with pytest.raises(RuntimeError, match="before the first reset"):
        environment.step({"agent_0": 0, "agent_1": 0})
    with pytest.raises(RuntimeError, match="before the first reset"):
        environment.state()
    environment.reset()
    for actions in ({"agent_0": 0}, {"agent_0": 0, "agent_1": 5}):
        with pytest.raises(ValueError, match=r"agent_1 .* every agent in every step, an integer from 0 to 4"):
            environment.step(actions)


def test_without_pettingzoo_there_is_advice(monkeypatch):
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'hypergossip\[games\]'"):
        pettingzoo_modules()


class Walk(ParallelEnv):
    """Two agents on a line from a seeded start; at 6 the game is won, and after 12 steps it is cut."""

    made = steps = 0

    def __init__(self, spaces=None):
        Walk.made += 1
        self.metadata, self.possible_agents = {"name": "walk"}, ["left", "right"]
        self.spaces = spaces or {name: Discrete(3, start=-1) for name in self.possible_agents}

    def observation_space(self, agent):
        return self.spaces.get("seen", Box(-100, 100, (2, 1), np.float32))

    def action_space(self, agent):
        return self.spaces[agent]

    def reset(self, seed=None, options=None):
        self.agents, self.time = self.possible_agents[:], 0
        self.place = np.random.default_rng(seed).integers(-1, 2, 2).astype(float)
        return self.told(), {}

    def told(self):
        return {name: self.place[:, None] * [1, -1][i] for i, name in enumerate(self.possible_agents)}

    def state(self):
        return np.array([*self.place, self.time])

    def step(self, actions):
        Walk.steps += 1
        assert self.agents
        self.place = self.place + [actions[name] for name in self.possible_agents]
        self.time += 1
        won, cut = bool((self.place >= 6).any()), self.time == 12
        self.agents = [] if won or cut else self.agents
        each = lambda value: dict.fromkeys(self.possible_agents, value)
        return self.told(), {"left": self.place[0], "right": self.place[1]}, each(won), each(cut), each({})


@pytest.fixture
def counted():
    Walk.made = Walk.steps = 0
    return Walk


WHOLE = {"horizon": 15, "whole": lambda environment: environment.state()}
RIGHT, STAY = jnp.asarray([2, 2]), jnp.asarray([1, 1])


def test_going_on_costs_one_step_and_going_back_replays(counted):
    game = from_parallel(Walk, live=2, **WHOLE)
    Walk.steps = 0  # apart from those that try the environment
    assert isinstance(game, Game)
    assert (game.agents, game.actions, game.horizon) == (2, 3, 15)
    states = [game.reset(jax.random.key(0))]
    for _ in range(4):
        states.append(game.step(states[-1], RIGHT)[0])
    assert Walk.steps == 4
    back, rewards, terminated, truncated = game.step(states[1], RIGHT)
    assert Walk.steps == 4 + 2
    jax.tree.map(np.testing.assert_array_equal, back, states[2])
    np.testing.assert_array_equal(rewards, np.asarray(back.whole)[:2])
    assert not terminated
    assert not truncated
    other, *_ = game.step(states[1], STAY)
    np.testing.assert_array_equal(other.whole, [*np.asarray(states[1].whole)[:2], 2])
    assert Walk.made == 2
    np.testing.assert_array_equal(game.observe(other)[1, :, 0], -other.whole[:2])


def test_whole_episodes_side_by_side_in_one_compiled_program(counted):
    game = from_parallel(Walk, **WHOLE)
    Walk.steps = 0

    @jax.jit
    def episode(key):
        def body(state, _):
            state, rewards, terminated, truncated = game.step(state, RIGHT)
            return state, (state.whole, rewards, terminated, truncated)

        return jax.lax.scan(body, game.reset(key), length=15)

    keys = jax.random.split(jax.random.key(1), 5)
    _, (wholes, rewards, terminated, _) = jax.vmap(episode)(keys)
    steps = Walk.steps
    for k, key in enumerate(keys):
        start = np.asarray(game.reset(key).whole)
        end = int(6 - start[:2].max())  # steps to the first at 6
        expected = start + np.arange(1, end + 1)[:, None]
        np.testing.assert_array_equal(wholes[k, :end], expected)
        np.testing.assert_array_equal(rewards[k, :end], expected[:, :2])
        np.testing.assert_array_equal(np.flatnonzero(terminated[k]), [end - 1])
        assert not np.any(rewards[k, end:])
        steps -= end
    assert steps == 0  # each was played once


def test_the_horizon_truncates_and_so_does_the_environment(counted):
    ends = []
    for horizon in (5, 15):
        game = from_parallel(Walk, horizon=horizon)
        state, cuts = game.reset(jax.random.key(0)), []
        for _ in range(horizon):
            state, _, _, truncated = game.step(state, STAY)
            cuts.append(bool(truncated))
        ends.append(cuts.index(True) + 1)
        assert game.global_state(state).shape == (4,)
    assert ends == [5, 12]


def test_a_program_may_be_differentiated_around_it(counted):
    game = from_parallel(Walk, **WHOLE)

    def loss(slope):
        state = game.reset(jax.random.key(0))
        choice = jnp.broadcast_to(jnp.argmax(slope * jnp.arange(3.0)), (2,))
        _, rewards, *_ = game.step(state, choice)
        return slope * jnp.sum(rewards)

    start = from_parallel(Walk, **WHOLE).reset(jax.random.key(0)).whole
    assert jax.grad(loss)(1.0) == jnp.sum(start[:2]) + 2


def test_mpe2s_navigation_as_a_game_is_ours():
    """At mpe2's float32, in which it tells its observations."""
    agents = 3
    theirs, ours = from_parallel(lambda: simple_spread_v3.parallel_env(N=agents), horizon=25), navigation(agents)
    assert (theirs.actions, theirs.agents) == (ours.actions, ours.agents)
    state = theirs.reset(jax.random.key(4))
    seen = np.asarray(theirs.observe(state))
    landmarks = seen[0, 4 : 4 + 2 * agents].reshape(agents, 2) + seen[0, 2:4]
    mine = NavigationState(*map(jnp.asarray, (seen[:, 2:4], seen[:, :2], landmarks)), jnp.zeros((), jnp.int32))
    moves = jax.random.randint(jax.random.key(5), (25, agents), 0, 5)
    played = lambda game, state: jax.lax.scan(lambda state, move: game.step(state, move)[:2], state, moves)
    (last, gained), (end, rewards) = played(theirs, state), played(ours, mine)
    np.testing.assert_allclose(rewards, gained, atol=1e-4)
    np.testing.assert_allclose(ours.observe(end), theirs.observe(last), atol=1e-4)
    assert last.over


@pytest.mark.parametrize(
    ("spaces", "advice"),
    [
        ({"left": Discrete(3), "right": Discrete(2)}, "the same Discrete actions"),
        ({"left": Discrete(3), "right": Discrete(2)}, r"are Discrete\(3\) for left, Discrete\(2\) for right, but"),
        ({"left": Discrete(2), "right": Discrete(2), "seen": Discrete(2)}, "a Box of the same shape"),
        ({"left": Discrete(2), "right": Discrete(2), "seen": Discrete(2)}, r"\(2\) for 2 agents such as left; "),
    ],
)
def test_spaces_that_do_not_fit_get_advice(spaces, advice):
    with pytest.raises(ValueError, match=advice):
        from_parallel(lambda: Walk(spaces=spaces), horizon=3)


def test_many_agents_with_different_spaces_are_grouped_in_one_line():
    groups = r"a Box of shape \(16,\) for 3 agents such as adversary_0, a Box of shape \(14,\) for agent_0, "
    with pytest.raises(ValueError, match=groups) as caught:
        from_parallel(simple_tag_v3.parallel_env, horizon=25)
    assert "\n" not in str(caught.value)
