"""check_hypergradient: compares an estimator with finite differences of the true upper-level function l."""

import warnings
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.algorithm import Hypergradient
from hypergossip.core.collective import Collective, of_network
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.problem import Problem
from hypergossip.hypergradients.hessian_free import measured_oracles
from hypergossip.metrics.lower_solution import REACHED, solve_lower
from hypergossip.metrics.selection import MeasurementWarning
from hypergossip.running.argument_types import check_estimator, check_problem
from hypergossip.support.arguments import seed_number
from hypergossip.support.compilation import compiled
from hypergossip.support.devices import refuse_several_processes
from hypergossip.support.float64 import calls_python, in_float64, to_float64


class HypergradientCheck(NamedTuple):
    """The result of `check_hypergradient`.

    Attributes:
        relative_error: |estimate - truth| / |truth| over the tested directions, where the truth is computed by finite
            differences of l. It is NaN if the lower solution was not reached.
        standard_error: The standard error of `relative_error` for estimators that draw random numbers, and 0 for the
            others.
        lower_residual: |dy g| at the computed lower solution, relative to |dy g| at y = 0; the maximum over agents and
            points.
        estimate: The mean estimate along each direction, (directions,).
        truth: The derivative of l along each direction, (directions,).
    """

    relative_error: float
    standard_error: float
    lower_residual: float
    estimate: np.ndarray
    truth: np.ndarray


def check_hypergradient(
    problem: Problem,
    estimator: Hypergradient,
    *,
    x: Any = None,
    directions: int = 8,
    draws: int = 64,
    step: float = 1e-4,
    seed: int = 0,
) -> HypergradientCheck:
    """Compares an estimator, on the full data and averaged over the agents, with finite differences of the true l.

    Everything runs in float64, and the lower level is solved to round-off at every point. If heterogeneous agents share
    the lower level, an estimator with local second derivatives is biased, and this function reports the bias.

    Args:
        problem: The problem; all agents get the same x.
        estimator: The estimator.
        x: The point at which to compare, one agent's pytree. None uses a random point near the starting point, because
            zero is often special.
        directions: The number of random directions. If x has no more coordinates than that, they are used instead.
        draws: The number of keys over which an estimate is averaged.
        step: The step of the central differences, relative to the larger of the norm of x and 1.
        seed: The seed of the directions and the draws, below 2**32.

    Returns:
        The errors, the derivatives along every direction, and the residual. If the lower solution was not reached, one
        `MeasurementWarning` is issued.

    Raises:
        ValueError: If part of the problem's x is personal (l is a function of one x), an argument has the wrong type,
            or a step does not fit.
    """
    check_problem(problem)
    check_estimator(estimator)
    seed = seed_number(seed)
    if not all(problem.upper.shared):
        raise ValueError("check_hypergradient needs an upper level that is wholly shared, as l is a function of one x.")
    refuse_several_processes(problem.oracles, "check_hypergradient", "check it on fewer agents, in one process")
    estimator = fitted(estimator, problem.upper, problem.lower)
    random = np.random.default_rng(seed)
    size = problem.upper.size
    with in_float64(calls_python(problem.oracles)):
        oracles, y0 = to_float64((measured_oracles(problem.oracles, problem.twice_differentiable), problem.y0))
        full = oracles.full
        if x is None:
            point = np.asarray(problem.x0, np.float64) + 0.1 * random.standard_normal(size)
        else:
            point = np.asarray(problem.upper.ravel(jax.tree.map(jnp.asarray, x)), np.float64)
        chosen = np.eye(size) if size <= directions else random.standard_normal((directions, size))
        chosen = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
        everywhere = lambda v: jnp.broadcast_to(v, (problem.agents, v.size))
        any_key = jax.random.key(0)

        def loss(agent: Any, x: Any, y0: Any, network: Collective) -> tuple[Any, Any]:
            y, residual = solve_lower(agent, problem.lower, x, y0, network)
            return network.mean(agent.upper_loss(x, y, any_key)), network.largest(residual)

        def estimate(agent: Any, x: Any, y0: Any, network: Collective, keys: Any) -> tuple[Any, Any]:
            y, residual = solve_lower(agent, problem.lower, x, y0, network)
            each = lambda key: network.mean(estimator(agent, x, y, key)[0])
            return jax.lax.map(each, keys), network.largest(residual)

        @compiled()
        def value(full: Any, x: Any, y0: Any) -> tuple[Any, Any]:
            return of_network(loss, full, everywhere(x), everywhere(y0))

        @compiled()
        def estimates(full: Any, x: Any, y0: Any, keys: Any) -> tuple[Any, Any]:
            return of_network(partial(estimate, keys=keys), full, everywhere(x), everywhere(y0))

        width = step * max(1.0, float(np.linalg.norm(point)))
        ends = [(value(full, point + width * v, y0), value(full, point - width * v, y0)) for v in chosen]
        truth = np.array([(above - below) / (2 * width) for (above, _), (below, _) in ends])
        samples, residual = jax.block_until_ready(
            estimates(full, point, y0, jax.random.split(jax.random.key(seed), draws))
        )
        along = np.asarray(samples) @ chosen.T
        residual = float(np.max([residual, *(end[1] for pair in ends for end in pair)]))
    if not residual <= REACHED:
        warnings.warn(
            f"check_hypergradient: the lower solution was not reached (relative residual {residual:.2g}, required "
            f"{REACHED:g}), so there is no true hypergradient to compare with. The lower level is probably not "
            "strongly convex or not smooth.",
            MeasurementWarning,
            stacklevel=2,
        )
    mean = along.mean(axis=0)
    scale = max(float(np.linalg.norm(truth)), np.finfo(float).tiny)
    spread = float(np.linalg.norm(along.std(axis=0, ddof=1))) / np.sqrt(draws) if draws > 1 else 0.0
    error = float(np.linalg.norm(mean - truth)) / scale if residual <= REACHED else float("nan")
    return HypergradientCheck(error, spread / scale, residual, mean, truth)
