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


def duet(
    world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: tuple, mu: Any, radii: tuple = (np.inf, np.inf)
) -> Trajectory:
    """y and z by themselves on g_i + mu_t |y|^2 / 2, each in its ball; x by the tracker of D_x.

    Args:
        world: The agents.
        W: (n, n).
        x0: (n, p).
        y0: (n, q); z starts at zero.
        rounds: How many.
        steps: Of x, y and z.
        mu: The round -> mu_t.
        radii: Of the balls of y and z.
    """
    a, b, c = steps
    x, y, z = np.array(x0), np.array(y0), np.zeros_like(y0)
    D_x, points = np.zeros_like(x), []
    u = np.zeros_like(x)
    for t in range(rounds):
        before = D_x
        D_x, D_y, D_z = directions(world, t, x, y, z)
        u = W @ u + D_x - before
        x = W @ x - a * u
        y, z = y - b * (D_y + mu(t) * y), z - c * (D_z + mu(t) * z)
        y, z = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True) / r, 1) for v, r in zip((y, z), radii))
        points.append((x, y, z))
    return joined(points)


def root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.sqrt(np.clip(values, 0.0, None))) @ vectors.T


def matrices(correction: str, W: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, B and C of a correction, as the paper's table has them: with square roots where it has them."""
    eye = np.eye(len(W))
    return {
        "ED": (W, root(eye - W), eye),
        "EXTRA": (eye, root(eye - W), W),
        "ATC-GT": (W @ W, eye - W, eye),
        "semi-GT": (W, eye - W, W),
        "GT": (eye, eye - W, W @ W),
        "none": (W, 0 * W, eye),
    }[correction]


def sparkle(
    world: World,
    W: np.ndarray,
    x0: Any,
    y0: Any,
    rounds: int,
    steps: tuple,
    th: float,
    corrections: tuple,
    in_turn: bool = False,
) -> Trajectory:
    """s+ = A (C s - step D) - B d, d+ = d + B s+, d = 0, for s = x, y, z; the direction of x averaged by th.

    Args:
        world: The agents; in turn, those of the upper key's halves, else those of one upper and one lower key.
        W: (n, n).
        x0: (n, p).
        y0: (n, q); z starts at zero.
        rounds: How many.
        steps: Of x, y and z.
        th: The weight of the new direction.
        corrections: Of x, y and z.
        in_turn: Whether each moves at the newest point.
    """
    forms = [matrices(name, W) for name in corrections]
    x, y, z, r = np.array(x0), np.array(y0), np.zeros_like(y0), np.zeros_like(x0)
    duals = [np.zeros_like(v) for v in (x, y, z)]
    points = []

    def moved(k: int, s: np.ndarray, D: np.ndarray) -> np.ndarray:
        A, B, C = forms[k]
        new = A @ (C @ s - steps[k] * D) - B @ duals[k]
        duals[k] = duals[k] + B @ new
        return new

    for t in range(rounds):
        if in_turn:
            y = moved(1, y, directions(world, t, x, y, z)[1])
            z = moved(2, z, directions(world, t, x, y, z)[2])
            r = (1 - th) * r + th * directions(world, t, x, y, z)[0]
            x = moved(0, x, r)
        else:
            D_x, D_y, D_z = directions(world, t, x, y, z)
            r = (1 - th) * r + th * D_x
            x, y, z = moved(0, x, r), moved(1, y, D_y), moved(2, z, D_z)
        points.append((x, y, z))
    return joined(points)


def dsoba(
    world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: tuple, th: float, lower: bool = True
) -> Trajectory:
    """y+ = W (y - b D_y), z+ = W (z - c D_z), h+ = (1 - th) h + th D_x, x+ = W (x - a h+), all D at (x, y, z).

    Args:
        world: The agents.
        W: (n, n).
        x0: (n, p).
        y0: (n, q); z starts at zero.
        rounds: How many.
        steps: Of x, y and z.
        th: The weight of the new direction.
        lower: Whether y and z are averaged.
    """
    a, b, c = steps
    W_y = W if lower else np.eye(len(W))
    x, y, z, h = np.array(x0), np.array(y0), np.zeros_like(y0), np.zeros_like(x0)
    points = []
    for t in range(rounds):
        D_x, D_y, D_z = directions(world, t, x, y, z)
        h = (1 - th) * h + th * D_x
        x, y, z = W @ (x - a * h), W_y @ (y - b * D_y), W_y @ (z - c * D_z)
        points.append((x, y, z))
    return joined(points)


def ada_sdbo(world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, lower: bool = True) -> tuple:
    """m_k+ = W (m_k + |D_k|^2), m = 1; D-SOBA's moves by b = m_y^-.5, c = max(m_y, m_z)^-.5, a = c m_x^-.5.

    The steps of a round are those of the accumulators before it.

    Args:
        world: The agents.
        W: (n, n).
        x0: (n, p).
        y0: (n, q); z starts at zero.
        rounds: How many.
        lower: Whether y and z are averaged.

    Returns:
        The points x, y and z after every round, and the accumulators of x, y and z, (rounds, n, 3).
    """
    W_y = W if lower else np.eye(len(W))
    x, y, z, m = np.array(x0), np.array(y0), np.zeros_like(y0), np.ones((len(W), 3))
    points, accumulators = [], []
    for t in range(rounds):
        D = directions(world, t, x, y, z)
        b, c = m[:, 1] ** -0.5, np.maximum(m[:, 1], m[:, 2]) ** -0.5
        a = c * m[:, 0] ** -0.5
        x, y, z = W @ (x - a[:, None] * D[0]), W_y @ (y - b[:, None] * D[1]), W_y @ (z - c[:, None] * D[2])
        m = W @ (m + np.stack([(d**2).sum(axis=1) for d in D], axis=1))
        points.append((x, y, z))
        accumulators.append(m)
    return (*joined(points), np.array(accumulators))


def sldbo(
    world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: tuple, radius: float, renewed: Any
) -> Trajectory:
    """t_k = W t_k + D_k - D_k,before for k = x, y, z; x+ = W x - a t_x, y+ = W y - b t_y, z+ = proj_r(W z - c t_z).

    Args:
        world: The agents.
        W: (n, n).
        x0: (n, p).
        y0: (n, q); z starts at zero.
        rounds: How many.
        steps: Of x, y and z.
        radius: Of z's ball.
        renewed: The round -> whether the directions are renewed; else they stand, while the trackers still mix.
    """
    v = [np.array(x0), np.array(y0), np.zeros_like(y0)]
    points, D, trackers = [], [np.zeros_like(one) for one in v], [np.zeros_like(one) for one in v]
    for t in range(rounds):
        before, D = D, list(directions(world, t, *v)) if renewed(t) else D
        trackers = [W @ u + new - old for u, new, old in zip(trackers, D, before, strict=True)]
        v = [W @ one - step * u for one, step, u in zip(v, steps, trackers, strict=True)]
        norms = np.linalg.norm(v[2], axis=1, keepdims=True)
        v[2] = np.where(norms > radius, v[2] * radius / np.maximum(norms, 1e-300), v[2])
        points.append(tuple(v))
    return joined(points)
