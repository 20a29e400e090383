"""Inexpensive checks before a run: sizes that do not match, a lower level without strong convexity, bad step sizes."""

import warnings
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from hypergossip.channels.requirements import ChannelWarning, check_channel
from hypergossip.channels.stack import Stack
from hypergossip.core.agent_data.axis import number_of_agents
from hypergossip.core.agent_data.blocks import agents_at_a_time
from hypergossip.core.algorithm import Algorithm, Facts
from hypergossip.core.collective import Collective, of_network
from hypergossip.core.flat_messages import mix_through
from hypergossip.core.heterogeneity import without_tracking
from hypergossip.core.hyperparameter_checks import check_values
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.messages import Message, messages, messages_by_running
from hypergossip.core.preset import generalised
from hypergossip.core.problem import Problem
from hypergossip.core.requirements import refuse_unmet
from hypergossip.core.space import Space
from hypergossip.core.step_bounds import check_signs
from hypergossip.hypergradients.hessian_free import measured_oracles
from hypergossip.metrics.lower_solution import solve_lower
from hypergossip.metrics.stationarity import solve_hypergradient
from hypergossip.running.starting_point import (
    check_finite,
    check_influence,
    gradient_difference,
    heterogeneity,
    measure_start,
    normalised,
)
from hypergossip.support.compilation import compiled
from hypergossip.support.devices import AXIS, mesh_of, on_devices
from hypergossip.support.float64 import calls_python, in_float64, to_float64

FINITE_DIFFERENCE = 1e-4


class PreflightWarning(UserWarning):
    """A run that may work, but has a setting that is likely to impair it."""


def preflight(
    algorithm: Algorithm, problem: Problem, network: Any, start: Any = None, channel: Stack | None = None
) -> None:
    """Refuses a run that cannot work, and issues a `PreflightWarning` for a run that is likely to fail.

    Args:
        algorithm: The algorithm.
        problem: The problem.
        network: The network.
        start: The starting points, (agents, p) and (agents, q); None uses those of the problem.
        channel: What the messages pass, or None.

    Raises:
        ValueError: If the sizes do not match, the lower level is not strongly convex, or the algorithm cannot work.
    """
    fit = fitted(algorithm, problem.upper, problem.lower)
    known = facts(problem, network, start)
    check_products(fit, problem, type(algorithm).__name__)
    for text in concerns(fit, known):
        warnings.warn(text, PreflightWarning, stacklevel=3)
    links, sizes = channel if problem.agents > 1 else None, (problem.upper.shared_size, problem.lower.shared_size)
    for text in check_channel(type(algorithm).__name__, generalised(fit), links, network, sizes):
        warnings.warn(text, ChannelWarning, stacklevel=3)


def concerns(algorithm: Algorithm, known: Facts) -> list[str]:
    """Returns warnings about a run of an algorithm whose steps are `fitted`.

    They come from the algorithm's requirements, its estimators and the algorithm itself. Each begins with the name of
    the part that it concerns.

    Args:
        algorithm: The algorithm.
        known: The facts known before the run.

    Raises:
        ValueError: If the run cannot work.
    """
    check_values(algorithm)
    name, method = type(algorithm).__name__, generalised(algorithm)
    signs = check_signs(method, name)
    refuse_unmet(name, method.needs, known)
    parts = [(type(part).__name__, part) for part in _parts(method)]
    found = [text for who, part in (*parts, (name, method)) for text in _warnings(who, part, known)]
    return [*signs, *found, *(f"{name}: {text}" for text in without_tracking(known, method, method.untracked))]


def _parts(part: Any) -> Iterator[Any]:
    """Yields the estimators of an algorithm, including nested ones."""
    for field in fields(part):
        inner = getattr(part, field.name)
        if is_dataclass(inner) and callable(getattr(inner, "check", None)):
            yield from _parts(inner)
            yield inner


def _warnings(name: str, part: Any, known: Facts) -> list[str]:
    """Returns the warnings of a part, or raises its ValueError; each message begins with the name of the part."""
    named = lambda text: text if text.startswith(name) else f"{name}: {text}"
    try:
        return list(map(named, part.check(known)))
    except ValueError as error:
        error.args = (named(str(error)),)
        raise


def sent_in_a_round(algorithm: Algorithm, problem: Problem) -> tuple[Message, ...]:
    """Returns the messages of a round of an algorithm on a problem."""
    spaces, start = (problem.upper, problem.lower), (problem.x0, problem.y0)
    try:
        return messages(algorithm, spaces, problem.agent_shapes(), *start)
    except jax.errors.ConcretizationTypeError:  # the step reads the values of its arrays, as is possible under Debug
        return messages_by_running(algorithm, spaces, problem.agent(0), *start)
    except Exception:
        check_products(algorithm, problem, type(algorithm).__name__)  # raises if this is the cause
        raise


def check_products(algorithm: Algorithm, problem: Problem, name: str) -> None:
    """Raises ValueError if an algorithm uses second derivatives that do not exist.

    Args:
        algorithm: The algorithm.
        problem: The problem.
        name: The name of the algorithm in messages.
    """
    if not problem.losses or problem.twice_differentiable:
        return

    def one_round(agent: Any, x: Any, y: Any) -> Any:
        key = jax.random.key(0)
        mix = mix_through((problem.upper, problem.lower), lambda vector, call, weights: vector)
        return algorithm.step(agent, mix, jnp.zeros((), jnp.int32), algorithm.init(agent, x, y, key), key)[0]

    try:
        jax.eval_shape(one_round, problem.agent_shapes(), problem.x0, problem.y0)
    except Exception as error:
        raise ValueError(
            f"{name} asks for second derivatives of the lower loss, which can be differentiated only once. Use an "
            "estimator whose products are differences of gradients, such as HessianFree(ConjugateGradient(10)), or "
            "give the function in the loss a derivative rule that can itself be differentiated (jax.custom_jvp)."
        ) from error


def facts(problem: Problem, network: Any, start: Any = None) -> Facts:
    """Gathers the facts that an algorithm checks; issues a `PreflightWarning` for variables without influence.

    Args:
        problem: The problem.
        network: The network.
        start: As for `preflight`.

    Raises:
        ValueError: If the sizes do not match, a quantity is not finite at the start, or the lower level is not strongly
            convex.
    """
    check_sizes(problem, network)
    shared = any(problem.upper.shared), any(problem.lower.shared)
    if not problem.losses:
        return Facts(*shared, network=network, lower_curvature=(0.0, 0.0), upper_curvature=lambda: 0.0)
    found = measure_start(problem, start)
    check_finite(problem, found)
    for text in check_influence(problem, found):
        warnings.warn(text, PreflightWarning, stacklevel=4)
    if not problem.twice_differentiable:
        warnings.warn(
            "the lower loss cannot be differentiated twice: its curvature, y* and M_t are computed from differences of "
            "its gradient, and the algorithm must compute its products in the same way (HessianFree).",
            PreflightWarning,
            stacklevel=4,
        )
    smallest, largest = found.smallest, np.maximum(found.largest, found.of_batches)
    agent = int(np.argmin(smallest))
    if not float(smallest[agent]) > 1e-10 * float(largest[agent]):
        # The term c |y|^2 adds 2 c to every curvature.
        least, most = float(smallest[agent]), float(largest[agent])
        enough = max(-1.2 * least, 0.01 * most) / 2  # the smallest curvature may be somewhat below the estimate
        raise ValueError(
            f"the lower level of {problem.agent_label(agent)} is not strongly convex at the starting point: its "
            f"curvature along some direction is {least:.3g} (largest {most:.3g}), so that its solution is not unique. "
            f"Add a regulariser c |y|^2 with c above {enough:.2g} to the lower loss. Alternatively, run without this "
            "check (check=False); what depends on y* is then measured only where a minimum is found."
        )
    return Facts(
        *shared,
        network=network,
        lower_curvature=(float(smallest.min()), float(largest.max())),
        upper_curvature=cache(lambda: upper_curvature(problem)),  # every point of a grid calls it
        heterogeneity=heterogeneity(found),
        gradient_difference=gradient_difference(found),
    )


def check_sizes(problem: Problem, network: Any) -> None:
    """Raises ValueError if a problem and a network have different numbers of agents."""
    if network.agents != problem.agents:
        raise ValueError(
            f"the network has {network.agents} agents and the problem {problem.agents}; both must have the same number."
        )


def lower_curvature(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest and largest curvature of every agent's lower level at the start, each (agents,).

    They are computed by power iteration on the full data; the largest curvature includes a few batches. The smallest
    curvature is a Rayleigh quotient, so it is never below the true value.
    """
    start = measure_start(problem)
    return start.smallest, np.maximum(start.largest, start.of_batches)


def upper_curvature(problem: Problem) -> float:
    """Returns an estimate of the largest curvature of l at x0, from differences of the true hypergradient."""
    with in_float64(calls_python(problem.oracles)):
        oracles = measured_oracles(problem.oracles, problem.twice_differentiable)
        spaces, block = (problem.upper, problem.lower), agents_at_a_time(oracles)
        return float(_upper_curvature(oracles, *spaces, problem.x0, problem.y0, block, mesh_of(oracles)))


@compiled("upper", "lower", "block", "mesh")
def _upper_curvature(
    oracles: Any, upper: Space, lower: Space, x: Any, y: Any, block: int | None, mesh: Mesh | None
) -> Any:
    def of_agent(agent: Any, x: Any, y: Any, network: Collective) -> Any:
        full = agent.full
        solve = lambda x, y: solve_lower(full, lower, x, y, network).solution
        y0 = solve(x, y)

        def gradient(x: Any) -> Any:
            return network.mean(solve_hypergradient(full, upper, lower, x, solve(x, y0), network).solution)

        def difference(v: Any) -> Any:
            ahead, behind = lax.map(lambda step: gradient(x + step * v), FINITE_DIFFERENCE * jnp.array([1.0, -1.0]))
            return (ahead - behind) / (2 * FINITE_DIFFERENCE)

        def iterate(_: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            v, _ = carry
            Hv = difference(v)
            return normalised(Hv, v), jnp.vdot(v, Hv)

        v = jax.random.normal(jax.random.key(0), x.shape, x.dtype)
        return jnp.abs(lax.fori_loop(0, 5, iterate, (v / jnp.linalg.norm(v), jnp.zeros((), x.dtype)))[1])

    def on_device(oracles: Any, x: Any, y: Any) -> Any:
        agents, (x, y) = number_of_agents(oracles), to_float64((x, y))
        oracles = to_float64(oracles) if block is None else oracles
        everywhere = lambda v: jnp.broadcast_to(v, (agents, v.size))
        return of_network(of_agent, oracles, everywhere(x), everywhere(y), block, mesh and AXIS)

    if mesh is None:
        return on_device(oracles, x, y)
    return on_devices(on_device, mesh, (P(AXIS), P(), P()), P())(oracles, x, y)
