"""Quadratics whose gradients carry given noise: f = (y-d)'F(y-d)/2 + (x-e)'diag(a)(x-e)/2, g = y'Hy/2 - y'(Bx+c)."""

from typing import Any, NamedTuple

import numpy as np

from numpy_methods.world import World, exact, neumann


class Draws(NamedTuple):
    """The noise of every round and agent.

    Attributes:
        upper_x: (rounds, agents, p) added to dx f.
        upper_y: (rounds, agents, q) added to dy f.
        lower: (rounds, agents, q) added to dy g.
        depth: (rounds, agents) the depth k of eq. 5; unused by eq. 4.
    """

    upper_x: np.ndarray
    upper_y: np.ndarray
    lower: np.ndarray
    depth: np.ndarray


def quadratic_world(coefficients: Any, draws: Draws, series: tuple[int, float] | None = None) -> World:
    """Makes a world of the coefficients H, B, c, F, d, a, e, each with a leading axis of agents.

    Args:
        coefficients: Anything with these attributes.
        draws: The noise.
        series: (K, L_g) for eq. 5; None for eq. 4.
    """
    H, B, c, F, d, a, e = (np.asarray(getattr(coefficients, name), float) for name in "HBcFdae")

    def derivatives(i: int, x: np.ndarray, y: np.ndarray, noise_x: Any, noise_y: Any) -> tuple:
        return np.diag(a[i]) @ (x - e[i]) + noise_x, F[i] @ (y - d[i]) + noise_y, H[i], -B[i].T

    def estimate(i: int, x: np.ndarray, y: np.ndarray, noise_x: Any, noise_y: Any, depth: Any) -> np.ndarray:
        fx, fy, hessian, J = derivatives(i, x, y, noise_x, noise_y)
        if depth is None or series is None:
            return exact(fx, fy, hessian, J)
        return neumann(fx, fy, [hessian] * depth, J, *series)

    def full_lower_gradient(i: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return H[i] @ y - B[i] @ x - c[i]

    return World(
        agents=len(H),
        hypergradient=lambda t, i, x, y: estimate(i, x, y, draws.upper_x[t, i], draws.upper_y[t, i], draws.depth[t, i]),
        lower_gradient=lambda t, i, x, y: full_lower_gradient(i, x, y) + draws.lower[t, i],
        full_hypergradient=lambda i, x, y: estimate(i, x, y, 0.0, 0.0, None),
        full_lower_gradient=full_lower_gradient,
        derivatives=lambda t, i, x, y: derivatives(i, x, y, draws.upper_x[t, i], draws.upper_y[t, i]),
    )
