"""The exact solution y* of the lower level on the full data, personal or shared over the network."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from hypergossip.core.collective import Collective, every_agent
from hypergossip.core.space import Space
from hypergossip.hypergradients.conjugate_gradient import Inner, conjugate_gradients, solve_positive

RESIDUAL = 1e-9  # relative; equations.md asks for 1e-6 or better
REACHED = 1e-6  # relative: quantities whose residual is larger are not measured
ROUND_OFF = 1e-12  # an absolute residual below this counts as zero
NEWTON_STEPS = 50
LINEAR_ITERATIONS = 2000


class Reached(NamedTuple):
    """The solution of a system, and its residual.

    Attributes:
        solution: The agent's solution, (q,) or (p,).
        residual: The relative residual, which is infinite if a Hessian was found not to be positive definite.
    """

    solution: Any
    residual: Any


def newton(gradient: Callable, product: Callable, start: Any, inner: Inner = jnp.vdot) -> tuple[Any, Any]:
    """Minimises a strongly convex function by Newton's method with conjugate gradients and a line search.

    Steps are halved until the norm of the gradient decreases. It decreases along a Newton direction for small steps,
    so no loss is needed. The accuracy of the linear systems increases as the gradient decreases (Dembo, Eisenstat &
    Steihaug 1982).

    Args:
        gradient: The gradient, a function of y.
        product: The product of the Hessian at y with v, a function of (y, v).
        start: The starting point, an array.
        inner: The inner product.

    Returns:
        The minimiser, with a gradient of at most `RESIDUAL` times that at zero, and its relative residual. The residual
        is larger than `RESIDUAL` if the function is not strongly convex or not differentiable at the minimiser.
    """
    r = gradient(start)
    residual2, at_zero = inner(r, r), gradient(jnp.zeros_like(start))
    scale = inner(at_zero, at_zero)
    # The gradient at zero may not exist, as for a norm.
    scale = jnp.where(jnp.isfinite(scale), scale, residual2)

    def unfinished(carry: tuple) -> Any:
        _, _, residual2, steps, moved = carry
        return ~(residual2 <= RESIDUAL**2 * scale) & (steps < NEWTON_STEPS) & moved

    def body(carry: tuple) -> tuple:
        y, r, residual2, steps, _ = carry
        forcing = jnp.minimum(0.1, jnp.sqrt(residual2 / jnp.where(scale > 0, scale, 1.0)))
        direction, _ = solve_positive(lambda v: product(y, v), -r, LINEAR_ITERATIONS, forcing, inner)

        def too_long(trial: tuple) -> Any:
            step, _, _, trial2 = trial
            return ~(trial2 < residual2) & (step > 1e-8)

        def halve(trial: tuple) -> tuple:
            return attempt(trial[0] / 2)

        def attempt(step: Any) -> tuple:
            y_new = y + step * direction
            r_new = gradient(y_new)
            return step, y_new, r_new, inner(r_new, r_new)

        _, y_new, r_new, new2 = lax.while_loop(too_long, halve, attempt(jnp.ones_like(residual2)))
        moved = new2 < residual2  # at round-off level the residual no longer decreases
        keep = lambda new, old: jnp.where(moved, new, old)
        return keep(y_new, y), keep(r_new, r), keep(new2, residual2), steps + 1, moved

    y, _, residual2, _, _ = lax.while_loop(unfinished, body, (start, r, residual2, 0, jnp.asarray(True)))
    return y, relative(residual2, scale)


def relative(residual2: Any, scale2: Any) -> Any:
    """Returns a residual relative to a scale, from their squares; 0 if the residual is round-off."""
    ratio = jnp.sqrt(residual2 / jnp.where(scale2 > 0, scale2, 1.0))
    return jnp.where(residual2 <= ROUND_OFF**2, 0.0, ratio)


def solve_lower(agent: Any, space: Space, x: Float[Array, "p"], y: Float[Array, "q"], network: Collective) -> Reached:
    """Solves the lower level of one agent on all its data.

    Personal entries minimise the agent's own g_i(x_i, .), and shared entries minimise the network's mean
    1/n sum_i g_i(x_i, .), by Newton steps whose products and inner products are means over the network.

    Args:
        agent: The agent's oracles without sampling.
        space: The space of y.
        x: The agent's x.
        y: The starting point.
        network: The collective operations over all agents.
    """
    key = jax.random.key(0)  # has no influence, because oracles without sampling use the full data for every key
    gradient = lambda agent, x, y: agent.lower_gradient(x, y, key)
    product = lambda agent, x, y, v: agent.hessian_product(x, y, key)(v)
    if not any(space.shared):

        def personal(agent: Any, x: Any, y: Any) -> tuple[Any, Any]:
            return newton(lambda y: gradient(agent, x, y), lambda y, v: product(agent, x, y, v), y)

        return Reached(*network.apart(personal, agent, x, y))
    average = lambda vector: network.average_shared(space, vector)
    return Reached(
        *newton(
            lambda y: average(network.apart(gradient, agent, x, y)),
            lambda y, v: average(network.apart(product, agent, x, y, v)),
            average(y),
            network.inner,
        )
    )


def solve_adjoint(agent: Any, space: Space, x: Any, y: Any, target: Any, network: Collective) -> Reached:
    """Solves d2yy g z = target for one agent, with the network's mean Hessian if y is shared.

    Args:
        agent: The agent's oracles without sampling.
        space: The space of y.
        x: The agent's x, (p,).
        y: The agent's y, (q,).
        target: The agent's right-hand side, (q,); its shared entries are averaged over the network.
        network: The collective operations over all agents.
    """
    key = jax.random.key(0)
    if not any(space.shared):
        personal = lambda agent, x, y, b: _solve_adjoint(agent.hessian_product(x, y, key), b, jnp.vdot)
        return network.apart(personal, agent, x, y, target)
    average = lambda vector: network.average_shared(space, vector)
    product = lambda agent, x, y, v: agent.hessian_product(x, y, key)(v)
    network_product = lambda v: average(network.apart(product, agent, x, y, v))
    return _solve_adjoint(network_product, average(target), network.inner)


def _solve_adjoint(product: Callable, target: Any, inner: Inner) -> Reached:
    solved = conjugate_gradients(product, target, LINEAR_ITERATIONS, RESIDUAL, inner)
    target2 = inner(target, target)
    residual = jnp.where(solved.positive, relative(solved.residual2, target2), jnp.inf)
    # The compiler may compute a target that is pure round-off twice, with different values. Its solution is zero.
    zero = target2 <= ROUND_OFF**2
    return Reached(jnp.where(zero, 0.0, solved.z), jnp.where(zero, 0.0, residual))


def lower_solution(oracles: Any, space: Space, x: Float[Array, "agents p"], y: Float[Array, "agents q"]) -> Any:
    """Returns y* for every agent, (agents, q).

    Args:
        oracles: Every agent's oracles without sampling, with leaves (agents, ...).
        space: The space of y.
        x: Every agent's x.
        y: The starting points.
    """
    return every_agent(lambda agent, x, y, network: solve_lower(agent, space, x, y, network).solution, oracles, x, y)
