"""SLAM's primal-dual form over edges for x, y and the adjoint z, with one dual variable an edge for each."""

from typing import Any

import numpy as np

from numpy_methods.slam import Scales
from numpy_methods.world import World

Trajectory = tuple[np.ndarray, np.ndarray, np.ndarray]


def slam_tracked(
    world: World, A: np.ndarray, x0: Any, y0: Any, rounds: int, adjoint_step: float, s: Scales
) -> Trajectory:
    """Eq. 4b, 4d, 5a and 5b of Lu et al. 2022, with z between y and x.

    Args:
        world: The agents.
        A: (edges, n) the incidence matrix, so that A'A is the Laplacian.
        x0: (n, p).
        y0: (n, q); z starts at zero.
        rounds: How many.
        adjoint_step: The step of z.
        s: The other numbers.
    """
    A_x, A_y = A * s.upper, A * s.lower
    x, y, z = np.array(x0), np.array(y0), np.zeros_like(y0)
    dual_x, dual_y, dual_z = (np.zeros((len(A), v.shape[1])) for v in (x, y, z))
    points = []
    for r in range(rounds):
        h_g = np.array([world.lower_gradient(r, i, x[i], y[i]) for i in range(world.agents)])
        y = y - (h_g + s.gamma * A_y.T @ (dual_y + s.rho * A_y @ y)) / s.beta(r)
        dual_y = dual_y + s.rho / s.gamma * A_y @ y

        at_new_y = [world.derivatives(r, i, x[i], y[i]) for i in range(world.agents)]
        h_z = np.array([H @ z_i - fy for (_, fy, H, _), z_i in zip(at_new_y, z)])
        z = z - adjoint_step * (h_z + s.gamma * A_y.T @ (dual_z + s.rho * A_y @ z))
        dual_z = dual_z + s.rho / s.gamma * A_y @ z

        h_f = np.array([fx - J @ z_i for (fx, _, _, J), z_i in zip(at_new_y, z)])
        x = x - (h_f + s.gamma * A_x.T @ (dual_x + s.rho * A_x @ x)) / s.alpha(r)
        dual_x = dual_x + s.rho / s.gamma * A_x @ x
        points.append((x, y, z))
    xs, ys, zs = zip(*points)
    return np.array(xs), np.array(ys), np.array(zs)
