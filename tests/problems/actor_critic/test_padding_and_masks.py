"""Agents with unequal spaces, and masks of the allowed actions: probability 0, and nothing in the gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary
from mpe2 import simple_speaker_listener_v4, simple_tag_v3
from plain_environment import HORIZON, LATE, Plain, changed, played, refused

import hypergossip as hg
from hypergossip.problems.actor_critic import FullyConnected, actor_critic, as_parallel, from_parallel

KEY = jax.random.key(0)
SPEAKER = simple_speaker_listener_v4.parallel_env


def problem_of(game, **options):
    net = FullyConnected((3,))
    return actor_critic(game, actor=net, critic=net, reward_model=False, episodes=2, test_episodes=2, **options)


def test_unequal_agents_are_padded():
    game = from_parallel(SPEAKER, horizon=25, pad=True)
    assert (game.agents, game.actions, game.masked) == (2, 5, True)
    state = game.reset(KEY)
    assert state.observations.shape == (2, 11)
    assert not np.any(state.observations[0, 3:])
    np.testing.assert_array_equal(state.allowed, [[True] * 3 + [False] * 2, [True] * 5])
    environment = SPEAKER()
    seen, _ = environment.reset(seed=int(state.seed))
    for choice in (0, 2, 1):
        np.testing.assert_allclose(state.observations[0, :3], seen["speaker_0"], rtol=1e-6)
        np.testing.assert_allclose(state.observations[1], seen["listener_0"], rtol=1e-6)
        state, rewards, *_ = game.step(state, jnp.array([choice, 4 - choice]))
        seen, gained, *_ = environment.step({"speaker_0": choice, "listener_0": 4 - choice})
        np.testing.assert_allclose(rewards, list(gained.values()), rtol=1e-6)


def test_a_game_with_masks_as_an_environment_tells_and_keeps_them():
    environment = as_parallel(from_parallel(SPEAKER, horizon=25, pad=True))
    _, infos = environment.reset(seed=1)
    np.testing.assert_array_equal(infos["agent_0"]["action_mask"], [1, 1, 1, 0, 0])
    *_, infos = environment.step({"agent_0": 2, "agent_1": 4})
    np.testing.assert_array_equal(infos["agent_1"]["action_mask"], [1] * 5)
    with pytest.raises(ValueError, match="the action of agent_0 in step is 3, which its mask forbids"):
        environment.step({"agent_0": 3, "agent_1": 0})


def test_an_image_and_a_vector_are_flattened_and_actions_have_their_own_first_number():
    seen = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(4)}
    taken = []

    class Mixed(Plain):
        observation_space = lambda self, agent: Box(-9, 9, seen[agent].shape)
        action_space = lambda self, agent: Discrete(2, start=5) if agent == "a" else Discrete(3, start=-1)
        seen = lambda self: seen

        def step(self, actions):
            taken.append(actions)
            return super().step(actions)

    game = from_parallel(Mixed, horizon=HORIZON, pad=True)
    state = game.reset(KEY)
    np.testing.assert_array_equal(game.observe(state), [[0, 1, 2, 3, 4, 5], [1, 1, 1, 1, 0, 0]])
    assert {actions["a"] for actions in taken} == {5, 6}  # those of the trial
    assert {actions["b"] for actions in taken} == {-1, 0, 1}
    game.step(state, jnp.array([1, 0]))
    assert taken[-1] == {"a": 6, "b": -1}


def test_padded_actions_are_never_drawn_and_their_logits_have_no_gradient():
    problem = problem_of(from_parallel(SPEAKER, horizon=6, pad=True), entropy=0.1)
    x, y = problem.x0, problem.y0
    for agent in (0, 1):
        played = problem.agent(agent).play(x, KEY)
        odds = np.exp(problem.oracles.form.policy(x, played.inputs, played.allowed))
        np.testing.assert_allclose(odds.sum(-1), 1, rtol=1e-12)
        gradient = problem.upper.unravel(problem.agent(agent).upper_gradients(x, y, KEY)[0])["last"]
        allowed = 3 if agent == 0 else 5
        assert np.all(played.actions < allowed)
        assert not np.any(odds[..., allowed:])
        for leaf in (gradient["weights"], gradient["bias"]):
            assert np.all(np.isfinite(leaf))
            assert np.all(np.any(leaf[:allowed].reshape(allowed, -1) != 0, axis=1))
            assert not np.any(leaf[allowed:])


def test_the_natural_gradient_leaves_padded_logits_alone():
    problem = problem_of(from_parallel(SPEAKER, horizon=25, pad=True))
    x = problem.x0 + 0.1 * jax.random.normal(KEY, problem.x0.shape)
    natural = hg.NaturalPolicyGradient(iterations=5, length=1.0)(problem.agent(0), x, problem.y0, KEY)[0]
    last = problem.upper.unravel(natural)["last"]
    assert np.all(np.isfinite(natural))
    assert np.any(last["bias"][:3])
    assert not np.any(last["bias"][3:])


@pytest.mark.parametrize("make", [SPEAKER, simple_tag_v3.parallel_env])
def test_methods_run_on_unequal_agents(make):
    problem = problem_of(from_parallel(make, horizon=4, pad=True))
    slam = hg.Slam(0.1, 0.05, 1.0, 1.0, hg.Direct())
    result = hg.solve(slam, problem, hg.networks.complete(problem.agents), rounds=2)
    assert np.all(np.isfinite(result.history["return"]))


def test_without_padding_the_option_is_named():
    refused("the action spaces are Discrete(3) for speaker_0, Discrete(5) for listener_0, but", SPEAKER)
    refused("give pad=True, which completes them with actions of probability 0", SPEAKER)
    refused("give pad=True, which completes the observations with zeros", simple_tag_v3.parallel_env)
    unusable = changed(action_space=lambda self, agent: MultiBinary(2))
    refused("MultiBinary(2) for 2 agents such as a; a game needs", unusable, pad=True)


def masks(self):
    """Action 2 is forbidden to both, and after an even step action 0 to "b"."""
    return {"a": np.array([1, 1, 0], np.int8), "b": np.array([self.t % 2, 1, 0], np.int8)}


class Strict(Plain):
    """It fails if a forbidden action is taken."""

    def step(self, actions):
        assert all(masks(self)[name][action] for name, action in actions.items())
        return super().step(actions)


def masked(where, key="action_mask"):
    if where == "info":
        return type("InInfo", (Strict,), {"infos": lambda self: {n: {key: m} for n, m in masks(self).items()}})
    space = Dict({"observation": Box(-100, 100, (2,)), key: Box(0, 1, (3,), np.int8)})
    seen = lambda self: {name: {"observation": self.place, key: mask} for name, mask in masks(self).items()}
    return type("InObservation", (Strict,), {"observation_space": lambda self, agent: space, "seen": seen})


@pytest.mark.parametrize("leaving", [True, False])
@pytest.mark.parametrize("key", ["action_mask", "avail_actions"])
@pytest.mark.parametrize("where", ["info", "observation"])
def test_masks_of_the_environment(where, key, leaving):
    game = from_parallel(masked(where, key), horizon=HORIZON, leaving=leaving)
    state = game.reset(KEY)
    assert game.observe(state).shape == (2, 2)
    np.testing.assert_array_equal(state.allowed, [[True, True, False], [False, True, False]])
    state, *_ = game.step(state, jnp.array([0, 1]))
    np.testing.assert_array_equal(state.allowed, [[True, True, False]] * 2)


@pytest.mark.parametrize("where", ["info", "observation"])
def test_forbidden_actions_are_not_drawn_and_have_no_gradient(where):
    problem = problem_of(from_parallel(masked(where), horizon=8), entropy=0.1)
    slam = hg.Slam(0.1, 0.05, 1.0, 1.0, hg.Direct())
    hg.solve(slam, problem, hg.networks.complete(2), rounds=2)  # and the environment does not fail
    for agent in (0, 1):
        gradient = problem.agent(agent).upper_gradients(problem.x0, problem.y0, KEY)[0]
        last = problem.upper.unravel(gradient)["last"]
        assert np.all(np.isfinite(gradient))
        assert not np.any(last["weights"][2])
        assert last["bias"][2] == 0
        assert np.all(last["bias"][:2] != 0)


def test_masks_that_come_late():
    late = changed(infos=lambda self: self.tell({"action_mask": [1, 0, 0]} if self.t == LATE else {}))
    played(from_parallel(late, horizon=HORIZON))
    game = from_parallel(late, horizon=HORIZON, leaving=False)
    with pytest.raises(
        Exception, match=f"at step {LATE} is the first one, and leaving=False allows none that come later"
    ):
        played(game)


def test_infos_may_be_anything_else():
    for told in ({}, {"a": {"score": 1}}, None, {"a": None, "b": None}):
        from_parallel(changed(infos=lambda self, told=told: told), horizon=HORIZON)


def test_masks_that_are_none():
    where = "the mask of the allowed actions of agent 'a' of plain at the reset"
    tells = lambda mask: changed(infos=lambda self: self.tell({"action_mask": mask}))
    refused(f"{where} allows no action; allow one that does nothing", tells([0, 0, 0]))
    refused(f"{where} is one of type list, of shape (2,), but the agent has 3 actions", tells([1, 1]))
    refused(f"{where} is one of type str", tells("abc"))
    space = Dict({"x": Box(0, 1, (2,)), "y": Box(0, 1, (2,)), "action_mask": Box(0, 1, (3,), np.int8)})
    several = changed(observation_space=lambda self, agent: space)
    refused("the observation of agent a has the keys action_mask, x, y; a game needs one Box and one", several)
