"""A summed Neumann series whose factors have separate batches (stocBiO: Ji, Yang & Liang 2021; also MRBO)."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.core.algorithm import Cost, Facts, Lower, Oracles, Sample, Upper
from hypergossip.core.declarations import register, static
from hypergossip.hypergradients.implicit import Adjoint, ImplicitHypergradient
from hypergossip.hypergradients.neumann import check_series


@register
class MiniBatchNeumann(ImplicitHypergradient):
    """All K terms of the Neumann series, factor j on ``m_j = ceil(batches shrink^(j-1))`` separate batches.

    ``dx f - (1 / L_g) d2xy g sum_{k<K} [prod_{j=1..k} (I - d2yy g(zeta_j) / L_g)] dy f``. Its mean is the truncated
    series, as for `Neumann`, but no depth is drawn. Factor 1 occurs in every term except the first, and factor K - 1
    only in the last, so later factors may be noisier: stocBiO takes shrink = 1 - mu_g / L_g.

    Args:
        terms: K, one more than the number of factors (the paper's Q + 1).
        lipschitz: L_g, the paper's 1 / eta; at least the largest eigenvalue of the Hessian of every sample.
        batches: The number of batches of the first factor.
        shrink: The ratio of the numbers of batches of two successive factors, in (0, 1]; each has at least one batch.
    """

    terms: int = static()
    lipschitz: Any
    batches: int = static(default=1)
    shrink: Any = 1.0

    def adjoint(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Adjoint:
        """Returns the sum of the series."""
        upper_key, lower_key = jax.random.split(key)
        fx, fy = agent.upper_gradients(x, y, upper_key)

        def term(j: Any, carry: tuple[Lower, Lower, Any]) -> tuple[Lower, Lower, Any]:
            total, power, drawn = carry
            factor_key, count = jax.random.fold_in(lower_key, j), self._batches_of(j)

            def add(b: Any, total: Lower) -> Lower:
                return total + agent.hessian_product(x, y, jax.random.fold_in(factor_key, b))(power)

            Hv = lax.fori_loop(0, count, add, jnp.zeros_like(power)) / count.astype(power.dtype)
            power = power - Hv / self.lipschitz
            return total + power, power, drawn + count

        total, _, drawn = lax.fori_loop(1, self.terms, term, (fy, fy, jnp.zeros((), jnp.int32)))
        J = agent.jacobian_product(x, y, jax.random.fold_in(lower_key, 0))
        cost = Cost(agent.samples(upper=1, lower=drawn + 1), 1, 0, drawn)
        return Adjoint(fx, total / self.lipschitz, J, cost)

    def check(self, facts: Facts) -> list[str]:
        """Refuses a series that diverges, and warns if `lipschitz` is not a bound."""
        if self.batches < 1 or not 0 < float(self.shrink) <= 1:
            raise ValueError(
                f"batches = {self.batches} and shrink = {self.shrink}; take batches >= 1 and shrink in (0, 1]."
            )
        return check_series(self.terms, self.lipschitz, facts)

    def _batches_of(self, j: Any) -> Any:
        before = jnp.asarray(j - 1, jnp.result_type(float))
        return jnp.maximum(1, jnp.ceil(self.batches * self.shrink**before - 1e-6)).astype(jnp.int32)
