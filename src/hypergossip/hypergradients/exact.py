"""DIAMOND's eq. 4 as it stands, with the full Hessian: for tests, small problems and full-gradient methods."""

import jax
import jax.numpy as jnp

from hypergossip.algorithm import Cost, Facts, Lower, Oracles, Sample, Upper, register


@register
class Exact:
    """Eq. 4 with a dense solve, on one upper and one lower batch.

    The Hessian is q Hessian-vector products, and the solve takes q^3 operations: for q up to about a thousand.
    """

    def __call__(self, problem: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate, (p,), and its cost."""
        upper_key, lower_key = jax.random.split(key)
        fx, fy = problem.upper_gradients(x, y, upper_key)
        H = jax.vmap(problem.hessian_product(x, y, lower_key))(jnp.eye(y.size, dtype=y.dtype))
        G = fx - problem.jacobian_product(x, y, lower_key)(jnp.linalg.solve(H, fy))  # eq. 4
        return G, Cost(problem.samples(upper=1, lower=1), 1, 0, y.size, 1)

    def check(self, facts: Facts) -> list[str]:
        """Has nothing to refuse."""
        return []
