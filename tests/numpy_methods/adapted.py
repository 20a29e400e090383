"""CAC and MDAC with explicit loops over agents, inner steps and neighbours: consensus on either level or on both.

Both take (world, ..., W_x, W_y, x0, y0, rounds, alpha, beta, ...) with x0 (n, p), y0 (n, q), and return the points
after every round, (rounds, n, p) and (rounds, n, q). W_x and W_y are the identity where a level is not shared, or a
list of one matrix an entry.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numpy_methods.gossip import Trajectory
from numpy_methods.world import World

Schedule = Callable[[int], float]
Matrices = np.ndarray | Sequence[np.ndarray]


def combined(W: Matrices, v: list[np.ndarray], i: int) -> np.ndarray:
    """sum_j W_ij v_j, each entry with its own matrix where there is a list of them."""
    matrices = [W] * len(v[i]) if isinstance(W, np.ndarray) else W
    return np.array([sum(W[i, j] * v[j][k] for j in np.flatnonzero(W[i])) for k, W in enumerate(matrices)])


def cac(
    world: World, W_x: Matrices, W_y: Matrices, x0: Any, y0: Any, rounds: int, alpha: Schedule, beta: Schedule
) -> Trajectory:
    """Adapt: xhat_i = x_i - alpha G_i, yhat_i = y_i - beta h_i. Combine: x_i = sum_j W_ij xhat_j, y likewise.

    The points of a round are the combined ones, with which it ends; it begins at the starts as they are.
    """
    agents = range(world.agents)
    x, y, xs, ys = list(x0), list(y0), [], []
    for t in range(rounds):
        adapted_x = [x[i] - alpha(t) * world.hypergradient(t, i, x[i], y[i]) for i in agents]
        adapted_y = [y[i] - beta(t) * world.lower_gradient(t, i, x[i], y[i]) for i in agents]
        x = [combined(W_x, adapted_x, i) for i in agents]
        y = [combined(W_y, adapted_y, i) for i in agents]
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


def mdac(
    world: World,
    inner: Callable,
    W_x: Matrices,
    W_y: Matrices,
    x0: Any,
    y0: Any,
    rounds: int,
    alpha: Schedule,
    beta: Schedule,
    steps: int,
) -> Trajectory:
    """`steps` times y_i = sum_j W_ij y_j - beta h_i; then x_i = sum_j W_ij x_j - alpha G_i at the new y_i.

    An inner gradient is (t, i, s, x, y) -> dy g_i at (x, y) with the sample of inner step s of round t.
    """
    agents = range(world.agents)
    x, y, xs, ys = list(x0), list(y0), [], []
    for t in range(rounds):
        for s in range(steps):
            y = [combined(W_y, y, i) - beta(t) * inner(t, i, s, x[i], y[i]) for i in agents]
        G = [world.hypergradient(t, i, x[i], y[i]) for i in agents]
        x = [combined(W_x, x, i) - alpha(t) * G[i] for i in agents]
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)
