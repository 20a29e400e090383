"""The mean of DIAMOND's eq. 5 over its depth: all K terms of the Neumann series, summed."""

from typing import Any

import jax
from jax import lax

from hypergossip.core.algorithm import Cost, Facts, Lower, Oracles, Sample, Upper
from hypergossip.core.declarations import register, static
from hypergossip.hypergradients.implicit import Adjoint, ImplicitHypergradient
from hypergossip.hypergradients.neumann import check_series


@register
class TruncatedNeumann(ImplicitHypergradient):
    """All K terms of the Neumann series on one upper and one lower batch.

    ``dx f - (1 / L_g) d2xy g sum_{k<K} (I - d2yy g / L_g)^k dy f``: the deterministic counterpart of `Neumann`,
    its mean over the depth k that eq. 5 draws.

    Args:
        terms: K, one more than the number of Hessian-vector products.
        lipschitz: L_g, at least the largest eigenvalue of the Hessian; the series diverges at half of that eigenvalue.
    """

    terms: int = static()
    lipschitz: Any

    def adjoint(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Adjoint:
        """Returns the sum of the series."""
        upper_key, lower_key = jax.random.split(key)
        fx, fy = agent.upper_gradients(x, y, upper_key)
        H = agent.hessian_product(x, y, lower_key)

        def term(_: Any, carry: tuple[Lower, Lower]) -> tuple[Lower, Lower]:
            total, power = carry
            power = power - H(power) / self.lipschitz
            return total + power, power

        total, _ = lax.fori_loop(1, self.terms, term, (fy, fy))
        J = agent.jacobian_product(x, y, lower_key)
        return Adjoint(fx, total / self.lipschitz, J, Cost(agent.samples(upper=1, lower=1), 1, 0, self.terms - 1))

    def check(self, facts: Facts) -> list[str]:
        """Refuses a series that diverges, and warns if `lipschitz` is not a bound (eq. 5)."""
        return check_series(self.terms, self.lipschitz, facts)
