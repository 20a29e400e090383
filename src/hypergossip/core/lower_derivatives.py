"""The gradient and both second derivatives of the lower loss at one point and one sample."""

from collections.abc import Callable
from typing import Any

from hypergossip.core.algorithm import Lower, Oracles, Sample, Upper

Products = Callable[[Lower], tuple[Upper, Lower]]  # v -> (d2xy g v, d2yy g v)


def lower_derivatives(agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Lower, Products]:
    """Returns dy g at (x, y; key) and the map v -> (d2xy g v, d2yy g v), from one linearisation where that is possible.

    Oracles that have a method of this name compute all three together.

    Args:
        agent: The agent's oracles.
        x: The upper point, (p,).
        y: The lower point, (q,).
        key: The sample.
    """
    together: Any = getattr(agent, "lower_derivatives", None)
    if together is not None:
        return together(x, y, key)
    H, J = agent.hessian_product(x, y, key), agent.jacobian_product(x, y, key)
    return agent.lower_gradient(x, y, key), lambda v: (J(v), H(v))
