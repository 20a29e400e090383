"""DAC: decentralized actor-critic (Zhang, Yang, Liu, Zhang & Basar 2018, their algorithm 2)."""

from hypergossip.algorithms.cac import CAC
from hypergossip.core.algorithm import Hypergradient
from hypergossip.core.declarations import register
from hypergossip.core.preset import Preset
from hypergossip.core.schedules import StepSize


@register
class DAC(Preset, of=CAC):
    """Decentralized actor-critic: agents agree on the critic by adapt-then-combine, and policies stay private.

    It is `CAC` on a problem that shares no entry of x, so that this part of its message is empty. The paper's critic is
    a state value together with a model of the network's mean reward, here the problem's ``reward_model``.

    Args:
        upper_step: alpha_t of the actor, a number or a schedule, or one for each leaf.
        lower_step: beta_t of the critic and the reward model, likewise; in the paper it is on the faster time scale.
        hypergradient: The estimator; `Direct` on an actor-critic.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient

    @property
    def method(self) -> CAC:
        """CAC with the same hyper-parameters."""
        return CAC(self.upper_step, self.lower_step, self.hypergradient)
