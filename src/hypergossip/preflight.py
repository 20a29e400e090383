"""What can be seen cheaply before a run: sizes that do not fit, a lower level not strongly convex, bad steps."""

import warnings
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hypergossip.algorithm import Algorithm, Facts
from hypergossip.compilation import compiled
from hypergossip.metrics.float64 import to_float64
from hypergossip.metrics.lower_solution import lower_solution
from hypergossip.metrics.stationarity import hypergradients
from hypergossip.problem import Problem
from hypergossip.space import Space

POWER_ITERATIONS = 24
BATCHES = 4
FINITE_DIFFERENCE = 1e-4


class PreflightWarning(UserWarning):
    """A run that may work, with a setting that is likely to hurt."""


def preflight(algorithm: Algorithm, problem: Problem, network: Any) -> None:
    """Refuses a run that cannot work, and warns (`PreflightWarning`) of one that is likely not to.

    Args:
        algorithm: The algorithm that will run.
        problem: On this problem.
        network: Over this network.

    Raises:
        ValueError: If the sizes do not fit, the lower level is not strongly convex, or the algorithm refuses.
    """
    for text in algorithm.check(facts(problem, network)):
        warnings.warn(text, PreflightWarning, stacklevel=3)


def facts(problem: Problem, network: Any) -> Facts:
    """Gathers what an algorithm needs for its check.

    Raises:
        ValueError: If the sizes do not fit or the lower level is not strongly convex.
    """
    check_sizes(problem, network)
    shared = any(problem.upper.shared), any(problem.lower.shared)
    if not problem.losses:
        return Facts(*shared, network=network, lower_curvature=(0.0, 0.0), upper_curvature=lambda: 0.0)
    smallest, largest = lower_curvature(problem)
    agent = int(np.argmin(smallest))
    if not float(smallest[agent]) > 1e-10 * float(largest[agent]):
        raise ValueError(
            f"the lower level of agent {agent} is not strongly convex at the starting point: its curvature along some "
            f"direction is {float(smallest[agent]):.3g} (largest {float(largest[agent]):.3g}). Its solution is not "
            "unique; add a regulariser such as 0.01 * |y|^2 to the lower loss."
        )
    return Facts(
        *shared,
        network=network,
        lower_curvature=(float(smallest.min()), float(largest.max())),
        upper_curvature=cache(lambda: upper_curvature(problem)),  # every point of a grid asks
    )


def check_sizes(problem: Problem, network: Any) -> None:
    """Raises ValueError where a problem and a network have different numbers of agents."""
    if network.agents != problem.agents:
        raise ValueError(
            f"the network has {network.agents} agents and the problem {problem.agents}; build both for the same number."
        )


def check_numbers(algorithm: Algorithm) -> None:
    """Raises ValueError where a hyper-parameter is neither a number nor a pytree of numbers."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(algorithm):
        if not isinstance(leaf, int | float | np.number | np.ndarray | jax.Array):
            raise ValueError(
                f"{type(algorithm).__name__}{jax.tree_util.keystr(path)} is {leaf!r}, not a number. A schedule is a "
                "number, PowerDecay, or your own function of the round as jax.tree_util.Partial(function)."
            )


def lower_curvature(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest and largest curvature of every agent's lower level at the start, each (agents,).

    Power iteration on the whole data, and for the largest on a few batches too; the smallest is a Rayleigh quotient,
    so never below the truth.
    """
    with jax.enable_x64(True):
        smallest, largest = _lower_curvature(problem.oracles, problem.identities, problem.x0, problem.y0)
        return np.asarray(smallest), np.asarray(largest)


@compiled()
def _lower_curvature(oracles: Any, identities: Any, x: Any, y: Any) -> tuple[Any, Any]:
    oracles, x, y = to_float64((oracles, x, y))
    direction = jax.random.normal(jax.random.key(0), y.shape, y.dtype)

    def largest(product: Any) -> Any:
        def iterate(_: Any, v: Any) -> Any:
            return _normalised(product(v), v)

        v = lax.fori_loop(0, POWER_ITERATIONS, iterate, direction / jnp.linalg.norm(direction))
        return jnp.vdot(v, product(v))

    def of_agent(agent: Any, identity: Any) -> tuple[Any, Any]:
        H = agent.full.hessian_product(x, y, jax.random.key(0))
        top = largest(H)
        # The power iteration finds the eigenvalue of largest magnitude; a negative one is the smallest already.
        shift = jnp.abs(top)
        bottom = jnp.minimum(top, shift - largest(lambda v: shift * v - H(v)))
        keys = jax.random.split(jax.random.fold_in(jax.random.key(1), identity), BATCHES)
        batches = lax.map(lambda key: largest(agent.hessian_product(x, y, key)), keys)
        return bottom, jnp.maximum(shift, jnp.max(batches))

    return jax.vmap(of_agent)(oracles, identities)


def _normalised(Hv: Any, v: Any) -> Any:
    """Returns Hv at length one, or v where Hv is zero."""
    norm = jnp.linalg.norm(Hv)
    return jnp.where(norm > 0, Hv / jnp.where(norm > 0, norm, 1.0), v)


def upper_curvature(problem: Problem) -> float:
    """Returns an estimate of the largest curvature of l at x0, by differences of the true hypergradient."""
    with jax.enable_x64(True):
        return float(_upper_curvature(problem.oracles, problem.upper, problem.lower, problem.x0, problem.y0))


@compiled("upper", "lower")
def _upper_curvature(oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> Any:
    oracles, x, y = to_float64((oracles, x, y))
    full = oracles.full
    agents = jax.tree.leaves(oracles)[0].shape[0]
    everywhere = lambda v: jnp.broadcast_to(v, (agents, v.size))
    y0 = lower_solution(full, lower, everywhere(x), everywhere(y))

    def gradient(x: Any) -> Any:
        return jnp.mean(
            hypergradients(full, upper, lower, everywhere(x), lower_solution(full, lower, everywhere(x), y0)), axis=0
        )

    def difference(v: Any) -> Any:
        ahead, behind = lax.map(lambda step: gradient(x + step * v), FINITE_DIFFERENCE * jnp.array([1.0, -1.0]))
        return (ahead - behind) / (2 * FINITE_DIFFERENCE)

    def iterate(_: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        v, _ = carry
        Hv = difference(v)
        return _normalised(Hv, v), jnp.vdot(v, Hv)

    v = jax.random.normal(jax.random.key(0), x.shape, x.dtype)
    return jnp.abs(lax.fori_loop(0, 5, iterate, (v / jnp.linalg.norm(v), jnp.zeros((), x.dtype)))[1])
