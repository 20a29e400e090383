"""SLAM in stacked matrices: the primal-dual form over edges (eq. 4, 5) and Algorithm 1's recursion (eq. 6, 7)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from numpy_methods.gossip import Trajectory
from numpy_methods.world import World


class Scales(NamedTuple):
    """SLAM's numbers.

    Attributes:
        alpha: r -> the inverse upper step.
        beta: r -> the inverse lower step.
        gamma: The scale of the duals.
        rho: The penalty.
        upper: Is there consensus on x?
        lower: On y?
    """

    alpha: Callable[[int], float]
    beta: Callable[[int], float]
    gamma: float
    rho: float
    upper: bool
    lower: bool


def primal_dual(world: World, A: np.ndarray, x0: Any, y0: Any, rounds: int, s: Scales) -> Trajectory:
    """Eq. 4b, 4d, 5a and 5b with one dual variable an edge.

    Args:
        world: The agents.
        A: (edges, n) the incidence matrix, so that A'A is the Laplacian.
        x0: (n, p).
        y0: (n, q).
        rounds: How many.
        s: The numbers.
    """
    x, y = np.array(x0), np.array(y0)
    A_x, A_y = A * s.upper, A * s.lower
    dual_x, dual_y = np.zeros((len(A), x.shape[1])), np.zeros((len(A), y.shape[1]))  # lambda, omega
    xs, ys = [], []
    for r in range(rounds):
        h_g = np.array([world.lower_gradient(r, i, x[i], y[i]) for i in range(world.agents)])
        y = y - (h_g + s.gamma * A_y.T @ (dual_y + s.rho * A_y @ y)) / s.beta(r)  # 5a
        dual_y = dual_y + s.rho / s.gamma * A_y @ y  # 4b
        h_f = np.array([world.hypergradient(r, i, x[i], y[i]) for i in range(world.agents)])
        x = x - (h_f + s.gamma * A_x.T @ (dual_x + s.rho * A_x @ x)) / s.alpha(r)  # 5b
        dual_x = dual_x + s.rho / s.gamma * A_x @ x  # 4d
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


def recursion(world: World, L: np.ndarray, x0: Any, y0: Any, rounds: int, s: Scales) -> Trajectory:
    """Algorithm 1 (eq. 6a, 6b) with the mixing matrices of eq. 7, for steps that do not change; 8 b where L is zero.

    Args:
        world: The agents.
        L: (n, n) the Laplacian.
        x0: (n, p).
        y0: (n, q).
        rounds: How many.
        s: The numbers.
    """
    n = world.agents
    alpha, beta = s.alpha(0), s.beta(0)

    def matrices(inverse_step: float) -> tuple[np.ndarray, np.ndarray]:
        tau = inverse_step / s.gamma
        return np.eye(n) - (1 + 1 / s.gamma) * s.rho / (2 * tau) * L, np.eye(n) - s.rho / tau * L

    W_f, W_f1 = matrices(alpha)
    W_g, W_g1 = matrices(beta)
    x, y = np.array(x0), np.array(y0)
    x_prev, y_prev, h_f_prev, h_g_prev = x, y, np.zeros_like(x), np.zeros_like(y)
    xs, ys = [], []
    for r in range(rounds):
        h_g = np.array([world.lower_gradient(r, i, x[i], y[i]) for i in range(n)])
        if not s.lower:
            y_next = y - h_g / beta
        elif r == 0:
            y_next = W_g1 @ y - h_g / beta
        else:
            y_next = 2 * W_g @ y - W_g1 @ y_prev - (h_g - h_g_prev) / beta  # 6a
        h_f = np.array([world.hypergradient(r, i, x[i], y_next[i]) for i in range(n)])
        if not s.upper:
            x_next = x - h_f / alpha
        elif r == 0:
            x_next = W_f1 @ x - h_f / alpha
        else:
            x_next = 2 * W_f @ x - W_f1 @ x_prev - (h_f - h_f_prev) / alpha  # 6b
        x, y, x_prev, y_prev, h_f_prev, h_g_prev = x_next, y_next, x, y, h_f, h_g
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)
