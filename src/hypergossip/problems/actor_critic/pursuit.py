"""Pursuit: agents on a grid catch evaders that move at random, with the rules of PettingZoo's pursuit_v5."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from hypergossip.problems.actor_critic import pursuit_rules as rules
from hypergossip.support.arguments import choice, flag, real_number, whole_number
from hypergossip.support.pytree import register_pytree

SHAPES = ("agents", "evaders", "width", "height", "window", "catchers", "horizon")
FLAGS = ("surround", "shared_reward", "freeze_evaders")
RULES = (*FLAGS, "constraint_window")
REWARDS = ("tag_reward", "catch_reward", "urgency_reward")
# PettingZoo's name of an option -> the name here, for error messages.
THEIR_NAMES = MappingProxyType(
    {
        "n_pursuers": "agents",
        "n_evaders": "evaders",
        "x_size": "width",
        "y_size": "height",
        "obs_range": "window",
        "n_catch": "catchers",
        "max_cycles": "horizon",
    }
)


class PursuitState(NamedTuple):
    """The state of an episode.

    Attributes:
        pursuers: The pursuers' cells, x and y, (agents, 2).
        evaders: The evaders' cells, (evaders, 2); if an evader was caught, the cell of the catch.
        caught: Whether each evader was caught, (evaders,).
        time: The number of steps played, ().
        key: The key that draws the evaders' moves, the same during the whole episode, ().
    """

    pursuers: Array
    evaders: Array
    caught: Array
    time: Array
    key: Array


@register_pytree(*SHAPES, *RULES)
@dataclass(frozen=True)
class Pursuit:
    """The game of pursuit. The function `pursuit` makes it and checks its options.

    In a step all pursuers move, then evaders are caught, then the remaining evaders move. The actions are 0 left
    (x - 1), 1 right, 2 up (y + 1), 3 down, 4 stay. The rewards are those of PettingZoo's parallel environment:

    * tags: PettingZoo moves the pursuers one after another. After each move it gives every pursuer
      `tag_reward / agents` for each evader next to it. Pursuer i, counted from 0, thus gets the reward i times at its
      old cell and `agents - i` times at its new cell (`pursuit_rules.touches` explains the case of the borders);
    * `catch_reward` for every pursuer that took part in a catch, once for any number of evaders;
    * `urgency_reward` for every pursuer.

    The game is over (terminated) when the last evader is caught. In the step that reaches the horizon it is only
    truncated, as in PettingZoo.

    Args:
        agents: The number of pursuers.
        evaders: The number of evaders at the start.
        width: The number of cells along x.
        height: The number of cells along y.
        window: The side of the square that a pursuer sees, with itself in the middle. If it is even, the last row and
            column are filled with walls, as in PettingZoo. A side of 2 max(width, height) - 1 always shows the whole
            grid.
        surround: Whether pursuers catch an evader by occupying all open neighbours of its cell, or otherwise by being
            on its cell.
        catchers: The number of pursuers that must be on the cell; it has no influence if `surround` is true.
        shared_reward: Whether every agent gets the mean of the rewards, or otherwise its own.
        freeze_evaders: Whether evaders do not move.
        constraint_window: The fraction of each side of the grid, at a random position, in which all agents start; 1
            allows the whole grid. As in PettingZoo its ends are rounded down, so below 1 no agent starts in the last
            column or row.
        horizon: The number of steps after which an episode is truncated.
        tag_reward: The reward for an evader on a neighbouring cell.
        catch_reward: The reward for a catch.
        urgency_reward: The reward for a step.
    """

    agents: int
    evaders: int
    width: int
    height: int
    window: int
    surround: bool
    catchers: int
    shared_reward: bool
    freeze_evaders: bool
    constraint_window: float
    horizon: int
    tag_reward: float
    catch_reward: float
    urgency_reward: float

    @property
    def actions(self) -> int:
        """The number of actions: left, right, up, down, stay."""
        return 5

    @property
    def ends_early(self) -> bool:
        """True, because an episode is over when the last evader is caught."""
        return True

    @cached_property
    def grid(self) -> rules.Grid:
        """The grid with the pursuers' reach."""
        return rules.Grid(self.width, self.height, (self.window - 1) // 2)

    def reset(self, key: Key[Array, ""]) -> PursuitState:
        """Returns the first state. Pursuers are not on adjacent cells, and neither are evaders."""
        place_key, pursuer_key, evader_key, play_key = jax.random.split(key, 4)
        starts = jax.random.uniform(place_key, (2,), jnp.float32, maxval=1.0 - self.constraint_window)
        sides = jnp.asarray([self.width, self.height], jnp.float32)
        low = jnp.floor(starts * sides).astype(jnp.int32)
        high = jnp.floor((starts + self.constraint_window) * sides).astype(jnp.int32)
        x, y = self.grid.cells
        begin = (x >= low[0]) & (x < high[0]) & (y >= low[1]) & (y < high[1]) & ~self.grid.blocked(x, y)
        return PursuitState(
            rules.scatter(self.grid, pursuer_key, begin, self.agents),
            rules.scatter(self.grid, evader_key, begin, self.evaders),
            jnp.zeros(self.evaders, bool),
            jnp.zeros((), jnp.int32),
            play_key,
        )

    def evader_actions(self, state: PursuitState) -> Int[Array, "evaders"]:
        """Returns the evaders' actions in this step: uniform over the five actions, or stay if they are frozen."""
        if self.freeze_evaders:
            return jnp.full(self.evaders, rules.STAY, jnp.int32)
        bits = jax.random.bits(jax.random.fold_in(state.key, state.time), (self.evaders,), jnp.uint32)
        return (bits % jnp.uint32(self.actions)).astype(jnp.int32)

    def step(
        self, state: PursuitState, actions: Int[Array, "agents"]
    ) -> tuple[PursuitState, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step with evaders that move at random."""
        return self.play(state, actions, self.evader_actions(state))

    def play(
        self, state: PursuitState, actions: Int[Array, "agents"], evader_actions: Int[Array, "evaders"]
    ) -> tuple[PursuitState, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step with given actions of the evaders.

        Args:
            state: The current state.
            actions: The pursuers' actions, each below 5.
            evader_actions: The evaders' actions, each below 5; those of caught evaders are ignored.

        Returns:
            The same values as `step`.
        """
        grid, before = self.grid, state.pursuers
        pursuers = rules.move(grid, before, actions.astype(before.dtype))
        codes = jnp.where(state.caught, rules.GONE, grid.codes(state.evaders))
        turn = jnp.arange(self.agents, dtype=jnp.int32)
        tags = turn * rules.touches(grid, before, codes) + (self.agents - turn) * rules.touches(grid, pursuers, codes)
        if self.surround:
            now, catching = rules.surrounded(grid, pursuers, state.evaders, state.caught)
        else:
            now, catching = rules.met(grid, pursuers, state.evaders, state.caught, self.catchers)
        number = jnp.result_type(float)
        rewards = tags.astype(number) * self.tag_reward / self.agents
        rewards = rewards + catching.astype(number) * self.catch_reward + self.urgency_reward
        if self.shared_reward:
            rewards = jnp.broadcast_to(jnp.mean(rewards), rewards.shape)
        caught = state.caught | now
        moved = rules.move(grid, state.evaders, evader_actions.astype(state.evaders.dtype))
        evaders = jnp.where(caught[:, None], state.evaders, moved)
        truncated = state.time + 1 >= self.horizon
        after = PursuitState(pursuers, evaders, caught, state.time + 1, state.key)
        return after, rewards, jnp.all(caught) & ~truncated, truncated

    def observe(self, state: PursuitState) -> Float[Array, "agents window window 3"]:
        """Returns each pursuer's window, y by x: 1 for a wall, the number of pursuers, the number of evaders."""
        seen = rules.windows(self.grid, state.pursuers, self._chart(state))
        if self.window % 2:
            return seen
        filling = jnp.asarray([1, 0, 0], seen.dtype)
        more = jnp.broadcast_to(filling, (self.agents, self.window, self.window, 3))
        return more.at[:, :-1, :-1].set(seen)

    def global_state(self, state: PursuitState) -> Float[Array, "height width 3"]:
        """Returns the whole grid, y by x: 1 for the obstacle, the number of pursuers, the number of evaders."""
        return rules.whole(self.grid, self._chart(state))

    def _chart(self, state: PursuitState) -> Float[Array, "numbers"]:
        """The map of which every agent's window is a part."""
        return rules.chart(self.grid, state.pursuers, state.evaders, state.caught)


# The defaults of pursuit_v5, which added `state()` to v4 and changed neither rules nor numbers.
V5 = Pursuit(
    agents=8,
    evaders=30,
    width=16,
    height=16,
    window=7,
    surround=True,
    catchers=2,
    shared_reward=True,
    freeze_evaders=False,
    constraint_window=1.0,
    horizon=500,
    tag_reward=0.01,
    catch_reward=5.0,
    urgency_reward=-0.1,
)
PRESETS = MappingProxyType(
    {
        "v5": V5,
        "v4": V5,
        # SLAM, section 4, as in CAC: two pursuers on the evader's cell. It states no rewards, so they are PettingZoo's.
        "paper": replace(V5, width=15, height=15, surround=False, catchers=2),
    }
)


def pursuit(preset: str = "v5", **changes: Any) -> Pursuit:
    """Makes a game of pursuit.

    Args:
        preset: The source of the defaults: "v5" and "v4" for PettingZoo's defaults (the same in both: a 16 x 16 grid,
            and evaders are caught by surrounding them), "paper" for the 15 x 15 grid of SLAM and CAC, where two
            pursuers on an evader's cell catch it and everything else is as in PettingZoo.
        **changes: Fields of `Pursuit` that differ from the preset.

    Returns:
        The game.

    Raises:
        ValueError: If there is no such preset or option, or a value is invalid.
    """
    preset = choice("preset", preset, PRESETS)
    names = [field.name for field in fields(Pursuit)]
    for name in changes:
        if name in THEIR_NAMES:
            raise ValueError(f"PettingZoo's option {name} is called {THEIR_NAMES[name]} here; use that name.")
        if name not in names:
            raise ValueError(f"pursuit has no option {name}; it has {', '.join(names)}.")
    game = replace(PRESETS[preset], **{name: _checked(name, value) for name, value in changes.items()})
    _check(game)
    return game


def _checked(name: str, value: Any) -> Any:
    """Returns a field of `Pursuit` in its type; raises ValueError if it is invalid."""
    if name in SHAPES:
        # On a single row, no evader can be surrounded by PettingZoo's rule.
        return whole_number(name, value, 2 if name in ("width", "height") else 1)
    if name in FLAGS:
        return flag(name, value)
    if name in REWARDS:
        # A reward may be an array, also one that is traced.
        return value if isinstance(value, jax.Array) else real_number(name, value, "give a number, such as 0.1")
    advice = (
        "it is the fraction of each side of the grid in which all agents start, so give a number above 0, and at most "
        "1 for the whole grid"
    )
    return real_number(name, value, advice, lambda given: 0 < given <= 1)


def _check(game: Pursuit) -> None:
    """Raises ValueError if numbers do not fit together."""
    if not game.surround and game.catchers > game.agents:
        raise ValueError(
            f"catchers is {game.catchers}, but there are only {game.agents} agents, so no evader can be caught; "
            "lower catchers or add agents."
        )
    sides = [
        int(side * game.constraint_window) for side in (game.width, game.height)
    ]  # of the smallest possible window
    columns, rows = game.grid.obstacle
    free = np.ones((game.width, game.height), bool)
    free[columns.start : columns.stop, rows.start : rows.stop] = False
    if not min(sides) or not np.lib.stride_tricks.sliding_window_view(free, tuple(sides)).any(axis=(2, 3)).all():
        raise ValueError(
            f"With constraint_window {game.constraint_window} on a {game.width} x {game.height} grid, all agents would "
            f"start in a window of {sides[0]} x {sides[1]} cells, which can be at a position where no cell is free; "
            "widen it."
        )
