"""D-SGD, GT-SGD, M-SGD, DIAMOND, INTERACT and SVR-INTERACT with explicit loops over agents and neighbours.

Every method takes (world, W, x0, y0, rounds, steps) with x0 (n, p), y0 (n, q), and returns the points after every
round, (rounds, n, p) and (rounds, n, q). GT-SGD by push-pull takes two matrices, which need not be symmetric.
"""

from typing import Any

import numpy as np

from numpy_methods.steps import Steps
from numpy_methods.world import World

Trajectory = tuple[np.ndarray, np.ndarray]


def neighbourhood_average(W: np.ndarray, v: list[np.ndarray], i: int) -> np.ndarray:
    """sum_j W_ij v_j over agent i and its neighbours."""
    return sum((W[i, j] * v[j] for j in np.flatnonzero(W[i])), np.zeros_like(v[i]))


def dsgd(world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: Steps) -> Trajectory:
    """x_{t+1} = W x_t - alpha G_t, y_{t+1} = y_t - beta h_t."""
    agents = range(world.agents)
    x, y, xs, ys = list(x0), list(y0), [], []
    for t in range(rounds):
        G = [world.hypergradient(t, i, x[i], y[i]) for i in agents]
        h = [world.lower_gradient(t, i, x[i], y[i]) for i in agents]
        x = [neighbourhood_average(W, x, i) - steps.alpha(t) * G[i] for i in agents]
        y = [y[i] - steps.beta(t) * h[i] for i in agents]
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


def tracked(direction: Any, world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: Steps) -> Trajectory:
    """Eq. 8 to 10 around a rule for the directions.

    Args:
        direction: (t, i, now, before, p, v) -> (p_t, v_t) of agent i: its points of this round and the last one, and
            the last round's directions; before, p and v are None in round 0.
        world: The agents.
        W: (n, n).
        x0: (n, p).
        y0: (n, q).
        rounds: How many.
        steps: The step sizes.
    """
    agents = range(world.agents)
    x, y, xs, ys = list(x0), list(y0), [], []
    before: list | None = None
    p: list = []
    v: list = []
    u: list = []
    for t in range(rounds):
        if before is None:
            made = [direction(t, i, (x[i], y[i]), None, None, None) for i in agents]
            u = [new_p for new_p, _ in made]  # u_0 = p_0
        else:
            made = [direction(t, i, (x[i], y[i]), before[i], p[i], v[i]) for i in agents]
            u = [neighbourhood_average(W, u, i) + made[i][0] - p[i] for i in agents]  # eq. 8
        p, v = [one for one, _ in made], [two for _, two in made]
        before = list(zip(x, y, strict=True))
        x = [neighbourhood_average(W, x, i) - steps.alpha(t) * u[i] for i in agents]  # eq. 9
        y = [y[i] - steps.beta(t) * v[i] for i in agents]  # eq. 10
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


def gtsgd(world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: Steps) -> Trajectory:
    """u_t = W u_{t-1} + G_t - G_{t-1}, each estimate with the sample of its own round."""

    def direction(t: int, i: int, now: tuple, before: Any, p: Any, v: Any) -> tuple:
        return world.hypergradient(t, i, *now), world.lower_gradient(t, i, *now)

    return tracked(direction, world, W, x0, y0, rounds, steps)


def gtsgd_push_pull(
    world: World, A: np.ndarray, B: np.ndarray, x0: Any, y0: Any, rounds: int, steps: Steps
) -> Trajectory:
    """u_t = B u_{t-1} + G_t - G_{t-1}, x_{t+1} = A x_t - alpha u_t: each agent pulls x, and pushes shares of u.

    Args:
        world: The agents.
        A: (n, n), rows that sum to one: agent i gives the weight A_ij to what it receives from j.
        B: (n, n), columns that sum to one: agent j sends the share B_ij of its tracker to i.
        x0: (n, p).
        y0: (n, q).
        rounds: How many.
        steps: The step sizes.
    """
    agents = range(world.agents)
    x, y, xs, ys = list(x0), list(y0), [], []
    u, G = [np.zeros_like(v) for v in x], [np.zeros_like(v) for v in x]
    for t in range(rounds):
        received: list[np.ndarray] = [np.zeros_like(v) for v in u]
        for j in agents:
            for i in np.flatnonzero(B[:, j]):
                received[i] = received[i] + B[i, j] * u[j]
        before, G = G, [world.hypergradient(t, i, x[i], y[i]) for i in agents]
        h = [world.lower_gradient(t, i, x[i], y[i]) for i in agents]
        u = [received[i] + G[i] - before[i] for i in agents]
        x = [neighbourhood_average(A, x, i) - steps.alpha(t) * u[i] for i in agents]
        y = [y[i] - steps.beta(t) * h[i] for i in agents]
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


def interact(world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: Steps) -> Trajectory:
    """Full local gradients in every round."""

    def direction(t: int, i: int, now: tuple, before: Any, p: Any, v: Any) -> tuple:
        return world.full_hypergradient(i, *now), world.full_lower_gradient(i, *now)

    return tracked(direction, world, W, x0, y0, rounds, steps)


def svr_interact(world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: Steps, period: int) -> Trajectory:
    """Full gradients when the period divides the round; the last direction plus a difference on one sample else."""

    def direction(t: int, i: int, now: tuple, before: Any, p: Any, v: Any) -> tuple:
        if t % period == 0:
            return world.full_hypergradient(i, *now), world.full_lower_gradient(i, *now)
        p = p + world.hypergradient(t, i, *now) - world.hypergradient(t, i, *before)
        v = v + world.lower_gradient(t, i, *now) - world.lower_gradient(t, i, *before)
        return p, v

    return tracked(direction, world, W, x0, y0, rounds, steps)


def momentum(world: World, steps: Steps) -> Any:
    """Eq. 6 and 7 as a rule for the directions; in round 0 the plain estimates, for eta_0 = gamma_0 = 1."""

    def direction(t: int, i: int, now: tuple, before: Any, p: Any, v: Any) -> tuple:
        G, h = world.hypergradient(t, i, *now), world.lower_gradient(t, i, *now)
        if before is None:
            return G, h
        p = G + (1 - steps.eta(t)) * (p - world.hypergradient(t, i, *before))  # eq. 6
        v = h + (1 - steps.gamma(t)) * (v - world.lower_gradient(t, i, *before))  # eq. 7
        return p, v

    return direction


def diamond(world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: Steps) -> Trajectory:
    """Algorithm 1 of DIAMOND: momentum and tracking."""
    return tracked(momentum(world, steps), world, W, x0, y0, rounds, steps)


def msgd(world: World, W: np.ndarray, x0: Any, y0: Any, rounds: int, steps: Steps) -> Trajectory:
    """Momentum without tracking: x_{t+1} = W x_t - alpha p_t."""
    agents = range(world.agents)
    direction = momentum(world, steps)
    x, y, xs, ys = list(x0), list(y0), [], []
    memory: list = [(None, None, None)] * world.agents
    for t in range(rounds):
        made = [direction(t, i, (x[i], y[i]), *memory[i]) for i in agents]
        memory = [((x[i], y[i]), *made[i]) for i in agents]
        x = [neighbourhood_average(W, x, i) - steps.alpha(t) * made[i][0] for i in agents]
        y = [y[i] - steps.beta(t) * made[i][1] for i in agents]
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)
