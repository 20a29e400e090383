"""What every estimator of DIAMOND's eq. 4 shares: an approximate solution z of (d2yy g) z = dy f."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from hypergossip.core.algorithm import Cost, Hypergradient, Lower, Oracles, Sample, Upper


class Adjoint(NamedTuple):
    """An estimate of [d2yy g]^-1 dy f at a point, and what eq. 4 needs beside it.

    Attributes:
        fx: (p,) dx f.
        z: (q,) the estimate.
        jacobian_product: v -> d2xy g v, (q,) to (p,), on the estimator's own sample.
        cost: What these cost; products with d2xy g come on top.
    """

    fx: Upper
    z: Lower
    jacobian_product: Callable[[Lower], Upper]
    cost: Cost


@runtime_checkable
class ImplicitHypergradient(Hypergradient, Protocol):
    """An estimator that solves the linear system of eq. 4, and can hand out the solution.

    A class that derives from it needs `adjoint` alone.
    """

    def adjoint(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Adjoint:
        """Returns the estimate of [d2yy g]^-1 dy f at (x, y)."""
        ...

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate of the hypergradient, (p,), and its cost."""
        return implicit(self.adjoint(agent, x, y, key))  # eq. 4


def implicit(adjoint: Adjoint) -> tuple[Upper, Cost]:
    """Returns dx f - d2xy g z (eq. 4), (p,), and the whole cost."""
    return adjoint.fx - adjoint.jacobian_product(adjoint.z), adjoint.cost + Cost(jacobian_products=1)
