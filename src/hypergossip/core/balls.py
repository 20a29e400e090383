"""The projection onto a ball around zero."""

from typing import Any

import jax.numpy as jnp

from hypergossip.core.algorithm import Vector


def in_ball(v: Vector, radius: Any) -> Vector:
    """Returns the nearest vector whose norm is at most the radius.

    Args:
        v: The vector.
        radius: The radius, above 0; None for no ball.
    """
    if radius is None:
        return v
    norm = jnp.linalg.norm(v)
    return v * jnp.where(norm > radius, radius / jnp.where(norm > 0, norm, 1.0), 1.0)
