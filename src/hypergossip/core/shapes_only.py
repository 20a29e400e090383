"""Oracles that compute nothing: what an algorithm's program needs to be traced without tracing anybody's losses."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Count, Lower, Oracles, Sample, Upper


class ShapesOnly:
    """An agent's oracles with zeros of the right shapes in place of everything that depends on its losses.

    Whatever else the agent's own oracles have, these have, too, and they pass for one of their class.
    """

    def __init__(self, agent: Oracles) -> None:
        """Stands for an agent's oracles."""
        self._agent = agent

    # So that a step which asks for its oracles' class gets the same answer.
    __class__: Any = property(lambda self: type(self._agent))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agent, name)

    @property
    def full(self) -> "ShapesOnly":
        """The same without sampling."""
        return ShapesOnly(self._agent.full)

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """As the oracles'."""
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

    def project(self, x: Upper) -> Upper:
        """Returns x."""
        return x
