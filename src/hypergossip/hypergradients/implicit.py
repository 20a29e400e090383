"""The common part of the estimators of DIAMOND's eq. 4: an approximate solution z of (d2yy g) z = dy f."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from hypergossip.core.algorithm import Cost, Hypergradient, Lower, Oracles, Sample, Upper


class Adjoint(NamedTuple):
    """An estimate of [d2yy g]^-1 dy f at a point, and the other terms of eq. 4.

    Attributes:
        fx: (p,) dx f.
        z: (q,) the estimate.
        jacobian_product: v -> d2xy g v, (q,) to (p,), on the estimator's own sample.
        cost: The cost of these, without the product with d2xy g.
    """

    fx: Upper
    z: Lower
    jacobian_product: Callable[[Lower], Upper]
    cost: Cost


@runtime_checkable
class ImplicitHypergradient(Hypergradient, Protocol):
    """An estimator that solves the linear system of eq. 4 and can return the solution.

    A derived class only needs to define `adjoint`.
    """

    def adjoint(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Adjoint:
        """Returns the estimate of [d2yy g]^-1 dy f at (x, y)."""
        ...

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate of the hypergradient, (p,), and its cost."""
        return implicit(self.adjoint(agent, x, y, key))  # eq. 4


def implicit(adjoint: Adjoint) -> tuple[Upper, Cost]:
    """Returns dx f - d2xy g z (eq. 4), (p,), and the total cost."""
    return adjoint.fx - adjoint.jacobian_product(adjoint.z), adjoint.cost + Cost(jacobian_products=1)
