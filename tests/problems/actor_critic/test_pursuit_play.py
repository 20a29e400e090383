"""Pursuit's first states, its evaders, its presets, and what random policies earn, beside PettingZoo's pursuit_v5."""

import inspect
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from pettingzoo.sisl.pursuit.pursuit import parallel_env
from pettingzoo.sisl.pursuit.pursuit_base import Pursuit as Theirs
from pettingzoo.sisl.pursuit.utils.two_d_maps import rectangle_map
from scipy.stats import chi2

from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.pursuit import PRESETS, THEIR_NAMES, PursuitState, pursuit
from hypergossip.problems.actor_critic.pursuit_rules import Grid

REWARDS = ("tag_reward", "catch_reward", "urgency_reward")
# PettingZoo's names.
PAPER = {"x_size": 15, "y_size": 15, "surround": False, "n_catch": 2, "max_cycles": 30}
CORNERS = {"n_pursuers": 2, "n_evaders": 3, "x_size": 4, "y_size": 3, "max_cycles": 60, "tag_reward": 0.3}


def their_returns(settings, episodes):
    """The mean over agents of the return of random actions against PettingZoo's own evaders, in so many episodes."""
    env, generator = parallel_env(**settings), np.random.default_rng(2)
    names, returns = env.possible_agents, np.zeros(episodes)
    env.unwrapped.observe = lambda agent: None  # a third of a step's time, and nobody looks
    for episode in range(episodes):
        env.reset(seed=1000 + episode)
        while env.agents:
            rewards = env.step(dict(zip(names, generator.integers(0, 5, len(names)))))[1]
            returns[episode] += np.mean([rewards[name] for name in names])
    return returns


def our_returns(settings, episodes):
    game = pursuit("v5", **{THEIR_NAMES.get(name, name): value for name, value in settings.items()})

    @jax.jit
    def play(key):
        start, draw = jax.random.split(key)

        def body(carry, actions):
            state, over, total = carry
            state, rewards, terminated, truncated = game.step(state, actions)
            total = total + jnp.where(over, 0.0, jnp.mean(rewards))
            return (state, over | terminated | truncated, total), None

        actions = jax.random.randint(draw, (game.horizon, game.agents), 0, game.actions)
        carry = (game.reset(start), jnp.zeros((), bool), jnp.zeros(()))
        return lax.scan(body, carry, actions)[0][2]

    return np.asarray(jax.vmap(play)(jax.random.split(jax.random.key(2), episodes)))


@pytest.mark.parametrize(("settings", "episodes"), [(PAPER, 45), (CORNERS, 90)], ids=["paper", "corners"])
def test_random_policies_earn_what_they_earn_in_pettingzoo(settings, episodes):
    """Starts, wandering, catching and the end together: the mean returns differ by chance alone."""
    samples = their_returns(settings, episodes), our_returns(settings, 2000)
    errors = [sample.std(ddof=1) / len(sample) ** 0.5 for sample in samples]
    assert abs(samples[0].mean() - samples[1].mean()) < 3 * np.hypot(*errors)


def test_presets_are_pettingzoos_defaults():
    defaults = {
        THEIR_NAMES.get(name, name): parameter.default
        for name, parameter in inspect.signature(Theirs.__init__).parameters.items()
        if hasattr(PRESETS["v5"], THEIR_NAMES.get(name, name))
    }
    assert pursuit() == pursuit("v5", **defaults) == pursuit("v4")
    assert len(defaults) == 14
    assert pursuit("paper") == pursuit("v5", width=15, height=15, surround=False, catchers=2)


def test_the_obstacle_is_pettingzoos():
    for width in range(1, 24):
        for height in range(1, 24):
            x, y = np.indices((width, height))
            columns, rows = Grid(width, height).obstacle
            ours = np.isin(x, list(columns)) & np.isin(y, list(rows))
            np.testing.assert_array_equal(ours, rectangle_map(width, height) == -1)


def test_each_next_start_is_uniform_on_the_cells_away_from_those_before():
    """Two agents on 5 x 3 cells: all ordered pairs of starts as often as PettingZoo's drawing has them."""
    game, many = pursuit(agents=2, evaders=2, width=5, height=3), 20_000
    states = jax.vmap(game.reset)(jax.random.split(jax.random.key(0), many))
    free = [cell for cell in np.ndindex(5, 3) if rectangle_map(5, 3)[cell] != -1]
    expected = {}
    for first in free:
        rest = [cell for cell in free if abs(cell[0] - first[0]) + abs(cell[1] - first[1]) > 1]
        expected.update({(first, second): many / len(free) / len(rest) for second in rest})
    for starts in (states.pursuers, states.evaders):
        pairs, counts = np.unique(np.asarray(starts).reshape(many, 4), axis=0, return_counts=True)
        found = {((a, b), (c, d)): count for (a, b, c, d), count in zip(pairs.tolist(), counts.tolist())}
        assert found.keys() <= expected.keys()
        statistic = sum((found.get(pair, 0) - often) ** 2 / often for pair, often in expected.items())
        assert statistic < chi2.ppf(0.999, len(expected) - 1)


def test_all_begin_in_one_window():
    game = pursuit(agents=3, evaders=3, width=12, height=8, constraint_window=0.5)
    states = jax.vmap(game.reset)(jax.random.split(jax.random.key(0), 2000))
    cells = np.asarray(jnp.concatenate([states.pursuers, states.evaders], axis=1))
    spread = cells.max(axis=1) - cells.min(axis=1)
    assert spread.max(axis=0).tolist() == [5, 3]  # 6 x 4 cells
    seen = np.zeros((12, 8), bool)
    seen[tuple(cells.reshape(-1, 2).T)] = True
    reached = rectangle_map(12, 8) != -1
    # PettingZoo rounds the window's ends down, and so do we: the last column and row are in none but the whole grid.
    reached[-1], reached[:, -1] = False, False
    np.testing.assert_array_equal(seen, reached)


def test_who_finds_no_place_apart_gets_one_nonetheless():
    """PettingZoo would look for one forever."""
    game = pursuit(agents=20, evaders=1, width=5, height=5)
    cells = np.asarray(game.reset(jax.random.key(0)).pursuers)
    assert len(np.unique(cells, axis=0)) == 20
    assert (rectangle_map(5, 5)[tuple(cells.T)] == 0).all()


def test_evaders_wander_uniformly_and_by_the_key_alone():
    game = pursuit(evaders=40)
    state = game.reset(jax.random.key(3))
    times = state._replace(time=jnp.arange(500, dtype=jnp.int32))
    axes = PursuitState(None, None, None, 0, None)
    moves = np.asarray(jax.vmap(game.evader_actions, (axes,))(times))
    counts = np.bincount(moves.ravel(), minlength=5)
    assert ((counts - moves.size / 5) ** 2 / (moves.size / 5)).sum() < chi2.ppf(0.999, 4)
    assert len(np.unique(moves, axis=0)) == 500
    np.testing.assert_array_equal(moves[7], game.evader_actions(state._replace(time=jnp.int32(7))))
    told = game.play(state, jnp.zeros(8, jnp.int32), game.evader_actions(state))
    np.testing.assert_array_equal(told[0].evaders, game.step(state, jnp.zeros(8, jnp.int32))[0].evaders)


def test_rewards_are_linear_in_their_three_numbers():
    """So their gradient is finite, and the reward is its product with them; one program serves all numbers."""
    game = pursuit("paper", agents=6, evaders=6, width=6, height=5, catchers=1, shared_reward=False, horizon=20)
    traces = []

    @jax.jit
    def total(game, key):
        traces.append(game)
        actions = jax.random.randint(key, (game.horizon, game.agents), 0, game.actions)
        return jnp.sum(lax.scan(lambda state, told: game.step(state, told)[:2], game.reset(key), actions)[1])

    key = jax.random.key(4)
    slopes = jax.grad(total)(game, key)
    assert slopes.catch_reward > 0
    assert slopes.urgency_reward == game.agents * game.horizon
    for other in (game, replace(game, tag_reward=1.5, catch_reward=0.0, urgency_reward=2.0)):
        by_hand = sum(getattr(slopes, name) * getattr(other, name) for name in REWARDS)
        np.testing.assert_allclose(total(other, key), by_hand, rtol=1e-12)
    assert len(traces) == 1


def test_it_is_a_game():
    game = pursuit("paper")
    assert isinstance(game, Game)
    assert (game.agents, game.actions, game.horizon) == (8, 5, 500)
    state = game.reset(jax.random.key(0))
    assert game.observe(state).shape == (8, 7, 7, 3)
    # A window of one cell is one's own; one of two has PettingZoo's filling on two sides.
    own = np.asarray(pursuit("paper", window=1).observe(state))
    np.testing.assert_array_equal(own[:, 0, 0], np.asarray(game.observe(state))[:, 3, 3])
    two = np.asarray(pursuit("paper", window=2).observe(state))
    np.testing.assert_array_equal(two[:, :1, :1], own)
    assert (two.reshape(8, 4, 3)[:, 1:] == [1, 0, 0]).all()
    # A window of 2 side - 1 has the whole grid in it, wherever its owner is.
    wide = pursuit("paper", window=29)
    x, y = np.asarray(state.pursuers[0])
    np.testing.assert_array_equal(wide.observe(state)[0, 14 - y : 29 - y, 14 - x : 29 - x], wide.global_state(state))


@pytest.mark.parametrize(
    ("preset", "changes", "advice"),
    [
        ("v6", {}, "v5, v4, paper"),
        ("v5", {"n_catch": 3}, "called catchers here"),
        ("v5", {"speed": 3}, "no option speed; it has agents"),
        ("v5", {"agents": 0}, "at least 1"),
        ("v5", {"width": True}, "whole number"),
        ("v5", {"height": 1}, "at least 2"),
        ("paper", {"catchers": 9}, "add agents"),
        ("v5", {"constraint_window": 0.0}, "above 0"),
        ("v5", {"constraint_window": 0.2}, "no cell is free; widen it"),
        ("v5", {"constraint_window": 0.01}, "0 x 0 cells"),
    ],
)
def test_what_makes_no_game_is_refused_with_advice(preset, changes, advice):
    with pytest.raises(ValueError, match=advice):
        pursuit(preset, **changes)
