"""Dif-MAML with explicit loops over agents and neighbours: adapt, then combine, on quadratics whose noise is given."""

from typing import Any

import numpy as np

from numpy_methods.gossip import Trajectory, neighbourhood_average
from numpy_methods.quadratic import Draws
from numpy_methods.single_loop_draws import inner_noise, soba_noise


def inner_step_draws(seed: int, rounds: int, agents: int, p: int, q: int, noise: float) -> Draws:
    """Draws the noise: an agent's key of the round splits into f's, whose halves are dx f's and dy f's, and dy g's.

    The inner step is the first of its kind, and so folds a 0 into its key.
    """
    first = inner_noise(seed, rounds, agents, q, noise, 1)[:, :, 0]
    return soba_noise(seed, rounds, agents, p, q, noise)._replace(lower=first)


def dif_maml(
    coefficients: Any, draws: Draws, W: np.ndarray, x0: Any, y0: Any, rounds: int, mu: Any, a: Any
) -> Trajectory:
    """Adapt: psi_i = w_i - mu grad F_i(w_i). Combine: w_i = sum_j W_ij psi_j.

    F_i(w) = f_i(w, y_0 - a dy g_i(w, y_0)). The points returned for a round are the launch model w with which the round
    ends, and the inner step that it took from the one with which it began, in the first round the agent's own start.

    Args:
        coefficients: Anything with H, B, c, F, d, a, e, each with a leading axis of agents.
        draws: The noise.
        W: (n, n).
        x0: (n, p).
        y0: (n, q).
        rounds: How many.
        mu: t -> the upper step.
        a: t -> the inner step.
    """
    H, B, c, F, d, curvature, e = (np.asarray(getattr(coefficients, name), float) for name in "HBcFdae")
    agents = range(len(H))
    w, xs, ys = list(x0), [], []
    for t in range(rounds):
        y = [y0[i] - a(t) * (H[i] @ y0[i] - B[i] @ w[i] - c[i] + draws.lower[t, i]) for i in agents]
        psi = []
        for i in agents:
            along_y = F[i] @ (y[i] - d[i]) + draws.upper_y[t, i]
            derivative = a(t) * B[i]  # of the inner step, dy / dw
            slope = curvature[i] * (w[i] - e[i]) + draws.upper_x[t, i] + derivative.T @ along_y
            psi.append(w[i] - mu(t) * slope)
        w = [neighbourhood_average(W, psi, i) for i in agents]
        xs.append(w)
        ys.append(y)
    return np.array(xs), np.array(ys)
