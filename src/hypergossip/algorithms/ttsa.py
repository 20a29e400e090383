"""TTSA: one lower step, then one upper step at the new y, on two time scales (Hong, Wai, Wang & Yang 2020)."""

from hypergossip.algorithms.alset import ALSET
from hypergossip.core.algorithm import Hypergradient
from hypergossip.core.declarations import register
from hypergossip.core.preset import Preset
from hypergossip.core.schedules import StepSize


@register
class TTSA(Preset, of=ALSET):
    """Two-time-scale stochastic approximation: ALSET with one lower step in each round.

    ``y+ = y - beta_k dy g(x, y)``, then ``x+ = project(x - alpha_k G(x, y+))``. In the paper, alpha_k / beta_k
    goes to zero. With one agent and such steps it is the paper's method. With several agents, x is averaged over the
    neighbours as in D-SGD.

    Args:
        upper_step: alpha_k, a number or a schedule, or one for each leaf; the paper uses ``PowerDecay(c, 1, 3/5)`` for
            a nonconvex l.
        lower_step: beta_k, likewise; the paper uses ``PowerDecay(c, 1, 2/5)``.
        hypergradient: The estimator G; the paper's is `Neumann`.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient

    @property
    def method(self) -> ALSET:
        """ALSET with T = 1."""
        return ALSET(self.upper_step, self.lower_step, 1, self.hypergradient)
