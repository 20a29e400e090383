"""The rules of pursuit on a grid: who may stand where, who touches whom, who is caught, and what is seen.

What is fast on a CPU, mapped over episodes, was measured. Who touches whom is a table of all pairs, by comparisons. The
obstacle is a rectangle, so comparisons say where it is, too. What is seen is cut out of a map with a margin, whose
cells hold their three numbers side by side, so that a row of a window is one piece of memory.
"""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

OPEN_X, OPEN_Y = 0.3, 0.2  # of the grid, on each side of the obstacle
NEIGHBOURS = ((-1, 0), (1, 0), (0, 1), (0, -1))  # where the actions 0 to 3 lead; 4 stays
STAY = 4
GONE = -(1 << 24)  # the code of a cell that nobody is near


@dataclass(frozen=True)
class Grid:
    """A grid with PettingZoo's obstacle: the rectangle of cells with 0.3 < x/width < 0.7 and 0.2 < y/height < 0.8.

    Attributes:
        width: Cells along x.
        height: Cells along y.
        reach: How many cells off anybody looks, each way; 1 is enough for touching.
    """

    width: int
    height: int
    reach: int = 1

    @cached_property
    def obstacle(self) -> tuple[range, range]:
        """The obstacle's cells along x and along y; either may be empty."""
        return _inner(self.width, OPEN_X), _inner(self.height, OPEN_Y)

    @property
    def stride(self) -> int:
        """What y counts in a cell's code, y stride + x: differences of codes are unambiguous within reach."""
        return self.width + max(self.reach, 1)

    @property
    def origin(self) -> int:
        """Where the cell (0, 0) is on a map with a margin of `reach`."""
        return self.reach * (self.stride + 1)

    @cached_property
    def empty(self) -> np.ndarray:
        """(cells, 3) the map with a margin when nobody is there: 1, 0, 0 where nobody can be, else 0, 0, 0."""
        cells = np.arange((self.height + 2 * self.reach) * self.stride + self.reach) - self.origin + self.reach
        y, x = cells // self.stride, cells % self.stride - self.reach
        columns, rows = self.obstacle
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        wall = ~inside | (np.isin(x, list(columns)) & np.isin(y, list(rows)))
        return np.stack([wall, np.zeros_like(wall), np.zeros_like(wall)], axis=1)

    @property
    def cells(self) -> tuple[Int[Array, "width height"], Int[Array, "width height"]]:
        """Every cell's x and y, x by y."""
        x, y = np.indices((self.width, self.height), dtype=np.int32)
        return jnp.asarray(x), jnp.asarray(y)

    def blocked(self, x: Int[Array, "*any"], y: Int[Array, "*any"]) -> Bool[Array, "*any"]:
        """Returns whether the cell (x, y) belongs to the obstacle."""
        columns, rows = self.obstacle
        return (x >= columns.start) & (x < columns.stop) & (y >= rows.start) & (y < rows.stop)

    def free(self, x: Int[Array, "*any"], y: Int[Array, "*any"]) -> Bool[Array, "*any"]:
        """Returns whether the cell (x, y) is on the grid and no part of the obstacle."""
        return (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height) & ~self.blocked(x, y)

    def borders(self, x: Int[Array, "*any"], y: Int[Array, "*any"]) -> Int[Array, "*any"]:
        """Returns how many of a cell's four neighbours lie off the grid."""
        sides = (x == 0, x == self.width - 1, y == 0, y == self.height - 1)
        return sum((side.astype(jnp.int32) for side in sides), jnp.zeros_like(x))

    def codes(self, positions: Int[Array, "who 2"]) -> Int[Array, "who"]:
        """Returns one number a cell, of which the difference of two tells the way from one to the other."""
        return positions[:, 1] * self.stride + positions[:, 0]


def _inner(cells: int, margin: float) -> range:
    """The cells strictly inside, with a margin on each side that is a part of the whole."""
    inside = [cell for cell in range(cells) if margin < cell / cells < 1.0 - margin]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def move(grid: Grid, positions: Int[Array, "who 2"], actions: Int[Array, "who"]) -> Int[Array, "who 2"]:
    """Moves everybody by one cell: left (x - 1), right, up (y + 1), down, or not at all.

    Nobody leaves the grid or enters the obstacle: who would, stays. Any number may share a cell.

    Args:
        grid: Where.
        positions: From where, (x, y).
        actions: 0 to 4.

    Returns:
        The new positions.
    """
    steps = [(actions == k).astype(positions.dtype) for k in range(STAY)]
    x, y = positions[:, 0] + steps[1] - steps[0], positions[:, 1] + steps[2] - steps[3]
    goes = grid.free(x, y)
    return jnp.stack([jnp.where(goes, x, positions[:, 0]), jnp.where(goes, y, positions[:, 1])], axis=1)


def touches(grid: Grid, pursuers: Int[Array, "pursuers 2"], evaders: Int[Array, "evaders"]) -> Int[Array, "pursuers"]:
    """Counts the evaders on the four cells next to each pursuer.

    As in PettingZoo, a neighbour off the grid is the pursuer's own cell: at a border an evader on the pursuer's cell
    is counted once, in a corner twice, elsewhere not at all.

    Args:
        grid: Where.
        pursuers: Their positions.
        evaders: The evaders' codes, `GONE` for who was caught.

    Returns:
        The counts.
    """
    way = jnp.abs(evaders - grid.codes(pursuers)[:, None])
    beside = jnp.sum((way == 1) | (way == grid.stride), axis=1, dtype=jnp.int32)
    return beside + grid.borders(pursuers[:, 0], pursuers[:, 1]) * jnp.sum(way == 0, axis=1, dtype=jnp.int32)


def surrounded(
    grid: Grid, pursuers: Int[Array, "pursuers 2"], evaders: Int[Array, "evaders 2"], caught: Bool[Array, "evaders"]
) -> tuple[Bool[Array, "evaders"], Bool[Array, "pursuers"]]:
    """Finds the evaders with a pursuer on every open neighbour of their cell.

    Args:
        grid: Where.
        pursuers: Their positions.
        evaders: Theirs.
        caught: Who is no longer there.

    Returns:
        Which evaders are caught now, and which pursuers stand next to one of those.
    """
    way = grid.codes(pursuers)[:, None] - grid.codes(evaders)
    beside = [way == y * grid.stride + x for x, y in NEIGHBOURS]
    taken = sum((jnp.any(side, axis=0).astype(jnp.int32) for side in beside), jnp.zeros_like(evaders[:, 0]))
    x, y = evaders[:, 0], evaders[:, 1]
    closed = sum((grid.blocked(x + dx, y + dy).astype(jnp.int32) for dx, dy in NEIGHBOURS), grid.borders(x, y))
    now = (taken + closed == len(NEIGHBOURS)) & ~caught
    return now, jnp.any((beside[0] | beside[1] | beside[2] | beside[3]) & now, axis=1)


def met(
    grid: Grid,
    pursuers: Int[Array, "pursuers 2"],
    evaders: Int[Array, "evaders 2"],
    caught: Bool[Array, "evaders"],
    catchers: int,
) -> tuple[Bool[Array, "evaders"], Bool[Array, "pursuers"]]:
    """Finds the evaders with enough pursuers on their own cell.

    Args:
        grid: Where.
        pursuers: Their positions.
        evaders: Theirs.
        caught: Who is no longer there.
        catchers: How many pursuers are enough.

    Returns:
        Which evaders are caught now, and which pursuers stand on the cell of one of those.
    """
    same = grid.codes(pursuers)[:, None] == grid.codes(evaders)
    now = (jnp.sum(same, axis=0, dtype=jnp.int32) >= catchers) & ~caught
    return now, jnp.any(same & now, axis=1)


def scatter(grid: Grid, key: Key[Array, ""], allowed: Bool[Array, "width height"], many: int) -> Int[Array, "{many} 2"]:
    """Places some one after another, each at random among the cells where nobody placed before is or is next to.

    Every cell draws one number, and the highest that is left takes the next one: each choice is uniform, given those
    before. Where no such cell is left, who comes gets the cell with the fewest neighbours.

    Args:
        grid: Where.
        key: What draws.
        allowed: The cells that may be taken.
        many: How many.

    Returns:
        Their positions.
    """
    x, y = grid.cells
    numbers = jax.random.uniform(key, allowed.shape, jnp.float32)

    cells = x * grid.height + y

    def place(left: Float[Array, "width height"], _: None) -> tuple[Array, Array]:
        best = jnp.min(jnp.where(left == jnp.max(left), cells, cells.size))  # argmax, which is slow on a CPU
        position = jnp.stack([best // grid.height, best % grid.height])
        away = jnp.abs(x - position[0]) + jnp.abs(y - position[1])
        return left - jnp.where(away == 0, 8.0, jnp.where(away == 1, 1.0, 0.0)), position

    return lax.scan(place, jnp.where(allowed, numbers, -jnp.inf), None, many)[1]


def chart(
    grid: Grid,
    pursuers: Int[Array, "pursuers 2"],
    evaders: Int[Array, "evaders 2"],
    caught: Bool[Array, "evaders"],
) -> Float[Array, "numbers"]:
    """Draws the map with a margin: for every cell, one after another, wall or not, pursuers, evaders.

    Args:
        grid: Where; its reach is the margin.
        pursuers: Their positions.
        evaders: Theirs.
        caught: Who is no longer there.

    Returns:
        `Grid.empty` with everybody on it, flat.
    """
    empty = jnp.asarray(grid.empty.reshape(-1), jnp.result_type(float))
    standing = (grid.codes(pursuers) + grid.origin) * 3 + 1
    fleeing = (grid.codes(evaders) + grid.origin) * 3 + 2
    places = jnp.concatenate([standing, jnp.where(caught, empty.size, fleeing)])
    return empty.at[places].add(1.0, mode="drop")


def windows(
    grid: Grid, pursuers: Int[Array, "pursuers 2"], numbers: Float[Array, "numbers"]
) -> Float[Array, "pursuers side side 3"]:
    """Cuts out the cells within reach of every pursuer, y by x.

    Args:
        grid: Where; its reach is theirs.
        pursuers: Their positions.
        numbers: What `chart` drew.

    Returns:
        The three numbers of every cell of the (2 reach + 1)^2.
    """
    side = 2 * grid.reach + 1
    rows = grid.codes(pursuers)[:, None] + grid.stride * jnp.arange(side, dtype=pursuers.dtype)
    cut = lambda start: lax.dynamic_slice_in_dim(numbers, 3 * start, 3 * side)
    return jax.vmap(jax.vmap(cut))(rows).reshape(-1, side, side, 3)


def whole(grid: Grid, numbers: Float[Array, "numbers"]) -> Float[Array, "height width 3"]:
    """Cuts the grid, y by x, out of the `numbers` that `chart` drew."""
    length = grid.height * grid.stride
    rows = numbers[3 * grid.origin : 3 * (grid.origin + length)].reshape(grid.height, grid.stride, 3)
    return rows[:, : grid.width]
