"""DSGDA-GT, FAB, C2DFB and SUN-DSBO with explicit loops over agents and neighbours, and the draws of their samples.

Every method takes directions, a function (t, i, x, y, z) -> (d_x, d_y, d_z) of agent i with its samples of round t, and
returns the points after every round: x, y and z, each (rounds, n, ...).
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from numpy_methods.draws import agent_keys, table
from numpy_methods.gossip import neighbourhood_average

Directions = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]
Pair = tuple[np.ndarray, np.ndarray]  # the mixing of x, and that of y and z
Points = tuple[np.ndarray, np.ndarray, np.ndarray]


class Losses:
    """Quadratics f = (y-d)'F(y-d)/2 + (x-e)'diag(a)(x-e)/2 and g = y'Hy/2 - y'(Bx+c) with given noise.

    `noise` holds that of dx f, dy f and dy g, each (rounds, agents, 2, ...): index 0 for the samples of (x, y), 1 for
    those of (x, z); None is no noise.
    """

    def __init__(self, coefficients: Any, noise: Any = None) -> None:
        self.H, self.B, self.c, self.F, self.d, self.a, self.e = (
            np.asarray(getattr(coefficients, name), float) for name in "HBcFdae"
        )
        self.noise = noise

    def of(self, kind: int, t: int, i: int, sample: int) -> Any:
        return 0.0 if self.noise is None else self.noise[kind][t, i, sample]

    def upper(self, t: int, i: int, sample: int, x: np.ndarray, y: np.ndarray) -> tuple:
        fx = self.a[i] * (x - self.e[i]) + self.of(0, t, i, sample)
        return fx, self.F[i] @ (y - self.d[i]) + self.of(1, t, i, sample)

    def lower(self, t: int, i: int, sample: int, x: np.ndarray, y: np.ndarray) -> tuple:
        return -self.B[i].T @ y, self.H[i] @ y - self.B[i] @ x - self.c[i] + self.of(2, t, i, sample)


def draw_noise(seed: int, rounds: int, agents: int, p: int, q: int, noise: float, two_upper: bool) -> tuple:
    """What `Losses` takes: each half of an agent's key gives one sample of (x, y) and one of (x, z).

    Without `two_upper` the upper half is the sample of (x, y) itself.
    """

    def of_agent(t: Any, i: Any) -> tuple:
        upper, lower = agent_keys(seed, t, i)
        normal = lambda key, size: noise * jax.random.normal(key, (size,), float)
        pairs = [jax.random.split(key) for key in (jax.random.split(upper) if two_upper else (upper,))]
        across = jax.numpy.stack([normal(key_x, p) for key_x, _ in pairs])
        along = jax.numpy.stack([normal(key_y, q) for _, key_y in pairs])
        return across, along, jax.numpy.stack([normal(key, q) for key in jax.random.split(lower)])

    return table(of_agent, rounds, agents)


def draw_noise_of_loops(seed: int, rounds: int, agents: int, p: int, q: int, noise: float, turns: int) -> tuple:
    """What `Losses` takes: `turns` + 1 samples of f and 2 `turns` + 2 of g in every round, from one key of each."""

    def of_agent(t: Any, i: Any) -> tuple:
        upper, lower = agent_keys(seed, t, i)
        normal = lambda key, size: noise * jax.random.normal(key, (size,), float)
        pairs = [jax.random.split(key) for key in jax.random.split(upper, turns + 1)]
        across = jax.numpy.stack([normal(key_x, p) for key_x, _ in pairs])
        along = jax.numpy.stack([normal(key_y, q) for _, key_y in pairs])
        return across, along, jax.numpy.stack([normal(key, q) for key in jax.random.split(lower, 2 * turns + 2)])

    return table(of_agent, rounds, agents)


def penalty(losses: Losses, lam: float, symmetric: bool = False) -> Directions:
    """Gradients of f(x, y) + lam (g(x, y) - g(x, z)) in x and y, and of lam g(x, z) in z.

    Symmetric: z minimises lam g - f, and the two halves of the finite difference in x are averaged.
    """

    def directions(t: int, i: int, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        (f_x, f_y), (g_x, g_y) = losses.upper(t, i, 0, x, y), losses.lower(t, i, 0, x, y)
        gz_x, gz_z = losses.lower(t, i, 1, x, z)
        d_y = f_y + lam * g_y
        if symmetric:
            fz_x, fz_z = losses.upper(t, i, 1, x, z)
            return 0.5 * (f_x + lam * g_x) + 0.5 * (fz_x - lam * gz_x), d_y, lam * gz_z - fz_z
        return f_x + lam * g_x - lam * gz_x, d_y, lam * gz_z

    return directions


def envelope(losses: Losses, mu: float, gamma: float) -> Directions:
    """Gradients of mu f(x, y) + g(x, y) - g(x, z) - |z - y|^2 / (2 gamma) in x and y, and of its negative in z."""

    def directions(t: int, i: int, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
        (f_x, f_y), (g_x, g_y) = losses.upper(t, i, 0, x, y), losses.lower(t, i, 0, x, y)
        gz_x, gz_z = losses.lower(t, i, 1, x, z)
        pull = (z - y) / gamma
        return mu * f_x + g_x - gz_x, mu * f_y + g_y + pull, gz_z + pull

    return directions


def tracked(
    directions: Directions, A: Pair, B: Pair, x0: Any, y0: Any, rounds: int, a: float, b: float, eta: Any = 1
) -> Points:
    """v = A v - step t, t = B t + m - m_before, t = m at first; m is STORM's estimate of the direction, weight eta.

    Args:
        directions: The directions.
        A: For x, and for y and z, (n, n) with rows that sum to one.
        B: Likewise, with columns that sum to one.
        x0: (n, p).
        y0: (n, q), where z starts as well.
        rounds: How many.
        a: The step of x.
        b: The step of y and z.
        eta: The weight, 1 without STORM.
    """
    agents, steps = range(len(A[0])), (a, b, b)
    v = [list(x0), list(y0), list(y0)]
    m = [directions(0, i, *(u[i] for u in v)) for i in agents]
    t = [[m[i][k] for i in agents] for k in range(3)]
    points = []
    for r in range(1, rounds + 1):
        old = v
        v = [[neighbourhood_average(A[k > 0], v[k], i) - steps[k] * t[k][i] for i in agents] for k in range(3)]
        points.append(v)
        if r == rounds:
            break
        before, m = m, []
        for i in agents:
            now, last = directions(r, i, *(u[i] for u in v)), directions(r, i, *(u[i] for u in old))
            m.append([now[k] + (1 - eta) * (before[i][k] - last[k]) for k in range(3)])
        t = [[neighbourhood_average(B[k > 0], t[k], i) + m[i][k] - before[i][k] for i in agents] for k in range(3)]
    return tuple(np.array([point[k] for point in points]) for k in range(3))


def combined(directions: Directions, W: Pair, x0: Any, y0: Any, rounds: int, a: float, b: float) -> Points:
    """v = W (v - step d) for all three at one point: SUN-DSBO-SE."""
    agents, steps = range(len(W[0])), (a, b, b)
    v = [list(x0), list(y0), list(y0)]
    points = []
    for r in range(rounds):
        d = [directions(r, i, *(u[i] for u in v)) for i in agents]
        moved = [[v[k][i] - steps[k] * d[i][k] for i in agents] for k in range(3)]
        v = [[neighbourhood_average(W[k > 0], moved[k], i) for i in agents] for k in range(3)]
        points.append(v)
    return tuple(np.array([point[k] for point in points]) for k in range(3))


def compressed_loops(
    losses: Losses,
    lam: float,
    W: Pair,
    x0: Any,
    y0: Any,
    rounds: int,
    steps: tuple[float, float],
    turns: int,
    ga: float = 1.0,
    code: Callable = lambda v: v,
) -> Points:
    """C2DFB: `turns` steps d += ga (W - I) d^ - b s, s += ga (W - I) s^ + new - old gradient, of y and z; then x.

    Before each step d^ += Q(d - d^) and s^ += Q(s - s^); all references are zero at first and kept over the rounds.

    Args:
        losses: The agents.
        lam: The penalty.
        W: For x, and for y and z, (n, n).
        x0: (n, p).
        y0: (n, q), where z starts as well.
        rounds: How many.
        steps: Of x, and of y and z.
        turns: How many inner steps.
        ga: The consensus step.
        code: Q, of one agent's vector.
    """
    (a, b), n, (W_x, W_y) = steps, len(W[0]), W
    x, t_x, old_x = np.array(x0), np.zeros_like(x0), np.zeros_like(x0)
    d = {name: np.array(y0) for name in "yz"}
    s, old, d_hat, s_hat = ({name: np.zeros_like(y0) for name in "yz"} for _ in range(4))
    coded = lambda v: np.array([code(row) for row in v])
    points = []
    for t in range(rounds):
        for k in range(turns):
            for name in "yz":
                d_hat[name] = d_hat[name] + coded(d[name] - d_hat[name])
                s_hat[name] = s_hat[name] + coded(s[name] - s_hat[name])
                new = np.array([losses.lower(t, i, 2 * k + (name == "z"), x[i], d[name][i])[1] for i in range(n)])
                if name == "y":
                    new = new + np.array([losses.upper(t, i, k, x[i], d[name][i])[1] for i in range(n)]) / lam
                s[name] = s[name] + ga * (W_y @ s_hat[name] - s_hat[name]) + new - old[name]
                d[name] = d[name] + ga * (W_y @ d_hat[name] - d_hat[name]) - b * s[name]
                old[name] = new
        d_x = []
        for i in range(n):
            g_x, gz_x = (losses.lower(t, i, 2 * turns + j, x[i], d[v][i])[0] for j, v in enumerate("yz"))
            d_x.append(losses.upper(t, i, turns, x[i], d["y"][i])[0] + lam * (g_x - gz_x))
        t_x = W_x @ t_x + np.array(d_x) - old_x
        x, old_x = W_x @ x - a * t_x, np.array(d_x)
        points.append((x, d["y"], d["z"]))
    return tuple(np.array([point[k] for point in points]) for k in range(3))


def solve_affine(residual: Callable, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """The arrays of these shapes at which an affine function of them is zero."""
    cuts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    parts = lambda z: [z[i:j].reshape(shape) for i, j, shape in zip(cuts, cuts[1:], shapes)]
    flat = lambda z: np.concatenate([np.ravel(v) for v in residual(*parts(z))])
    at_zero = flat(np.zeros(cuts[-1]))
    matrix = np.stack([flat(unit) - at_zero for unit in np.eye(cuts[-1])], axis=1)
    return parts(np.linalg.solve(matrix, -at_zero))


def optimum(directions: Directions, n: int, p: int, q: int, shared_lower: bool) -> list[np.ndarray]:
    """Where the directions vanish: x, y and z of the penalised problem, y and z of all agents or of each."""
    sizes = ((p,), (q,), (q,)) if shared_lower else ((p,), (n, q), (n, q))

    def residual(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> list:
        ys, zs = (np.broadcast_to(v, (n, q)) for v in (y, z))
        d = [directions(0, i, x, ys[i], zs[i]) for i in range(n)]
        d_x, d_y, d_z = (np.array([one[k] for one in d]) for k in range(3))
        return [d_x.sum(axis=0), *((d_y.sum(axis=0), d_z.sum(axis=0)) if shared_lower else (d_y, d_z))]

    return solve_affine(residual, *sizes)
