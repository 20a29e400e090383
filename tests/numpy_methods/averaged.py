"""MDBO, VRDBO and MA-DSBO with explicit loops over agents and neighbours, and the draws of MA-DSBO's inner steps.

They return the points after every round, each (rounds, n, ...): x and y, and z where there is one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from numpy_methods.draws import agent_keys, table
from numpy_methods.gossip import neighbourhood_average
from numpy_methods.world import World

Matrices = tuple[np.ndarray, np.ndarray]  # the mixing of x, and that of y


class Rates(NamedTuple):
    """The steps beta_1 and beta_2, the momenta alpha_1 and alpha_2, and eta, in the paper's letters."""

    beta: tuple[float, float]
    alpha: tuple[float, float]
    eta: float


def _bilevel(estimate: Callable, W: Matrices, x0: Any, y0: Any, rounds: int, rates: Rates, world: World) -> tuple:
    """t = W t + u - u_before and v+ = v - eta (I - W) v - eta beta t around a rule for u, for both levels."""
    agents, (beta, _, eta) = range(world.agents), rates
    v = [list(x0), list(y0)]
    old = v
    u: list = []
    t: list = []
    points = []
    for r in range(rounds):
        before = u
        u = [
            [estimate(k, r, i, (v[0][i], v[1][i]), (old[0][i], old[1][i]), before[k][i] if r else None) for i in agents]
            for k in range(2)
        ]
        if r == 0:
            t = u
        else:
            t = [[neighbourhood_average(W[k], t[k], i) + u[k][i] - before[k][i] for i in agents] for k in range(2)]
        old = v
        v = [
            [v[k][i] - eta * (v[k][i] - neighbourhood_average(W[k], v[k], i)) - beta[k] * eta * t[k][i] for i in agents]
            for k in range(2)
        ]
        points.append(v)
    return tuple(np.array([point[k] for point in points]) for k in range(2))


def mdbo(world: World, W: Matrices, x0: Any, y0: Any, rounds: int, rates: Rates) -> tuple:
    """u = (1 - alpha eta) u + alpha eta G, and dy g likewise."""
    gradients = world.hypergradient, world.lower_gradient

    def estimate(k: int, r: int, i: int, now: tuple, last: tuple, u: Any) -> np.ndarray:
        weight, new = rates.alpha[k] * rates.eta, gradients[k](r, i, *now)
        return new if u is None else (1 - weight) * u + weight * new

    return _bilevel(estimate, W, x0, y0, rounds, rates, world)


def vrdbo(world: World, W: Matrices, x0: Any, y0: Any, rounds: int, rates: Rates) -> tuple:
    """u = (1 - alpha eta^2) (u + G - G at the last point) + alpha eta^2 G, both with the round's sample."""
    gradients = world.hypergradient, world.lower_gradient

    def estimate(k: int, r: int, i: int, now: tuple, last: tuple, u: Any) -> np.ndarray:
        weight, new = rates.alpha[k] * rates.eta**2, gradients[k](r, i, *now)
        if u is None:
            return new
        return (1 - weight) * (u + new - gradients[k](r, i, *last)) + weight * new

    return _bilevel(estimate, W, x0, y0, rounds, rates, world)


class Loops(NamedTuple):
    """MA-DSBO's numbers: steps a, b, c, the weight theta, the loops T and N, and what is tracked and kept."""

    steps: tuple[float, float, float]
    theta: float
    T: int
    N: int
    tracked: str | None
    keep: bool


def inner_noise_of_halves(seed: int, rounds: int, agents: int, q: int, noise: float, steps: int) -> np.ndarray:
    """(rounds, agents, steps, q): the noise of dy g in each inner step, folded from the first half of a lower key."""

    def of_agent(t: Any, i: Any) -> Any:
        first, _ = jax.random.split(agent_keys(seed, t, i)[1])
        one = lambda s: noise * jax.random.normal(jax.random.fold_in(first, s), (q,), float)
        return jax.numpy.stack([one(s) for s in range(steps)])

    return table(of_agent, rounds, agents)


def ma_dsbo(world: World, noise: Any, W: Matrices, x0: Any, y0: Any, rounds: int, s: Loops) -> tuple:
    """T steps y = W y - b t, N steps z = W z - c t, r = (1 - theta) r + theta D_x, x = W x - a r (or its tracker).

    Trackers t = W t + D - D_before begin at the first D of each loop, or go on from the last round if they are kept.
    """
    agents, (a, b, c) = range(world.agents), s.steps
    x, y, z = list(x0), list(y0), [np.zeros(len(v)) for v in y0]
    kept: dict[str, Any] = {"y": None, "z": None, "x": None}
    r: list = []
    points = []

    def follow(name: str, tracked: bool, D: list, mixing: np.ndarray) -> list:
        """The tracker after the directions D; the directions themselves if they are not tracked."""
        if not tracked:
            return D
        if kept[name] is None:
            t = D
        else:
            t, last = kept[name]
            t = [neighbourhood_average(mixing, t, i) + D[i] - last[i] for i in agents]
        kept[name] = (t, D)
        return t

    for k in range(rounds):
        if not s.keep:
            z, kept["y"], kept["z"] = [np.zeros(len(v)) for v in y0], None, None
        for inner in range(s.T):
            D = [world.full_lower_gradient(i, x[i], y[i]) + noise[k, i, inner] for i in agents]
            t = follow("y", s.tracked is not None, D, W[1])
            y = [neighbourhood_average(W[1], y, i) - b * t[i] for i in agents]
        parts = [world.derivatives(k, i, x[i], y[i]) for i in agents]
        for _ in range(s.N):
            D = [H @ z[i] - fy for i, (_, fy, H, _) in enumerate(parts)]
            t = follow("z", s.tracked is not None, D, W[1])
            z = [neighbourhood_average(W[1], z, i) - c * t[i] for i in agents]
        D = [fx - J @ z[i] for i, (fx, _, _, J) in enumerate(parts)]
        r = D if k == 0 else [(1 - s.theta) * r[i] + s.theta * D[i] for i in agents]
        t = follow("x", s.tracked == "both", r, W[0])
        x = [neighbourhood_average(W[0], x, i) - a * t[i] for i in agents]
        points.append((x, y, z))
    return tuple(np.array([point[k] for point in points]) for k in range(3))
