"""Approximate implicit differentiation: d2yy g z = dy f by conjugate gradients (Pedregosa 2016; Grazzi et al. 2020)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.core.algorithm import Cost, Count, Facts, Lower, Oracles, Sample, Upper
from hypergossip.core.declarations import register, static
from hypergossip.hypergradients.implicit import Adjoint, ImplicitHypergradient

Inner = Callable[[Any, Any], Any]


class Solved(NamedTuple):
    """What `conjugate_gradients` returns.

    Attributes:
        z: The solution.
        taken: The number of products taken.
        residual2: |A z - b|^2, from the recursion.
        positive: Whether v' A v was positive along every direction v, as it is for a positive definite A.
    """

    z: Any
    taken: Count
    residual2: Any
    positive: Any


def conjugate_gradients(
    product: Callable[[Any], Any],
    target: Any,
    iterations: int,
    tolerance: Any,
    inner: Inner = jnp.vdot,
    precondition: Callable[[Any], Any] | None = None,
) -> Solved:
    """Solves A z = b for a symmetric positive definite A, from z = 0, by conjugate gradients (Hestenes & Stiefel 1952).

    Args:
        product: v -> A v.
        target: b, an array.
        iterations: The largest number of products.
        tolerance: Stops at |A z - b| <= tolerance |b|.
        inner: The inner product; it differs from the default if the array is spread over a network.
        precondition: r -> M r for a symmetric positive definite M that approximates the inverse of A.

    Returns:
        The solution and its accuracy.
    """
    limit = tolerance**2 * inner(target, target)
    improved = (lambda r, residual2: (r, residual2)) if precondition is None else _improved(precondition, inner)

    def unfinished(carry: tuple) -> Any:
        _, _, _, residual2, _, taken, _ = carry
        return (taken < iterations) & (residual2 > limit)

    def body(carry: tuple) -> tuple:
        z, r, d, residual2, weighted2, taken, positive = carry
        Ad = product(d)
        curvature = inner(d, Ad)
        step = weighted2 / curvature
        z, r = z + step * d, r - step * Ad
        residual2, before = inner(r, r), weighted2
        s, weighted2 = improved(r, residual2)
        return z, r, s + weighted2 / before * d, residual2, weighted2, taken + 1, positive & (curvature > 0)

    target2 = inner(target, target)
    s, weighted2 = improved(target, target2)
    start = (jnp.zeros_like(target), target, s, target2, weighted2, jnp.zeros((), jnp.int32), jnp.asarray(True))
    z, _, _, residual2, _, taken, positive = lax.while_loop(unfinished, body, start)
    return Solved(z, taken, residual2, positive)


def _improved(precondition: Callable[[Any], Any], inner: Inner) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Returns r -> (M r, r' M r)."""

    def improved(r: Any, residual2: Any) -> tuple[Any, Any]:
        s = precondition(r)
        return s, inner(r, s)

    return improved


def solve_positive(
    product: Callable[[Any], Any], target: Any, iterations: int, tolerance: Any, inner: Inner = jnp.vdot
) -> tuple[Any, Count]:
    """Returns the solution of `conjugate_gradients` and the number of products taken.

    Args:
        product: v -> A v.
        target: b, an array.
        iterations: The largest number of products.
        tolerance: Stops at |A z - b| <= tolerance |b|.
        inner: The inner product.
    """
    return conjugate_gradients(product, target, iterations, tolerance, inner)[:2]


@register
class ConjugateGradient(ImplicitHypergradient):
    """Eq. 4, with the linear system solved by conjugate gradients, on one upper and one lower batch.

    Args:
        iterations: The largest number of Hessian-vector products.
        tolerance: The relative residual at which the solver stops; with 0 it always takes all iterations.
    """

    iterations: int = static(default=20)
    tolerance: Any = 1e-6

    def adjoint(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Adjoint:
        """Returns [d2yy g]^-1 dy f to the tolerance."""
        upper_key, lower_key = jax.random.split(key)
        fx, fy = agent.upper_gradients(x, y, upper_key)
        z, products = solve_positive(agent.hessian_product(x, y, lower_key), fy, self.iterations, self.tolerance)
        J = agent.jacobian_product(x, y, lower_key)
        return Adjoint(fx, z, J, Cost(agent.samples(upper=1, lower=1), 1, 0, products))

    def check(self, facts: Facts) -> list[str]:
        """Refuses a solver without iterations, and a negative tolerance."""
        check_solver(self.iterations, self.tolerance)
        return []


def check_solver(iterations: int, tolerance: Any) -> None:
    """Checks the options of a solver.

    Args:
        iterations: The largest number of products.
        tolerance: The relative residual at which it stops.

    Raises:
        ValueError: If there are no iterations, or the tolerance is negative.
    """
    if iterations < 1:
        raise ValueError(f"iterations = {iterations}, so the estimate would stay 0; take 1 or more.")
    if not float(tolerance) >= 0:
        raise ValueError(f"tolerance = {tolerance}; take 0 or a small positive number such as 1e-6.")
