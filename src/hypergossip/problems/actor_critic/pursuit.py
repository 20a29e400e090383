"""Pursuit: agents on a grid catch evaders that wander at random, as PettingZoo's pursuit_v5 plays it."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from hypergossip.problems.actor_critic import pursuit_rules as rules
from hypergossip.support.pytree import register_pytree

SHAPES = ("agents", "evaders", "width", "height", "window", "catchers", "horizon")
RULES = ("surround", "shared_reward", "freeze_evaders", "constraint_window")
# PettingZoo's own name of an option -> ours, for advice.
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
    """Where an episode stands.

    Attributes:
        pursuers: (agents, 2) everybody's cell, x and y.
        evaders: (evaders, 2) theirs; of one that was caught, where that was.
        caught: (evaders,) which are no longer on the grid.
        time: () steps played.
        key: () what draws the evaders' moves: the same during the whole episode.
    """

    pursuers: Array
    evaders: Array
    caught: Array
    time: Array
    key: Array


@register_pytree(*SHAPES, *RULES)
@dataclass(frozen=True)
class Pursuit:
    """The game of pursuit. Make one by `pursuit`, which checks its numbers.

    In a step all pursuers move, then evaders are caught, then those that are left move. Actions: 0 left (x - 1),
    1 right, 2 up (y + 1), 3 down, 4 stay. The rewards are what PettingZoo's parallel environment pays:

    * tags: PettingZoo moves pursuers one after another and after each move pays everybody `tag_reward / agents` for
      every evader next to it, so pursuer i is paid i times for where it was and `agents - i` times for where it goes
      (counted from 0; `pursuit_rules.touches` has the borders' peculiarity);
    * `catch_reward` to every pursuer that took part in a catch, once however many it caught;
    * `urgency_reward` to everybody.

    It is over (terminated) when the last evader is caught, but not in the step that reaches the horizon, which
    PettingZoo reports as truncated alone.

    Args:
        agents: The pursuers.
        evaders: At the start.
        width: Cells along x.
        height: Cells along y.
        window: Side of the square a pursuer sees, itself in the middle. Of an even one the last row and column are
            PettingZoo's filling: walls. One of 2 max(width, height) - 1 shows the whole grid from everywhere.
        surround: Whether an evader is caught by pursuers on all open neighbours of its cell; otherwise by pursuers on
            the cell itself.
        catchers: How many on the cell; without meaning if `surround`.
        shared_reward: Whether everybody gets the mean of the rewards; otherwise its own.
        freeze_evaders: Whether evaders stay where they are.
        constraint_window: The part of each side of the grid, at a random place, in which all begin; 1 for all of it.
            As in PettingZoo its ends are rounded down, so that below 1 nobody begins in the last column or row.
        horizon: Steps after which an episode is truncated.
        tag_reward: For an evader on a neighbouring cell.
        catch_reward: For a catch.
        urgency_reward: For a step.
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
        """Left, right, up, down, stay."""
        return 5

    @cached_property
    def grid(self) -> rules.Grid:
        """The grid and how far a pursuer sees on it."""
        return rules.Grid(self.width, self.height, (self.window - 1) // 2)

    def reset(self, key: Key[Array, ""]) -> PursuitState:
        """Returns the first state: pursuers on cells not next to each other's, and so the evaders."""
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
        """Returns what the evaders do in this step: each of the five actions equally often, or nothing if frozen."""
        if self.freeze_evaders:
            return jnp.full(self.evaders, rules.STAY, jnp.int32)
        bits = jax.random.bits(jax.random.fold_in(state.key, state.time), (self.evaders,), jnp.uint32)
        return (bits % jnp.uint32(self.actions)).astype(jnp.int32)

    def step(
        self, state: PursuitState, actions: Int[Array, "agents"]
    ) -> tuple[PursuitState, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step with evaders that wander."""
        return self.play(state, actions, self.evader_actions(state))

    def play(
        self, state: PursuitState, actions: Int[Array, "agents"], evader_actions: Int[Array, "evaders"]
    ) -> tuple[PursuitState, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step with evaders that do as told.

        Args:
            state: Where the game stands.
            actions: The pursuers', each below 5.
            evader_actions: The evaders', likewise; those of the caught are ignored.

        Returns:
            What `step` returns.
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
        """The map that everybody's windows are cut out of."""
        return rules.chart(self.grid, state.pursuers, state.evaders, state.caught)


# What pursuit_v5 plays if nothing is said; v5 added `state()` to v4 and changed neither rule nor number.
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
        # SLAM, section 4, after CAC: two pursuers on the evader's cell. The text prints no rewards: PettingZoo's.
        "paper": replace(V5, width=15, height=15, surround=False, catchers=2),
    }
)


def pursuit(preset: str = "v5", **changes: Any) -> Pursuit:
    """Makes a game of pursuit.

    Args:
        preset: Where the numbers come from: "v5" and "v4" for PettingZoo's defaults (the same in both: 16 x 16, an
            evader is caught by surrounding it), "paper" for the 15 x 15 grid of SLAM and CAC, where two pursuers on
            an evader's cell catch it and everything else is PettingZoo's.
        **changes: Fields of `Pursuit` to set otherwise.

    Returns:
        The game.

    Raises:
        ValueError: There is no such preset or option, or a number makes no game.
    """
    if preset not in PRESETS:
        raise ValueError(f"No preset of pursuit is called {preset!r}; there are {', '.join(PRESETS)}.")
    names = [field.name for field in fields(Pursuit)]
    for name in changes:
        if name in THEIR_NAMES:
            raise ValueError(f"What PettingZoo calls {name} is {THEIR_NAMES[name]} here; write that.")
        if name not in names:
            raise ValueError(f"pursuit has no option {name}; it has {', '.join(names)}.")
    game = replace(PRESETS[preset], **changes)
    _check(game)
    return game


def _check(game: Pursuit) -> None:
    """Refuses numbers that make no game."""
    for name in SHAPES:
        number = getattr(game, name)
        least = 2 if name in ("width", "height") else 1  # PettingZoo's surrounding is impossible on a single row
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise ValueError(f"{name} is {number!r}; it must be a whole number, at least {least}.")
    if not 0.0 < game.constraint_window <= 1.0:
        raise ValueError(
            f"constraint_window is {game.constraint_window}; it is the part of each side of the grid in which all "
            "begin: above 0, and 1 for the whole grid."
        )
    if not game.surround and game.catchers > game.agents:
        raise ValueError(
            f"{game.catchers} catchers among {game.agents} agents never meet, so no evader can be caught; "
            "lower catchers or add agents."
        )
    sides = [int(side * game.constraint_window) for side in (game.width, game.height)]  # the narrowest that is drawn
    columns, rows = game.grid.obstacle
    free = np.ones((game.width, game.height), bool)
    free[columns.start : columns.stop, rows.start : rows.stop] = False
    if not min(sides) or not np.lib.stride_tricks.sliding_window_view(free, tuple(sides)).any(axis=(2, 3)).all():
        raise ValueError(
            f"With constraint_window {game.constraint_window} on a {game.width} x {game.height} grid, a window of "
            f"{sides[0]} x {sides[1]} cells in which all begin can lie where no cell is free; widen it."
        )
