"""stocBiO: warm-started lower steps and a Neumann series on shrinking batches (Ji, Yang & Liang 2021, algorithm 2).

This was written from knowledge of the paper, without access to it. We could not confirm that the first of the Q factors
has B Q samples, and each further factor (1 - eta mu_g) times as many. With one batch for each factor it is the public
benchmark's solver (`studies.public_benchmark`).
"""

from typing import Any

from hypergossip.algorithms.alset import ALSET
from hypergossip.core.declarations import register, static
from hypergossip.core.preset import Preset
from hypergossip.core.schedules import StepSize
from hypergossip.hypergradients.mini_batch_neumann import MiniBatchNeumann


@register
class StocBiO(Preset, of=ALSET):
    """Stochastic bilevel optimizer: ALSET with all K terms of the Neumann series on shrinking batches.

    A round takes T warm-started lower steps and one upper step with `MiniBatchNeumann`, whose factor j has
    ``ceil(batches (1 - mu_g / L_g)^(j-1))`` separate batches. With one agent it is the paper's method. With several
    agents, x is averaged over the neighbours as in D-SGD.

    Args:
        upper_step: beta in the paper, a number or a schedule of the round, or one for each leaf.
        lower_step: alpha in the paper, likewise.
        inner_steps: T, the paper's D.
        terms: K, the paper's Q + 1.
        lipschitz: L_g, the paper's 1 / eta; at least the largest eigenvalue of the Hessian of every sample.
        strong_convexity: mu_g, at most the smallest eigenvalue of the Hessian.
        batches: The number of batches of the first factor, the paper's B Q.
    """

    upper_step: StepSize
    lower_step: StepSize
    inner_steps: int = static()
    terms: int = static()
    lipschitz: Any
    strong_convexity: Any
    batches: int = static(default=1)

    @property
    def method(self) -> ALSET:
        """ALSET with the paper's series."""
        shrink = 1 - self.strong_convexity / self.lipschitz
        series = MiniBatchNeumann(self.terms, self.lipschitz, self.batches, shrink)
        return ALSET(self.upper_step, self.lower_step, self.inner_steps, series)
