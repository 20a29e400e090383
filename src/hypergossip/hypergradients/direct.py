"""Only dx f, for upper oracles that already return the hypergradient, such as a policy gradient."""

from hypergossip.core.algorithm import Cost, Hypergradient, Lower, Oracles, Sample, Upper
from hypergossip.core.declarations import register


@register
class Direct(Hypergradient):
    """The oracle's dx f, without a term through the lower level.

    For an actor-critic, the policy gradient theorem already includes the effect of the policy on the values in dx f,
    and y only estimates the values (SLAM, section 4). If f depends on y through losses, this estimate is biased, and
    another estimator is needed.
    """

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns dx f, (p,), and its cost."""
        fx, _ = agent.upper_gradients(x, y, key)
        return fx, Cost(agent.samples(upper=1), upper_gradients=1)
