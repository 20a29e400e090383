"""Products with second derivatives by differences of gradients: the Hessian approximation of DIAMOND's conclusion."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypergossip.core.algorithm import (
    Cost,
    Count,
    Facts,
    Hypergradient,
    LossOracles,
    Lower,
    Oracles,
    Sample,
    Upper,
    Vector,
)
from hypergossip.core.declarations import register
from hypergossip.hypergradients.implicit import Adjoint, ImplicitHypergradient
from hypergossip.support.pytree import register_pytree


@register_pytree()
@dataclass(frozen=True)
class DifferencedOracles:
    """Oracles whose products are central differences of gradients. All other oracles are unchanged.

    ``d2yy g v = (dy g(x, y + r v) - dy g(x, y - r v)) / 2r``, and ``d2xy g v`` is the same difference of dx g. They
    are exact if g is quadratic in y, and have an error of O(r^2) otherwise.

    Attributes:
        oracles: The oracles.
        radius: |r v| relative to 1 + |y|; None: the cube root of the floating type's precision, which balances
            rounding and truncation errors (6e-6 in float64, 5e-3 in float32).
    """

    oracles: LossOracles
    radius: Any

    @property
    def full(self) -> "DifferencedOracles":
        """The same problem without sampling."""
        return differenced(self.oracles.full, self.radius)

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Calls `samples` of the oracles."""
        return self.oracles.samples(upper, lower)

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Calls `upper_loss` of the oracles."""
        return self.oracles.upper_loss(x, y, key)

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Calls `upper_gradients` of the oracles."""
        return self.oracles.upper_gradients(x, y, key)

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Calls `lower_gradient` of the oracles."""
        return self.oracles.lower_gradient(x, y, key)

    def lower_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Calls `lower_gradients` of the oracles."""
        return self.oracles.lower_gradients(x, y, key)

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns v -> d2yy g v from two lower gradients."""
        return self._difference(lambda y: self.oracles.lower_gradient(x, y, key), y)

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns v -> d2xy g v from two lower gradients."""
        return self._difference(lambda y: self.oracles.lower_gradients(x, y, key)[0], y)

    def project(self, x: Upper) -> Upper:
        """Calls `project` of the oracles."""
        return self.oracles.project(x)

    def _difference(self, gradient: Callable[[Lower], Vector], y: Lower) -> Callable[[Lower], Vector]:
        radius = jnp.finfo(y.dtype).eps ** (1 / 3) if self.radius is None else jnp.asarray(self.radius, y.dtype)

        def product(v: Lower) -> Vector:
            size = jnp.linalg.norm(v)
            r = radius * (1 + jnp.linalg.norm(y)) / jnp.where(size > 0, size, 1.0)
            return (gradient(y + r * v) - gradient(y - r * v)) / (2 * r)

        return product


@register
class HessianFree(Hypergradient):
    """Any estimator with its products replaced by differences of gradients, so that no second derivative is formed.

    A product costs two lower gradients. It saves memory and the linearised program but not time, as two gradients take
    about as many operations as one exact product. Its main use is for losses that can be differentiated only once.

    Args:
        hypergradient: The estimator.
        radius: See `DifferencedOracles`.
    """

    hypergradient: Hypergradient
    radius: Any = None

    def adjoint(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Adjoint:
        """Returns the estimator's own solution of the linear system, with differences for products.

        Raises:
            TypeError: If the estimator solves no linear system, or the oracles do not provide dx g.
        """
        if not isinstance(self.hypergradient, ImplicitHypergradient):
            raise TypeError(f"HessianFree: {type(self.hypergradient).__name__} solves no linear system.")
        adjoint = self.hypergradient.adjoint(differenced(agent, self.radius), x, y, key)
        return adjoint._replace(cost=in_gradients(adjoint.cost))

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate, (p,), and its cost.

        Raises:
            TypeError: If the oracles do not provide dx g.
        """
        estimate, cost = self.hypergradient(differenced(agent, self.radius), x, y, key)
        return estimate, in_gradients(cost)

    def check(self, facts: Facts) -> list[str]:
        """Refuses a radius that is not positive."""
        if self.radius is not None and not float(self.radius) > 0:
            raise ValueError(f"radius = {self.radius}; take a positive one such as 1e-3, or None.")
        return []


def measured_oracles(oracles: Any, twice_differentiable: bool) -> Any:
    """Returns the oracles for measurements: with differences if second derivatives do not exist.

    Args:
        oracles: The oracles of one agent or of all agents.
        twice_differentiable: Whether the lower loss can be differentiated twice.
    """
    return oracles if twice_differentiable else differenced(oracles)


def differenced(agent: Oracles, radius: Any = None) -> DifferencedOracles:
    """Returns oracles whose products are differences of gradients.

    Args:
        agent: The oracles.
        radius: See `DifferencedOracles`.

    Raises:
        TypeError: If the oracles do not provide dx g.
    """
    if not isinstance(agent, LossOracles):
        raise TypeError(
            f"HessianFree: {type(agent).__name__} has no lower_gradients(x, y, key) -> (dx g, dy g), whose "
            "differences replace the products; add it to the oracles, or use their own products."
        )
    return DifferencedOracles(agent, radius)


def in_gradients(cost: Cost) -> Cost:
    """Returns a cost in which every product counts as two lower gradients."""
    products = cost.hessian_products + cost.jacobian_products
    return Cost(cost.samples, cost.upper_gradients, cost.lower_gradients + 2 * products)
