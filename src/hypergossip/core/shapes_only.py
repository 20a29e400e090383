"""Oracles that compute nothing, so that an algorithm's program can be traced without tracing the losses."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Count, Lower, Oracles, Sample, Upper
from hypergossip.core.lower_derivatives import Products


class ShapesOnly:
    """An agent's oracles with zeros of the right shapes in place of all values that depend on its losses.

    They have all other attributes of the agent's own oracles, and `isinstance` treats them as instances of that class.
    """

    def __init__(self, agent: Oracles) -> None:
        """Wraps an agent's oracles."""
        self._agent = agent

    # A step that checks the class of its oracles gets the same answer.
    __class__: Any = property(lambda self: type(self._agent))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agent, name)

    @property
    def full(self) -> "ShapesOnly":
        """The same oracles without sampling."""
        return ShapesOnly(self._agent.full)

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the number of samples that the agent's own oracles count."""
        return self._agent.samples(upper, lower)

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Returns zero."""
        return jnp.zeros((), x.dtype)

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns zeros, (p,) and (q,)."""
        return jnp.zeros_like(x), jnp.zeros_like(y)

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns zeros, (q,)."""
        return jnp.zeros_like(y)

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns the map to zeros, (q,) to (q,)."""
        return jnp.zeros_like

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns the map to zeros, (q,) to (p,)."""
        return lambda v: jnp.zeros_like(x)

    def lower_derivatives(self, x: Upper, y: Lower, key: Sample) -> tuple[Lower, Products]:
        """Returns zeros, (q,), and the map to zeros, (q,) to (p,) and (q,)."""
        return jnp.zeros_like(y), lambda v: (jnp.zeros_like(x), jnp.zeros_like(v))

    def project(self, x: Upper) -> Upper:
        """Returns x."""
        return x
