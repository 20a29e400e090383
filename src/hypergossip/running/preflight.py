"""What can be seen cheaply before a run: sizes that do not fit, a lower level not strongly convex, bad steps."""

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

from hypergossip.core.agent_data.axis import number_of_agents
from hypergossip.core.agent_data.blocks import agents_at_a_time
from hypergossip.core.algorithm import Algorithm, Facts
from hypergossip.core.collective import Collective, of_network
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.messages import Message, messages, messages_by_running, mix_through
from hypergossip.core.preset import generalised
from hypergossip.core.problem import Problem
from hypergossip.core.requirements import refuse_unmet
from hypergossip.core.space import Space
from hypergossip.core.step_bounds import check_signs
from hypergossip.hypergradients.hessian_free import measured_oracles
from hypergossip.metrics.lower_solution import solve_lower
from hypergossip.metrics.stationarity import solve_hypergradient
from hypergossip.running.starting_point import check_finite, check_influence, measure_start, normalised
from hypergossip.support.compilation import compiled
from hypergossip.support.devices import AXIS, mesh_of, on_devices
from hypergossip.support.float64 import calls_python, in_float64, to_float64

FINITE_DIFFERENCE = 1e-4


class PreflightWarning(UserWarning):
    """A run that may work, with a setting that is likely to hurt."""


def preflight(algorithm: Algorithm, problem: Problem, network: Any, start: Any = None) -> None:
    """Refuses a run that cannot work, and warns (`PreflightWarning`) of one that is likely not to.

    Args:
        algorithm: The algorithm that will run.
        problem: On this problem.
        network: Over this network.
        start: Where the agents start, (agents, p) and (agents, q); None: all where the problem says.

    Raises:
        ValueError: If the sizes do not fit, the lower level is not strongly convex, or the algorithm refuses.
    """
    fit = fitted(algorithm, problem.upper, problem.lower)
    known = facts(problem, network, start)
    check_products(fit, problem, type(algorithm).__name__)
    for text in concerns(fit, known):
        warnings.warn(text, PreflightWarning, stacklevel=3)


def concerns(algorithm: Algorithm, known: Facts) -> list[str]:
    """Returns what is likely to hurt a run of an algorithm whose steps are `fitted`, or raises ValueError.

    Its needs, its estimator and itself are asked, and each sentence begins with the name of whom it is about.

    Args:
        algorithm: The algorithm.
        known: What is known before the run.
    """
    name, method = type(algorithm).__name__, generalised(algorithm)
    signs = check_signs(method, name)
    refuse_unmet(name, method.needs, known)
    parts = [(type(part).__name__, part) for part in _parts(method)]
    return [*signs, *(text for who, part in (*parts, (name, method)) for text in _said(who, part, known))]


def _parts(part: Any) -> Iterator[Any]:
    """Yields the estimators of an algorithm, and those within them."""
    for field in fields(part):
        inner = getattr(part, field.name)
        if is_dataclass(inner) and callable(getattr(inner, "check", None)):
            yield from _parts(inner)
            yield inner


def _said(name: str, part: Any, known: Facts) -> list[str]:
    """Returns the warnings of a part under its name, or raises its ValueError under it."""
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
    except jax.errors.ConcretizationTypeError:  # it looks at its values, as one does under Debug
        return messages_by_running(algorithm, spaces, problem.agent(0), *start)


def check_products(algorithm: Algorithm, problem: Problem, name: str) -> None:
    """Raises ValueError where an algorithm asks for second derivatives that do not exist.

    Args:
        algorithm: The algorithm.
        problem: The problem.
        name: What to call the algorithm.
    """
    if not problem.losses or problem.twice_differentiable:
        return

    def one_round(agent: Any, x: Any, y: Any) -> Any:
        key = jax.random.key(0)
        mix = mix_through((problem.upper, problem.lower), lambda vector, call: vector)
        return algorithm.step(agent, mix, jnp.zeros((), jnp.int32), algorithm.init(agent, x, y, key), key)[0]

    try:
        jax.eval_shape(one_round, problem.agent_shapes(), problem.x0, problem.y0)
    except Exception as error:
        raise ValueError(
            f"{name} asks for second derivatives of the lower loss, which can be differentiated only once. Take an "
            "estimator whose products are differences of gradients, such as HessianFree(ConjugateGradient(10)), or "
            "give the loss's own function a derivative rule that can be differentiated (jax.custom_jvp)."
        ) from error


def facts(problem: Problem, network: Any, start: Any = None) -> Facts:
    """Gathers what an algorithm needs for its check, and warns (`PreflightWarning`) of variables without influence.

    Args:
        problem: The problem.
        network: The network.
        start: As for `preflight`.

    Raises:
        ValueError: If the sizes do not fit, something is not finite at the start, or the lower level is not strongly
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
            "its gradient, and so must be the algorithm's products (HessianFree).",
            PreflightWarning,
            stacklevel=4,
        )
    smallest, largest = found.smallest, np.maximum(found.largest, found.of_batches)
    agent = int(np.argmin(smallest))
    if not float(smallest[agent]) > 1e-10 * float(largest[agent]):
        # c |y|^2 adds 2 c to every curvature.
        least, most = float(smallest[agent]), float(largest[agent])
        enough = max(-1.2 * least, 0.01 * most) / 2  # the smallest curvature may lie somewhat below the one found
        raise ValueError(
            f"the lower level of {problem.agent_label(agent)} is not strongly convex at the starting point: its "
            f"curvature along some direction is {least:.3g} (largest {most:.3g}), so that its solution is not unique. "
            f"Add a regulariser c |y|^2 to the lower loss, c above {enough:.2g}; or run it at your own risk with "
            "check=False: what depends on y* is then measured only where a minimum is found."
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


def lower_curvature(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest and largest curvature of every agent's lower level at the start, each (agents,).

    Power iteration on the whole data, and for the largest on a few batches too; the smallest is a Rayleigh quotient,
    so never below the truth.
    """
    start = measure_start(problem)
    return start.smallest, np.maximum(start.largest, start.of_batches)


def upper_curvature(problem: Problem) -> float:
    """Returns an estimate of the largest curvature of l at x0, by differences of the true hypergradient."""
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
