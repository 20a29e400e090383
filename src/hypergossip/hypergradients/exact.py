"""DIAMOND's eq. 4 with the full Hessian, for tests, small problems and full-gradient methods."""

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Cost, Lower, Oracles, Sample, Upper
from hypergossip.core.declarations import register
from hypergossip.hypergradients.implicit import Adjoint, ImplicitHypergradient


@register
class Exact(ImplicitHypergradient):
    """Eq. 4 with a dense solve, on one upper and one lower batch.

    The Hessian takes q Hessian-vector products, and the solve takes q^3 operations, so q should be at most about 1000.
    """

    def adjoint(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Adjoint:
        """Returns [d2yy g]^-1 dy f by a dense solve."""
        upper_key, lower_key = jax.random.split(key)
        fx, fy = agent.upper_gradients(x, y, upper_key)
        H = jax.vmap(agent.hessian_product(x, y, lower_key))(jnp.eye(y.size, dtype=y.dtype))
        J = agent.jacobian_product(x, y, lower_key)
        return Adjoint(fx, jnp.linalg.solve(H, fy), J, Cost(agent.samples(upper=1, lower=1), 1, 0, y.size))
