"""SUSTAIN: a single time scale with STORM on both levels (Khanduri et al. 2021, algorithm 1)."""

from hypergossip.algorithms.diamond import Diamond
from hypergossip.core.algorithm import Hypergradient
from hypergossip.core.declarations import register
from hypergossip.core.preset import Preset
from hypergossip.core.schedules import Momentum, StepSize


@register
class Sustain(Preset, of=Diamond):
    """Single-timescale double-momentum stochastic approximation: DIAMOND with one agent.

    ``y+ = y - beta_t h_t`` and ``x+ = project(x - alpha_t G_t)``, where h_t and G_t are STORM's estimates of dy g
    and of the hypergradient at (x_t, y_t). With one agent DIAMOND's tracker is G_t, and this is the paper's method.
    With several agents it is DIAMOND.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf; the paper uses ``PowerDecay(1, w, 1/3)``.
        lower_step: beta_t, likewise; the paper uses c_beta alpha_t.
        upper_momentum: eta_t of G in [0, 1], a number, a schedule or `SquaredStep`, which the paper uses; always 1
            in round 0.
        lower_momentum: eta_t of h, likewise.
        hypergradient: The estimator; the paper's is `Neumann`.
    """

    upper_step: StepSize
    lower_step: StepSize
    upper_momentum: Momentum
    lower_momentum: Momentum
    hypergradient: Hypergradient

    @property
    def method(self) -> Diamond:
        """DIAMOND with the same hyper-parameters."""
        steps = self.upper_step, self.lower_step
        return Diamond(*steps, self.upper_momentum, self.lower_momentum, self.hypergradient)
