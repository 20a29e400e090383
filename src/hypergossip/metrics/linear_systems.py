"""The linear systems of a measurement: conjugate gradients in float64, or in float32 with iterative refinement.

Very many agents with few unknowns each use elimination instead. Agents that are computed side by side wait for the
slowest: with a million agents, conjugate gradients take 170 products for systems of four unknowns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.hypergradients.conjugate_gradient import Inner, conjugate_gradients
from hypergossip.support.float64 import to_float32, to_float64
from hypergossip.support.pytree import register_pytree

Linearise = Callable[[Any], Callable[[Any], Any]]  # y -> (v -> H(y) v)
# (y, b, relative tolerance) -> an approximate solution of H(y) d = b, and whether H was positive along every direction.
Direction = Callable[[Any, Any, Any], tuple[Any, Any]]

LINEAR_ITERATIONS = 2000
SINGLE_ITERATIONS = 200
FINEST = 1e-5  # the smallest relative residual that conjugate gradients in float32 are asked for
REFINEMENTS = 12


@register_pytree()
@dataclass(frozen=True)
class Reference:
    """One agent's approximate solution of its lower level at a point that many measured points are close to.

    Attributes:
        y: The lower solution, (q,), in float64.
        inverse: The inverse of d2yy g there, (q, q), in float32; None if it would be too large.
    """

    y: Any
    inverse: Any


@register_pytree()
@dataclass(frozen=True)
class Elimination:
    """In the place of a `Reference`: every agent's systems are solved by elimination, in float64."""


def by_elimination(linearise: Linearise) -> Direction:
    """Returns a `Direction` by elimination without pivots, which a positive definite matrix does not need.

    The operations are written entry by entry, so that they are elementwise over the agents.

    Args:
        linearise: A function of y that returns v -> H(y) v, for the few unknowns of one agent.
    """

    def direction(y: Any, b: Any, tolerance: Any) -> tuple[Any, Any]:
        count = len(b)
        H = jax.vmap(linearise(y))(jnp.eye(count, dtype=b.dtype))
        rows = [[*(H[i, j] for j in range(count)), b[i]] for i in range(count)]
        positive = jnp.asarray(True)
        for k in range(count):
            positive = positive & (rows[k][k] > 0)
            for i in range(k + 1, count):
                factor = rows[i][k] / rows[k][k]
                rows[i] = [u - factor * v for u, v in zip(rows[i], rows[k], strict=True)]
        d: list[Any] = [None] * count
        for k in reversed(range(count)):
            d[k] = (rows[k][count] - sum(rows[k][j] * d[j] for j in range(k + 1, count))) / rows[k][k]
        return jnp.stack(d), positive

    return direction


def in_double_precision(linearise: Linearise, inner: Inner = jnp.vdot) -> Direction:
    """Returns a `Direction` by conjugate gradients in the precision of y.

    Args:
        linearise: A function of y that returns v -> H(y) v.
        inner: The inner product.
    """

    def direction(y: Any, b: Any, tolerance: Any) -> tuple[Any, Any]:
        solved = conjugate_gradients(linearise(y), b, LINEAR_ITERATIONS, tolerance, inner)
        return solved.z, solved.positive

    return direction


def in_single_precision(linearise: Linearise, reference: Reference, inner: Inner = jnp.vdot) -> Direction:
    """Returns a `Direction` by preconditioned conjugate gradients in float32.

    Args:
        linearise: A function of y in float32 that returns v -> H(y) v in float32.
        reference: Its inverse is the preconditioner.
        inner: The inner product.
    """
    inverse = reference.inverse
    precondition = None if inverse is None else lambda r: inverse @ r

    def direction(y: Any, b: Any, tolerance: Any) -> tuple[Any, Any]:
        size = jnp.sqrt(inner(b, b))
        # A small right-hand side would underflow in float32.
        unit = to_float32(b / jnp.where(size > 0, size, 1.0))
        within = to_float32(jnp.maximum(tolerance, FINEST))
        product = linearise(to_float32(y))
        solved = conjugate_gradients(product, unit, SINGLE_ITERATIONS, within, inner, precondition)
        return size * to_float64(solved.z), solved.positive

    return direction


def refine(
    direction: Direction, y: Any, product: Callable[[Any], Any], target: Any, tolerance: Any, inner: Inner
) -> tuple[Any, Any, Any]:
    """Solves H(y) z = b by iterative refinement: the residuals are computed in the precision of b.

    Args:
        direction: Solves H(y) d = r approximately.
        y: The point.
        product: v -> H(y) v, in the precision of b.
        target: b.
        tolerance: Stops at |H z - b| <= tolerance |b|.
        inner: The inner product.

    Returns:
        z, |H z - b|^2, and whether H was positive along every direction.
    """
    target2 = inner(target, target)

    def unfinished(carry: tuple) -> Any:
        _, _, residual2, steps, improved, positive = carry
        return ~(residual2 <= tolerance**2 * target2) & (steps < REFINEMENTS) & improved & positive

    def body(carry: tuple) -> tuple:
        z, r, residual2, steps, _, positive = carry
        reached = jnp.sqrt(residual2 / target2)
        d, along = direction(y, r, tolerance / (2 * reached))
        z_new = z + d
        r_new = target - product(z_new)
        new2 = inner(r_new, r_new)
        improved = new2 < residual2 / 4
        keep = lambda new, old: jnp.where(improved, new, old)
        return keep(z_new, z), keep(r_new, r), keep(new2, residual2), steps + 1, improved, positive & along

    start = (jnp.zeros_like(target), target, target2, 0, jnp.asarray(True), jnp.asarray(True))
    z, _, residual2, _, _, positive = lax.while_loop(unfinished, body, start)
    return z, residual2, positive
