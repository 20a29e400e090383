"""The exact solution y* of the lower level on the full data, personal or shared over the network."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from hypergossip.core.agent_data.packed import PackedOracles
from hypergossip.core.collective import Collective, every_agent
from hypergossip.core.space import Space
from hypergossip.hypergradients.conjugate_gradient import Inner, conjugate_gradients
from hypergossip.metrics.linear_systems import (
    LINEAR_ITERATIONS,
    Direction,
    Elimination,
    Reference,
    by_elimination,
    in_double_precision,
    in_single_precision,
    refine,
)
from hypergossip.support.float64 import to_float32, to_float64

Cast = Callable[[Any], Any]
Product = Callable[[Any], Any]
System = Reference | Elimination | None  # how linear systems are solved; None: conjugate gradients in float64

RESIDUAL = 1e-9  # relative; equations.md asks for 1e-6 or better
REACHED = 1e-6  # relative: quantities whose residual is larger are not measured
ROUND_OFF = 1e-12  # an absolute residual below this counts as zero
NEWTON_STEPS = 50
ENOUGH = 0.3  # of the required residual


def any_key() -> Any:
    """Returns a key for oracles without sampling, which use all data for every key."""
    return jax.random.key(0)


class BothPrecisions(NamedTuple):
    """One agent's oracles without sampling in two precisions.

    Attributes:
        double: In float64.
        single: In float32.
    """

    double: Any
    single: Any


def both_precisions(agent: Any) -> BothPrecisions:
    """Returns an agent's oracles in both precisions, and does nothing if they already are."""
    return agent if isinstance(agent, BothPrecisions) else BothPrecisions(to_float64(agent), to_float32(agent))


def with_own_rows(network: Collective, function: Callable[..., Any], agent: Any, *arguments: Any) -> Any:
    """Calls a function of the lower level of this agent alone, as `Collective.apart` does.

    An agent whose rows are stored among those of other agents is replaced by one that holds its own lower rows. A loop
    in the function then linearises at these rows once, and waits for no other agent.

    Args:
        network: The collective operations over all agents.
        function: A function of pytrees of arrays, whose first is the agent; it uses its lower level only.
        agent: The agent's oracles without sampling, in any precision.
        arguments: The further arguments of the function.
    """
    double = agent.double if isinstance(agent, BothPrecisions) else agent
    if isinstance(double, PackedOracles):
        return double.on_lower_rows(function, *arguments)
    return network.apart(function, agent, *arguments)


class Reached(NamedTuple):
    """The solution of a system, and its residual.

    Attributes:
        solution: The agent's solution, (q,) or (p,).
        residual: The relative residual, which is infinite if a Hessian was found not to be positive definite.
    """

    solution: Any
    residual: Any


def newton(
    gradient: Callable[[Any], Any],
    direction: Direction,
    start: Any,
    inner: Inner = jnp.vdot,
    at_zero: Callable[[Any], Any] | None = None,
    enough: float = 0.0,
) -> tuple[Any, Any]:
    """Minimises a strongly convex function by Newton's method with conjugate gradients and a line search.

    Steps are halved until the norm of the gradient decreases. It decreases along a Newton direction for small steps,
    so no loss is needed. The accuracy of the linear systems increases as the gradient decreases (Dembo, Eisenstat &
    Steihaug 1982).

    Args:
        gradient: The gradient, a function of y.
        direction: A function of (y, b, tolerance) that solves H(y) d = b for the Hessian H.
        start: The starting point, an array.
        inner: The inner product.
        at_zero: The gradient at zero, a function of zeros, in any precision; None uses `gradient`.
        enough: The part of the required residual that the last linear system need not fall below.

    Returns:
        The minimiser, with a gradient of at most `RESIDUAL` times that at zero, and its relative residual. The residual
        is larger than `RESIDUAL` if the function is not strongly convex or not differentiable at the minimiser.
    """
    r = gradient(start)
    residual2, zero = inner(r, r), (at_zero or gradient)(jnp.zeros_like(start)).astype(start.dtype)
    scale = inner(zero, zero)
    # The gradient at zero may not exist, as for a norm.
    scale = jnp.where(jnp.isfinite(scale), scale, residual2)

    def unfinished(carry: tuple) -> Any:
        _, _, residual2, steps, moved = carry
        return ~(residual2 <= RESIDUAL**2 * scale) & (steps < NEWTON_STEPS) & moved

    def body(carry: tuple) -> tuple:
        y, r, residual2, steps, _ = carry
        reached = jnp.sqrt(residual2 / jnp.where(scale > 0, scale, 1.0))
        d, _ = direction(y, -r, jnp.minimum(0.1, jnp.maximum(reached, enough * RESIDUAL / reached)))

        def too_long(trial: tuple) -> Any:
            step, _, _, trial2 = trial
            return ~(trial2 < residual2) & (step > 1e-8)

        def halve(trial: tuple) -> tuple:
            return attempt(trial[0] / 2)

        def attempt(step: Any) -> tuple:
            y_new = y + step * d
            r_new = gradient(y_new)
            return step, y_new, r_new, inner(r_new, r_new)

        # One evaluation in the program, as this loop also makes the first attempt.
        untried = (jnp.full_like(residual2, 2.0), y, r, jnp.full_like(residual2, jnp.inf))
        _, y_new, r_new, new2 = lax.while_loop(too_long, halve, untried)
        moved = new2 < residual2  # at round-off level the residual no longer decreases
        keep = lambda new, old: jnp.where(moved, new, old)
        return keep(y_new, y), keep(r_new, r), keep(new2, residual2), steps + 1, moved

    y, _, residual2, _, _ = lax.while_loop(unfinished, body, (start, r, residual2, 0, jnp.asarray(True)))
    return y, relative(residual2, scale)


def relative(residual2: Any, scale2: Any) -> Any:
    """Returns a residual relative to a scale, from their squares; 0 if the residual is round-off."""
    ratio = jnp.sqrt(residual2 / jnp.where(scale2 > 0, scale2, 1.0))
    return jnp.where(residual2 <= ROUND_OFF**2, 0.0, ratio)


def solve_lower(
    agent: Any,
    space: Space,
    x: Float[Array, "p"],
    y: Float[Array, "q"],
    network: Collective,
    reference: System = None,
) -> Reached:
    """Solves the lower level of one agent on all its data.

    Personal entries minimise the agent's own g_i(x_i, .), and shared entries minimise the network's mean
    1/n sum_i g_i(x_i, .), by Newton steps whose products and inner products are means over the network.

    Args:
        agent: The agent's oracles without sampling, in any precision; gradients are computed in float64.
        space: The space of y.
        x: The agent's x.
        y: The starting point.
        network: The collective operations over all agents.
        reference: If given, linear systems are solved in float32 with its approximate inverse, or by elimination,
            which is for personal lower levels.
    """
    double = lambda agent, x, y: both_precisions(agent).double.lower_gradient(x, y, any_key())
    single = lambda agent, x, y: both_precisions(agent).single.lower_gradient(*to_float32((x, y)), any_key())
    if not any(space.shared):

        def personal(agent: Any, x: Any, y: Any, reference: System) -> tuple[Any, Any]:
            agent = both_precisions(agent)
            of = lambda function: lambda y: function(agent, x, y)
            if not isinstance(reference, Reference):
                solver = in_double_precision if reference is None else by_elimination
                return newton(of(double), solver(lambda y: hessian(agent, x, y)), y)
            direction = in_single_precision(lambda y: hessian(agent, x, y, to_float32), reference)
            return newton(of(double), direction, y, at_zero=of(single), enough=ENOUGH)

        return Reached(*with_own_rows(network, personal, agent, x, y, reference))
    average = lambda vector: network.average_shared(space, vector)
    of = lambda function: lambda y: average(network.apart(function, agent, x, y))
    linearise = lambda cast: lambda y: hessian_of_network(agent, space, x, y, network, cast)
    if not isinstance(reference, Reference):
        direction = in_double_precision(linearise(to_float64), network.inner)
        return Reached(*newton(of(double), direction, average(y), network.inner))
    direction = in_single_precision(linearise(to_float32), reference, network.inner)
    return Reached(*newton(of(double), direction, average(y), network.inner, of(single), ENOUGH))


def hessian(agent: Any, x: Any, y: Any, cast: Cast = to_float64) -> Product:
    """Returns v -> d2yy g v of one agent on all its data.

    Args:
        agent: The agent's oracles without sampling.
        x: The agent's x.
        y: The agent's y.
        cast: The precision of the product.
    """
    agent = both_precisions(agent).double if cast is to_float64 else both_precisions(agent).single
    product = agent.hessian_product(*cast((x, y)), any_key())
    return lambda v: cast(product(v))  # an oracle may compute in a precision of its own


def hessian_of_network(
    agent: Any, space: Space, x: Any, y: Any, network: Collective, cast: Cast = to_float64
) -> Product:
    """Returns v -> d2yy g v, with the network's mean of the shared entries.

    Args:
        agent: The agent's oracles without sampling.
        space: The space of y.
        x: The agent's x.
        y: The agent's y.
        network: The collective operations over all agents.
        cast: The precision of the product.
    """
    if network.block is None:
        product = hessian(agent, x, y, cast)
        return lambda v: network.average_shared(space, product(v))
    # A stored linearisation is as large as the data.
    own = lambda agent, x, y, v: hessian(agent, x, y, cast)(v)
    return lambda v: network.average_shared(space, network.apart(own, agent, x, y, v))


def solve_adjoint(
    agent: Any, space: Space, x: Any, y: Any, target: Any, network: Collective, reference: System = None
) -> Reached:
    """Solves d2yy g z = target for one agent, with the network's mean Hessian if y is shared.

    Args:
        agent: The agent's oracles without sampling.
        space: The space of y.
        x: The agent's x, (p,).
        y: The agent's y, (q,).
        target: The agent's right-hand side, (q,); its shared entries are averaged over the network.
        network: The collective operations over all agents.
        reference: As for `solve_lower`.
    """
    if not any(space.shared):

        def personal(agent: Any, x: Any, y: Any, b: Any, reference: System) -> Reached:
            agent = both_precisions(agent)
            direction = None
            if isinstance(reference, Reference):
                direction = in_single_precision(lambda y: hessian(agent, x, y, to_float32), reference)
            elif reference is not None:
                direction = by_elimination(lambda y: hessian(agent, x, y))
            return _solve_adjoint(hessian(agent, x, y), y, b, jnp.vdot, direction)

        return with_own_rows(network, personal, agent, x, y, target, reference)
    product = hessian_of_network(agent, space, x, y, network)
    linearise = lambda y: hessian_of_network(agent, space, x, y, network, to_float32)
    single = isinstance(reference, Reference)
    direction = in_single_precision(linearise, reference, network.inner) if single else None
    return _solve_adjoint(product, y, network.average_shared(space, target), network.inner, direction)


def _solve_adjoint(product: Product, y: Any, target: Any, inner: Inner, direction: Direction | None) -> Reached:
    target2 = inner(target, target)
    if direction is None:
        solved = conjugate_gradients(product, target, LINEAR_ITERATIONS, RESIDUAL, inner)
        z, residual = solved.z, jnp.where(solved.positive, relative(solved.residual2, target2), jnp.inf)
    else:
        z, residual2, positive = refine(direction, y, product, target, RESIDUAL, inner)
        residual = jnp.where(positive, relative(residual2, target2), jnp.inf)
    # The compiler may compute a target that is pure round-off twice, with different values. Its solution is zero.
    zero = target2 <= ROUND_OFF**2
    return Reached(jnp.where(zero, 0.0, z), jnp.where(zero, 0.0, residual))


def lower_solution(oracles: Any, space: Space, x: Float[Array, "agents p"], y: Float[Array, "agents q"]) -> Any:
    """Returns y* for every agent, (agents, q).

    Args:
        oracles: Every agent's oracles without sampling, with leaves (agents, ...).
        space: The space of y.
        x: Every agent's x.
        y: The starting points.
    """
    return every_agent(lambda agent, x, y, network: solve_lower(agent, space, x, y, network).solution, oracles, x, y)
