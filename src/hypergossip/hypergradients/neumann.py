"""DIAMOND's eq. 5: a randomly truncated Neumann series, with one sample for each factor."""

from typing import Any

import jax
from jax import lax

from hypergossip.core.algorithm import Cost, Facts, Lower, Oracles, Sample, Upper
from hypergossip.core.declarations import register, static
from hypergossip.hypergradients.implicit import Adjoint, ImplicitHypergradient


@register
class Neumann(ImplicitHypergradient):
    """A Neumann series truncated at a random depth, with one independent sample for each factor (DIAMOND eq. 5).

    ``dx f - (K / L_g) d2xy g [prod_{j=1..k} (I - d2yy g / L_g)] dy f`` with k uniform on 0..K-1.
    Its mean is the K-term truncated series, whose bias is at most (C_gxy C_fy / mu_g) (1 - mu_g / L_g)^K (lemma 3).

    The cost counts the depth k that was drawn and the k + 2 samples that are evaluated. The paper reserves K + 2
    samples for an estimate, but those beyond the depth k are never used.

    Args:
        terms: K. The estimate takes k < K Hessian-vector products, (K - 1) / 2 on average.
        lipschitz: L_g, at least the largest eigenvalue of the Hessian of every sample; the series diverges at half of
            that eigenvalue.
        shared_batch: Use one lower batch for all factors and the Jacobian, instead of the independent batches of eq. 5.
            This deviates from the paper: a product of dependent factors is no longer unbiased for the product of the
            means. But the batch is drawn and linearised once, so a step takes less than half the time
            (benchmarks/step.py).
    """

    terms: int = static()
    lipschitz: Any
    shared_batch: bool = static(default=False)

    def adjoint(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> Adjoint:
        """Returns (K / L_g) [prod_{j=1..k} (I - d2yy g / L_g)] dy f."""
        upper_key, lower_key, depth_key = jax.random.split(key, 3)
        k = jax.random.randint(depth_key, (), 0, self.terms)
        fx, fy = agent.upper_gradients(x, y, upper_key)
        if self.shared_batch:
            H, J = agent.hessian_product(x, y, lower_key), agent.jacobian_product(x, y, lower_key)
            z = lax.fori_loop(0, k, lambda j, v: v - H(v) / self.lipschitz, fy)
            samples = agent.samples(upper=1, lower=1)
        else:
            zeta = lambda j: jax.random.fold_in(lower_key, j)
            H = lambda j: agent.hessian_product(x, y, zeta(j))
            J = agent.jacobian_product(x, y, zeta(0))
            z = lax.fori_loop(1, k + 1, lambda j, v: v - H(j)(v) / self.lipschitz, fy)
            samples = agent.samples(upper=1, lower=k + 1)
        return Adjoint(fx, self.terms / self.lipschitz * z, J, Cost(samples, 1, 0, k))

    def check(self, facts: Facts) -> list[str]:
        """Refuses a series that diverges, and warns if `lipschitz` is not a bound (eq. 5)."""
        return check_series(self.terms, self.lipschitz, facts)


def check_series(terms: int, lipschitz: Any, facts: Facts) -> list[str]:
    """Compares L_g with the largest curvature found, and warns if that is above L_g, as no bound holds then.

    Args:
        terms: K.
        lipschitz: L_g.
        facts: The facts known before the run.

    Raises:
        ValueError: If there are no terms, or the curvature is above 2 L_g, so that the series diverges.
    """
    largest = facts.lower_curvature[1]
    if terms < 1 or not float(lipschitz) > 0:
        raise ValueError(f"terms = {terms} and lipschitz = {lipschitz}; take terms >= 1 and lipschitz > 0.")
    if largest >= 2 * float(lipschitz):
        raise ValueError(
            f"the lower level's curvature reaches {largest:.3g}, more than twice lipschitz = "
            f"{float(lipschitz):.3g}: the series diverges. Take lipschitz of at least {largest:.3g}, or scale "
            "the lower loss down."
        )
    if largest > 1.05 * float(lipschitz):
        return [
            f"lipschitz = {float(lipschitz):.3g} does not bound the lower level's curvature, {largest:.3g} at "
            "the start: the estimate's bias is larger than eq. 5 promises, and the series may diverge later."
        ]
    return []
