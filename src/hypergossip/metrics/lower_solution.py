"""The lower level's exact solution y* on the whole data, personal or shared over the network."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from hypergossip.hypergradients.conjugate_gradient import Inner, solve_positive
from hypergossip.space import Space

RESIDUAL = 1e-9  # relative; equations.md asks for 1e-6 or better
NEWTON_STEPS = 50
LINEAR_ITERATIONS = 2000


def newton(gradient: Callable, product: Callable, start: Any, inner: Inner = jnp.vdot) -> Any:
    """Minimises a strongly convex function by Newton's method with conjugate gradients and a line search.

    Steps are halved until the gradient shrinks: along a Newton direction its norm always does at first, so no loss
    is needed. The linear systems are solved only as well as the gradient is small (Dembo, Eisenstat & Steihaug 1982).

    Args:
        gradient: y -> the gradient.
        product: (y, v) -> the Hessian at y times v.
        start: Where to start, an array.
        inner: The inner product.

    Returns:
        The minimiser, to a gradient of `RESIDUAL` times that at zero.
    """
    at_zero = gradient(jnp.zeros_like(start))
    scale = inner(at_zero, at_zero)

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

    r = gradient(start)
    return lax.while_loop(unfinished, body, (start, r, inner(r, r), 0, jnp.asarray(True)))[0]


def average_shared(space: Space, vectors: Float[Array, "agents entries"]) -> Float[Array, "agents entries"]:
    """Replaces the shared entries by their mean over the agents, and leaves the private ones."""
    mean = jnp.mean(jax.vmap(space.select)(vectors), axis=0)
    return jax.vmap(lambda vector: space.replace(vector, mean))(vectors)


def lower_solution(oracles: Any, space: Space, x: Float[Array, "agents p"], y: Float[Array, "agents q"]) -> Any:
    """Returns y* for every agent, (agents, q).

    Personal entries minimise the agent's own g_i(x_i, .), shared ones the network's mean 1/n sum_i g_i(x_i, .).

    Args:
        oracles: Every agent's oracles without sampling.
        space: The space of y.
        x: Every agent's x.
        y: Where to start.
    """
    key = jax.random.key(0)  # of no consequence: without sampling every key is the whole data

    def gradient(agent: Any, x: Any, y: Any) -> Any:
        return agent.lower_gradient(x, y, key)

    def product(agent: Any, x: Any, y: Any, v: Any) -> Any:
        return agent.hessian_product(x, y, key)(v)

    if not any(space.shared):
        personal = lambda agent, x, y: newton(lambda y: gradient(agent, x, y), lambda y, v: product(agent, x, y, v), y)
        return jax.vmap(personal)(oracles, x, y)
    return newton(
        lambda y: average_shared(space, jax.vmap(gradient)(oracles, x, y)),
        lambda y, v: average_shared(space, jax.vmap(product)(oracles, x, y, v)),
        average_shared(space, y),
    )


def adjoint_solution(oracles: Any, space: Space, x: Any, y: Any, target: Float[Array, "agents q"]) -> Any:
    """Solves d2yy g z = target for every agent, with the network's mean Hessian where y is shared; (agents, q).

    Args:
        oracles: Every agent's oracles without sampling.
        space: The space of y.
        x: (agents, p).
        y: (agents, q).
        target: (agents, q).
    """
    key = jax.random.key(0)

    def product(agent: Any, x: Any, y: Any, v: Any) -> Any:
        return agent.hessian_product(x, y, key)(v)

    if not any(space.shared):
        personal = lambda agent, x, y, b: solve_positive(
            agent.hessian_product(x, y, key), b, LINEAR_ITERATIONS, RESIDUAL
        )[0]
        return jax.vmap(personal)(oracles, x, y, target)
    network = lambda v: average_shared(space, jax.vmap(product)(oracles, x, y, v))
    return solve_positive(network, average_shared(space, target), LINEAR_ITERATIONS, RESIDUAL)[0]
