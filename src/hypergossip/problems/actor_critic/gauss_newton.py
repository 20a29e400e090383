"""Gauss-Newton directions of a critic: temporal differences as a least-squares step (Nedić & Bertsekas 2003)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hypergossip.core.algorithm import Lower
from hypergossip.hypergradients.conjugate_gradient import conjugate_gradients

TOLERANCE = 1e-6


def gauss_newton(
    outputs: Callable[[Lower], Float[Array, "time episodes numbers"]],
    y: Lower,
    gradient: Lower,
    alive: Bool[Array, "time episodes"],
    damping: float,
    iterations: int,
) -> Lower:
    """Returns ``(C + damping I)^-1 gradient``, C being the mean of ``grad V(s) grad V(s)'`` over the steps of a sample.

    For a critic that is linear in y this is the direction of least-squares policy evaluation, LSPE(lambda), with the
    matrix of the sample instead of that of all samples. All agents see the same states, so their matrices differ only
    as far as their critics do, and where the mean of the gradients is 0, so is that of the directions, except for the
    correlation of a sample's matrix with its gradient.

    Args:
        outputs: y -> the critic's values, and the reward model's predictions if there is one.
        y: The point.
        gradient: The gradient at y.
        alive: Whether each episode had not ended before each step.
        damping: What is added to C, positive.
        iterations: The largest number of products with C.
    """
    seen, forward = jax.linearize(outputs, y)
    backward = jax.linear_transpose(forward, y)
    played = alive.astype(seen.dtype)[..., None]
    weights = played / jnp.maximum(1, jnp.sum(played))
    product = lambda v: backward(weights * forward(v))[0] + damping * v
    return conjugate_gradients(product, gradient, iterations, TOLERANCE).z
