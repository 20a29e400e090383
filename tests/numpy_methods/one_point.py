"""Methods that take all directions of a round at one point or in turn, written with whole matrices of agents.

Every function takes a `World`, W (n, n) and the starts x0 (n, p) and y0 (n, q), and returns the points x, y and z after
every round, each (rounds, n, ...). Steps and momenta are plain numbers here.
"""

from typing import Any

import numpy as np

from numpy_methods.world import World

Trajectory = tuple[np.ndarray, np.ndarray, np.ndarray]


def directions(world: World, t: int, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, ...]:
    """D_x (n, p), D_y and D_z (n, q) of all agents at (x, y, z), in the letters of every method of this file."""
    across, down, adjoint = [], [], []
    for i in range(world.agents):
        fx, fy, H, J = world.derivatives(t, i, x[i], y[i])
        across.append(fx - J @ z[i])
        down.append(world.lower_gradient(t, i, x[i], y[i]))
        adjoint.append(H @ z[i] - fy)
    return np.array(across), np.array(down), np.array(adjoint)


def joined(points: list[tuple[np.ndarray, ...]]) -> Trajectory:
    """A list over the rounds of (x, y, z) as three arrays."""
    xs, ys, zs = zip(*points, strict=True)
    return np.array(xs), np.array(ys), np.array(zs)


def lopa(
    world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: tuple, ga: float, tau: float, tracked: bool
) -> Trajectory:
    """y and z by themselves, x by the averaged direction or by its tracker.

    Args:
        world: The agents.
        W: (n, n).
        x0: (n, p).
        y0: (n, q); z starts at zero.
        rounds: How many.
        steps: Of x, y and z.
        ga: The weight of the new direction in the average.
        tau: The relaxation of x.
        tracked: Whether x follows the tracker (LoPA-GT) or the agent's own direction (LoPA).
    """
    a, b, c = steps
    x, y, z = np.array(x0), np.array(y0), np.zeros_like(y0)
    d = u = np.zeros_like(x)
    points = []
    for t in range(rounds):
        D_x, D_y, D_z = directions(world, t, x, y, z)
        before, d = d, D_x if t == 0 else (1 - ga) * d + ga * D_x
        u = d if t == 0 else W @ u + d - before
        x = (1 - tau) * x + tau * (W @ x - a * (u if tracked else d))
        y, z = y - b * D_y, z - c * D_z
        points.append((x, y, z))
    return joined(points)
