"""Environments with continuous actions: units, clipping, padding, agents that leave, replays, and other packages."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Tuple
from plain_environment import HORIZON, Plain, changed, refused
from test_tuple_environments import Pair

import hypergossip as hg
from hypergossip.problems.actor_critic import (
    FullyConnected,
    actor_critic,
    as_parallel,
    from_parallel,
    from_tuples,
    parallel_game,
)
from hypergossip.problems.actor_critic.rollout import rollout

KEY = jax.random.key(0)
RIGHT = Box(np.array([-1.0, 0.0]), np.array([3.0, np.inf]), dtype=np.float64)


class Pushed(Plain):
    """Its place is moved by all that the agents do, and everything that it is handed is recorded."""

    box, taken, resets = RIGHT, [], []

    def action_space(self, agent):
        return self.box

    def reset(self, seed=None, options=None):
        self.resets.append(seed)
        return super().reset(seed)

    def step(self, actions):
        self.taken.append(actions)
        for name in self.agents:
            assert self.action_space(name).contains(actions[name])
        moved = super().step(actions)[1:]
        self.place = self.place + sum(np.sum(action) for action in actions.values())
        return self.seen(), *moved


def fresh(**methods):
    return type("Fresh", (Pushed,), {"taken": [], "resets": []} | methods)


def problem_of(make, **options):
    net = FullyConnected((3,))
    limits = {name: options.pop(name) for name in ("live", "pad", "leaving") if name in options}
    game = from_parallel(make, **{"horizon": 6} | limits)
    options = {"actor": net, "critic": net, "reward_model": False, "episodes": 2, "test_episodes": 5} | options
    return actor_critic(game, **options)


def test_units_are_those_of_the_box_to_which_actions_are_clipped():
    make = fresh()
    game = from_parallel(make, horizon=HORIZON)
    assert (game.continuous, game.actions, game.reset(KEY).history.shape) == (True, 2, (HORIZON, 2, 2))
    assert {action.dtype for actions in make.taken for action in actions.values()} == {np.dtype(float)}
    np.testing.assert_array_equal(game.bounds, [[[-1, 0]] * 2, [[1, np.inf]] * 2])
    given = jnp.array([[0.5, 4.0], [-2.0, -3.0]])
    after, *_ = game.step(game.reset(KEY), given)
    np.testing.assert_array_equal(make.taken[-1]["a"], [2.0, 4.0])
    np.testing.assert_array_equal(make.taken[-1]["b"], [-1.0, 0.0])
    np.testing.assert_array_equal(after.history[0], given)  # not clipped


def test_densities_are_those_of_actions_that_are_not_clipped():
    make = fresh(box=Box(-1, 1, (1,)))
    problem = problem_of(make, initial_std=5.0)
    played = jax.jit(lambda x: problem.agent(0).play(x, KEY))(problem.x0)
    assert np.abs(played.actions).max() > 2
    assert max(np.abs(action).max() for actions in make.taken for action in actions.values()) == 1


def test_a_replay_repeats_the_exact_bits():
    """An action that differs in its last bit is another action, and the same one is not played again."""
    make = fresh()
    game = from_parallel(make, horizon=HORIZON, live=2)
    action = jnp.array([[0.3, 0.1], [0.2, 0.7]])
    near = action.at[0, 0].set(jnp.nextafter(action[0, 0], 1.0))
    state = game.reset(KEY)
    one, other = (game.step(state, each)[0] for each in (action, near))
    make.resets.clear()
    later = game.step(other, action)[0]
    assert not make.resets
    assert not np.array_equal(one.history, other.history)
    again = game.step(game.step(game.reset(KEY), near)[0], action)[0]
    np.testing.assert_array_equal(later.whole, again.whole)
    np.testing.assert_array_equal(later.history, again.history)


def test_episodes_are_the_same_with_fewer_environments():
    many, few = (problem_of(fresh(), live=number) for number in (64, 1))
    x = jnp.stack([many.x0, many.x0 + 0.3])
    tests = [jax.jit(lambda x, one=one: one.together["return"].play(one.oracles, x))(x) for one in (many, few)]
    jax.tree.map(np.testing.assert_array_equal, *tests)
    trained = [jax.jit(lambda x, one=one: one.agent(1).play(x, KEY))(x[0]) for one in (many, few)]
    jax.tree.map(np.testing.assert_array_equal, *trained)
    watched = rollout(few, jax.vmap(few.upper.unravel)(x), 3)
    np.testing.assert_array_equal(watched.actions, tests[0].actions[:, 3])
    np.testing.assert_array_equal(watched.rewards, tests[0].rewards[:, 3])


BOXES = {"a": Box(0, 4, (1,)), "b": Box(-1, 1, (3,))}


def test_unequal_boxes_are_padded_by_coordinates_of_no_effect():
    make = fresh(action_space=lambda self, agent: BOXES[agent])
    problem = problem_of(make, pad=True, entropy=0.1)
    x = problem.x0 + 0.3 * jax.random.normal(KEY, problem.x0.shape)
    natural = hg.NaturalPolicyGradient(iterations=5, length=1.0)

    @jax.jit
    def computed(agent):
        plain = agent.upper_gradients(x, problem.y0, KEY)[0]
        return agent.play(x, KEY), plain, natural(agent, x, problem.y0, KEY)[0]

    for agent, own in ((0, 1), (1, 3)):
        played, *estimates = computed(problem.agent(agent))
        assert np.all(played.actions[..., :own] != 0)
        assert not np.any(played.actions[..., own:])
        for estimate in map(problem.upper.unravel, estimates):
            last = estimate["mean"]["last"]
            for leaf in (last["weights"], last["bias"], estimate["log_std"]):
                assert np.all(np.isfinite(leaf))
                assert np.all(leaf[:own] != 0)
                assert not np.any(leaf[own:])


def test_an_agent_that_has_left_adds_nothing_to_its_gradient():
    class Leaver(fresh()):
        def over(self):
            return {"a": self.t >= 3, "b": False}

        def remaining(self):
            return ["b"] if self.t >= 3 else self.agents

        def step(self, actions):
            assert sorted(actions) == (["a", "b"] if self.t < 3 else ["b"])
            return super().step(actions)

    problem = problem_of(Leaver, entropy=0.1)
    x, agent, form = problem.x0 + 0.2, problem.agent(0), problem.oracles.form
    played, gradient = jax.jit(lambda x: (agent.play(x, KEY), agent.upper_gradients(x, problem.y0, KEY)[0]))(x)
    assert not np.any(played.actions[3:])
    assert np.all(played.actions[:3] != 0)
    values = form.values(form.lower_space.unravel(problem.y0)["critic"], played.seen.states)
    differences = played.rewards + form.discount * values[1:] - values[:-1]

    def expected(x):  # over the three steps that it plays, without any mask
        policy = form.policy(x, played.inputs[:3])
        chosen = form.actor.log_probability(policy, played.actions[:3])
        return -jnp.sum(differences[:3] * chosen + 0.1 * form.actor.entropy(policy)) / 12.0

    np.testing.assert_allclose(gradient, jax.jit(jax.grad(expected))(x), rtol=1e-9, atol=1e-12)


def test_tuples_become_a_game_and_this_an_environment():
    spaces = {"action_space": Tuple([Box(-1, 1, (1,)), Box(-1, 1, (1,))])}

    class Real(Pair):
        def __init__(self):
            super().__init__()
            self.action_space = spaces["action_space"]

        def step(self, actions):
            return super().step(np.concatenate(actions))

    net, game = FullyConnected((3,)), from_tuples(Real, horizon=6, pad=True)
    problem = actor_critic(game, actor=net, critic=net, episodes=1, test_episodes=1)
    played = jax.jit(lambda x: problem.agent(0).play(x, KEY))(problem.x0)
    assert played.actions.shape == (6, 1, 1)
    assert np.all(played.seen.alive.sum(axis=0) == 5)
    environment = as_parallel(game)
    assert environment.action_space("agent_1") == Box(-1, 1, (1,))
    environment.reset(seed=1)
    first = environment.state()[0]
    action = np.ones(1, np.float32)
    assert environment.step({"agent_0": action, "agent_1": action})[1]["agent_0"] == pytest.approx(first + 1)


def test_spaces_that_are_refused():
    mixed = changed(action_space=lambda self, agent: Discrete(3) if agent == "a" else RIGHT)
    for pad in (True, False):
        refused("are Discrete(3) for a, a Box of shape (2,) for b, but a game cannot mix", mixed, pad=pad)
    unequal = changed(action_space=lambda self, agent: BOXES[agent])
    refused("are Box(0.0, 4.0, (1,), float32) for a, Box(-1.0, 1.0, (3,), float32) for b, but", unequal)
    refused("needs the same Box of actions for all agents; give pad=True, which scales each to its bounds", unequal)
    for space in (MultiDiscrete([2, 3]), Box(0, 1, (2, 2)), Box(0, 5, (2,), np.int32), Box(0, 1, ())):
        other = changed(action_space=lambda self, agent, space=space: space)
        refused("the same Discrete actions or the same Box of floats with one axis", other, pad=True)
    masks = fresh(infos=lambda self: self.tell({"action_mask": [1, 0]}))
    refused("'a' of plain at the reset has no meaning for continuous actions; omit it", masks)


def test_multiwalker_learns_with_its_time_limit():
    pytest.importorskip("Box2D")
    options = {"widths": (3,), "reward_model": False, "shared_layers": ("log_std",), "initial_std": 0.3}
    game = {"game": "sisl/multiwalker-v9", "options": {"n_walkers": 2, "max_cycles": 5}, "horizon": 5, "time_limit": 5}
    problem = parallel_game(2, **game, **options, episodes=1, test_episodes=1)
    assert problem.upper.shared_size == problem.oracles.form.game.actions == 4
    natural = hg.NaturalPolicyGradient(iterations=3, length=0.1)
    result = hg.solve(hg.Slam(0.1, 0.05, 1.0, 1.0, natural), problem, hg.networks.complete(2), rounds=2, check=False)
    assert np.all(np.isfinite(result.history["return"]))
    assert result.history["episode_length"].iloc[-1] == 5
