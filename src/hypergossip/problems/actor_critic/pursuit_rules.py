"""The rules of pursuit on a grid: movement, contacts, catches and observations.

The implementation was chosen by measurements on a CPU, mapped over episodes. Contacts are comparisons of all pairs. The
obstacle is a rectangle, so comparisons locate it as well. Observations are windows of a map with a margin, whose cells
hold their three numbers adjacently, so that a row of a window is contiguous in memory.
"""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

OPEN_X, OPEN_Y = 0.3, 0.2  # the open fractions of the grid on each side of the obstacle
NEIGHBOURS = ((-1, 0), (1, 0), (0, 1), (0, -1))  # the displacements of the actions 0 to 3; 4 means stay
STAY = 4
GONE = -(1 << 24)  # the code of a cell that is far from all cells of the grid


@dataclass(frozen=True)
class Grid:
    """A grid with PettingZoo's obstacle: the rectangle of cells with 0.3 < x/width < 0.7 and 0.2 < y/height < 0.8.

    Attributes:
        width: The number of cells along x.
        height: The number of cells along y.
        reach: The number of cells that an agent sees in each direction; contacts need 1.
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
        """The stride of a cell's code, y stride + x, such that differences of codes are unambiguous within reach."""
        return self.width + max(self.reach, 1)

    @property
    def origin(self) -> int:
        """The index of the cell (0, 0) on a map with a margin of `reach`."""
        return self.reach * (self.stride + 1)

    @cached_property
    def empty(self) -> np.ndarray:
        """The map with a margin and without agents, (cells, 3): 1, 0, 0 for walls, and 0, 0, 0 for free cells."""
        cells = np.arange((self.height + 2 * self.reach) * self.stride + self.reach) - self.origin + self.reach
        y, x = cells // self.stride, cells % self.stride - self.reach
        columns, rows = self.obstacle
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        wall = ~inside | (np.isin(x, list(columns)) & np.isin(y, list(rows)))
        return np.stack([wall, np.zeros_like(wall), np.zeros_like(wall)], axis=1)

    @property
    def cells(self) -> tuple[Int[Array, "width height"], Int[Array, "width height"]]:
        """The x and the y of every cell, each (width, height)."""
        x, y = np.indices((self.width, self.height), dtype=np.int32)
        return jnp.asarray(x), jnp.asarray(y)

    def blocked(self, x: Int[Array, "*any"], y: Int[Array, "*any"]) -> Bool[Array, "*any"]:
        """Returns whether the cell (x, y) belongs to the obstacle."""
        columns, rows = self.obstacle
        return (x >= columns.start) & (x < columns.stop) & (y >= rows.start) & (y < rows.stop)

    def free(self, x: Int[Array, "*any"], y: Int[Array, "*any"]) -> Bool[Array, "*any"]:
        """Returns whether the cell (x, y) is on the grid and not part of the obstacle."""
        return (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height) & ~self.blocked(x, y)

    def borders(self, x: Int[Array, "*any"], y: Int[Array, "*any"]) -> Int[Array, "*any"]:
        """Returns the number of a cell's four neighbours that are outside the grid."""
        sides = (x == 0, x == self.width - 1, y == 0, y == self.height - 1)
        return sum((side.astype(jnp.int32) for side in sides), jnp.zeros_like(x))

    def codes(self, positions: Int[Array, "who 2"]) -> Int[Array, "who"]:
        """Returns one number per cell, such that the difference of two identifies the displacement between them."""
        return positions[:, 1] * self.stride + positions[:, 0]


def _inner(cells: int, margin: float) -> range:
    """Returns the cells strictly inside, with a margin on each side that is a fraction of the number of cells."""
    inside = [cell for cell in range(cells) if margin < cell / cells < 1.0 - margin]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def move(grid: Grid, positions: Int[Array, "who 2"], actions: Int[Array, "who"]) -> Int[Array, "who 2"]:
    """Moves every agent by one cell: left (x - 1), right, up (y + 1), down, or not at all.

    An agent that would leave the grid or enter the obstacle does not move. Any number of agents may share a cell.

    Args:
        grid: The grid.
        positions: The positions (x, y) before the move.
        actions: The actions, 0 to 4.

    Returns:
        The new positions.
    """
    steps = [(actions == k).astype(positions.dtype) for k in range(STAY)]
    x, y = positions[:, 0] + steps[1] - steps[0], positions[:, 1] + steps[2] - steps[3]
    goes = grid.free(x, y)
    return jnp.stack([jnp.where(goes, x, positions[:, 0]), jnp.where(goes, y, positions[:, 1])], axis=1)


def touches(grid: Grid, pursuers: Int[Array, "pursuers 2"], evaders: Int[Array, "evaders"]) -> Int[Array, "pursuers"]:
    """Counts the evaders on the four cells next to each pursuer.

    As in PettingZoo, a neighbour outside the grid is replaced by the pursuer's own cell. At a border, an evader on the
    pursuer's cell is therefore counted once, in a corner twice, and elsewhere not at all.

    Args:
        grid: The grid.
        pursuers: The positions of the pursuers.
        evaders: The codes of the evaders, `GONE` for those that were caught.

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
        grid: The grid.
        pursuers: The positions of the pursuers.
        evaders: The positions of the evaders.
        caught: Whether each evader was caught earlier.

    Returns:
        Which evaders are caught now, and which pursuers are next to one of these.
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
        grid: The grid.
        pursuers: The positions of the pursuers.
        evaders: The positions of the evaders.
        caught: Whether each evader was caught earlier.
        catchers: The number of pursuers that catch an evader.

    Returns:
        Which evaders are caught now, and which pursuers are on the cell of one of these.
    """
    same = grid.codes(pursuers)[:, None] == grid.codes(evaders)
    now = (jnp.sum(same, axis=0, dtype=jnp.int32) >= catchers) & ~caught
    return now, jnp.any(same & now, axis=1)


def scatter(grid: Grid, key: Key[Array, ""], allowed: Bool[Array, "width height"], many: int) -> Int[Array, "{many} 2"]:
    """Places agents one after another, each at random among the cells that are not on or next to an earlier agent.

    Every cell draws one number, and the next agent gets the remaining cell with the highest number, so each choice is
    uniform given the earlier ones. If no such cell is left, the agent gets the cell with the fewest neighbours.

    Args:
        grid: The grid.
        key: The random key.
        allowed: Whether each cell may be used.
        many: The number of agents.

    Returns:
        The positions.
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
    """Returns the map with a margin: for every cell, whether it is a wall, the number of pursuers and of evaders.

    Args:
        grid: The grid; its reach is the margin.
        pursuers: The positions of the pursuers.
        evaders: The positions of the evaders.
        caught: Whether each evader was caught earlier.

    Returns:
        `Grid.empty` with all agents, flattened.
    """
    empty = jnp.asarray(grid.empty.reshape(-1), jnp.result_type(float))
    standing = (grid.codes(pursuers) + grid.origin) * 3 + 1
    fleeing = (grid.codes(evaders) + grid.origin) * 3 + 2
    places = jnp.concatenate([standing, jnp.where(caught, empty.size, fleeing)])
    return empty.at[places].add(1.0, mode="drop")


def windows(
    grid: Grid, pursuers: Int[Array, "pursuers 2"], numbers: Float[Array, "numbers"]
) -> Float[Array, "pursuers side side 3"]:
    """Returns the window of cells within reach of every pursuer, y by x.

    Args:
        grid: The grid with the pursuers' reach.
        pursuers: The positions of the pursuers.
        numbers: The map from `chart`.

    Returns:
        The three numbers of each of the (2 reach + 1)^2 cells.
    """
    side = 2 * grid.reach + 1
    rows = grid.codes(pursuers)[:, None] + grid.stride * jnp.arange(side, dtype=pursuers.dtype)
    cut = lambda start: lax.dynamic_slice_in_dim(numbers, 3 * start, 3 * side)
    return jax.vmap(jax.vmap(cut))(rows).reshape(-1, side, side, 3)


def whole(grid: Grid, numbers: Float[Array, "numbers"]) -> Float[Array, "height width 3"]:
    """Returns the grid without the margin, y by x, from the `numbers` of `chart`."""
    length = grid.height * grid.stride
    rows = numbers[3 * grid.origin : 3 * (grid.origin + length)].reshape(grid.height, grid.stride, 3)
    return rows[:, : grid.width]
