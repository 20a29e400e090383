"""The lower level's exact solution y* on the whole data, personal or shared over the network."""

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
REACHED = 1e-6  # relative: what is solved less well is not measured
ROUND_OFF = 1e-12  # a residual below this is none, whatever it is relative to
NEWTON_STEPS = 50
LINEAR_ITERATIONS = 2000


class Reached(NamedTuple):
    """A solution, and how well it solves what it should.

    Attributes:
        solution: The agent's, (q,) or (p,).
        residual: The relative residual; infinite where a Hessian was found not to be positive definite.
    """

    solution: Any
    residual: Any


def newton(gradient: Callable, product: Callable, start: Any, inner: Inner = jnp.vdot) -> tuple[Any, Any]:
    """Minimises a strongly convex function by Newton's method with conjugate gradients and a line search.

    Steps are halved until the gradient shrinks: along a Newton direction its norm always does at first, so no loss
    is needed. The linear systems are solved only as well as the gradient is small (Dembo, Eisenstat & Steihaug 1982).

    Args:
        gradient: y -> the gradient.
        product: (y, v) -> the Hessian at y times v.
        start: Where to start, an array.
        inner: The inner product.

    Returns:
        The minimiser, to a gradient of `RESIDUAL` times that at zero, and its relative residual: more than `RESIDUAL`
        where the function is not strongly convex, or has a kink.
    """
    r = gradient(start)
    residual2, at_zero = inner(r, r), gradient(jnp.zeros_like(start))
    scale = inner(at_zero, at_zero)
    # Zero may be special: a norm has no gradient there.
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
        moved = new2 < residual2  # at round-off nothing shrinks any more
        keep = lambda new, old: jnp.where(moved, new, old)
        return keep(y_new, y), keep(r_new, r), keep(new2, residual2), steps + 1, moved

    y, _, residual2, _, _ = lax.while_loop(unfinished, body, (start, r, residual2, 0, jnp.asarray(True)))
    return y, relative(residual2, scale)


def relative(residual2: Any, scale2: Any) -> Any:
    """Returns a residual relative to a scale, from their squares; 0 where it is round-off."""
    ratio = jnp.sqrt(residual2 / jnp.where(scale2 > 0, scale2, 1.0))
    return jnp.where(residual2 <= ROUND_OFF**2, 0.0, ratio)


def solve_lower(agent: Any, space: Space, x: Float[Array, "p"], y: Float[Array, "q"], network: Collective) -> Reached:
    """Solves the lower level of one agent, on all its data.

    Personal entries minimise the agent's own g_i(x_i, .), shared ones the network's mean 1/n sum_i g_i(x_i, .): Newton
    steps whose products and inner products are means over the network.

    Args:
        agent: The agent's oracles without sampling.
        space: The space of y.
        x: The agent's x.
        y: Where to start.
        network: All agents.
    """
    key = jax.random.key(0)  # of no consequence: without sampling every key is the whole data
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
    """Solves d2yy g z = target for one agent, with the network's mean Hessian where y is shared.

    Args:
        agent: The agent's oracles without sampling.
        space: The space of y.
        x: (p,).
        y: (q,).
        target: (q,) the agent's own; shared entries of the targets are averaged.
        network: All agents.
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
    # A target of round-off is another number wherever the compiler computes it anew, and has no solution.
    none = target2 <= ROUND_OFF**2
    return Reached(jnp.where(none, 0.0, solved.z), jnp.where(none, 0.0, residual))


def lower_solution(oracles: Any, space: Space, x: Float[Array, "agents p"], y: Float[Array, "agents q"]) -> Any:
    """Returns y* for every agent, (agents, q).

    Args:
        oracles: Every agent's oracles without sampling, leaves (agents, ...).
        space: The space of y.
        x: Every agent's x.
        y: Where to start.
    """
    return every_agent(lambda agent, x, y, network: solve_lower(agent, space, x, y, network).solution, oracles, x, y)
