"""LoPA: SOBA over a network, every agent with a lower level and an adjoint of its own (Niu, Xu, Sun, Huang & Chai)."""

from hypergossip.algorithms.soba import SOBA
from hypergossip.core.declarations import register
from hypergossip.core.preset import Preset
from hypergossip.core.schedules import StepSize


@register
class LoPA(Preset, of=SOBA):
    """Loopless personalized decentralized bilevel method without tracking: SOBA on several agents.

    It is the paper's local form with the direction not averaged over the rounds and x not relaxed (gamma = tau = 1);
    neither changes the fixed point, which is O(upper_step) from the optimum if the agents are heterogeneous. `LoPAGT`
    removes this bias, and has both parameters.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        adjoint_step: The step of z, likewise; its curvature is that of the lower level.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize

    @property
    def method(self) -> SOBA:
        """SOBA with the same steps."""
        return SOBA(self.upper_step, self.lower_step, self.adjoint_step)
