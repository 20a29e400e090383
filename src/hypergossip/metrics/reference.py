"""The lower solution at a point near which many points are measured, and the inverse Hessian as a preconditioner."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import lax

from hypergossip.core.collective import Collective
from hypergossip.core.space import Space
from hypergossip.metrics.linear_systems import Reference
from hypergossip.metrics.lower_solution import hessian, solve_lower
from hypergossip.support.float64 import to_float32, to_float64
from hypergossip.support.pytree import register_pytree

LARGEST_INVERSE = 2048  # entries of y; a larger inverse costs more memory and time than it saves
COLUMNS_AT_ONCE = 32


@register_pytree("upper", "lower")
@dataclass(frozen=True)
class ReferenceSolution:
    """Computes an agent's lower solution at the average of the agents' x, (q,), for a `Reference`.

    The agent is a pair of the oracles and a `Reference`, from whose solution the search starts.

    Attributes:
        upper: The space of x.
        lower: The space of y.
    """

    upper: Space
    lower: Space

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> Any:
        """Returns the solution, or the starting point if the solution is not finite."""
        oracles, earlier = agent
        start = to_float64(earlier.y)
        x = network.average_shared(self.upper, x)
        solution = solve_lower(oracles.full, self.lower, x, start, network, earlier).solution
        return jnp.where(jnp.isfinite(solution).all(), solution, start)


@register_pytree("upper", "lower")
@dataclass(frozen=True)
class ReferenceInverse:
    """Computes an agent's inverse of d2yy g at (average of the x, y), (q, q) in float32, for a `Reference`.

    Attributes:
        upper: The space of x.
        lower: The space of y.
    """

    upper: Space
    lower: Space

    @property
    def possible(self) -> bool:
        """Whether there is one matrix for each agent or one for all, and it is not too large."""
        return self.lower.size <= LARGEST_INVERSE and len(set(self.lower.shared)) == 1

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> Any:
        """Returns the inverse, or the identity if the Hessian is not positive definite."""
        x, size = network.average_shared(self.upper, x), self.lower.size
        # Rows of zeros fill up the last batch, as a smaller one would be compiled anew.
        directions = jnp.eye(size + -size % min(size, COLUMNS_AT_ONCE), size, dtype=jnp.float32)

        def columns(agent: Any, x: Any, y: Any) -> Any:
            return lax.map(hessian(agent, x, y, to_float32), directions, batch_size=COLUMNS_AT_ONCE)[:size]

        H = network.apart(columns, agent.full, x, y)
        if any(self.lower.shared):
            H = network.mean(H)
        inverse = jnp.linalg.inv(H)
        inverse = (inverse + inverse.T) / 2
        return jnp.where(jnp.isfinite(jnp.linalg.cholesky(inverse)).all(), inverse, directions[:size])


@register_pytree("inverse")
@dataclass(frozen=True)
class ReferenceStart:
    """Returns an agent's y and the identity as a `Reference`, where nothing is solved yet.

    It has the types of the later references, so the program that starts from it is compiled once.

    Attributes:
        inverse: Whether the later references have an inverse.
    """

    inverse: bool

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> Reference:
        """Returns the `Reference`."""
        return Reference(y, jnp.eye(len(y), dtype=jnp.float32) if self.inverse else None)
