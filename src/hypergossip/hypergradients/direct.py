"""dx f alone: for upper oracles that are the hypergradient already, such as a policy gradient."""

from hypergossip.core.algorithm import Cost, Hypergradient, Lower, Oracles, Sample, Upper
from hypergossip.core.declarations import register


@register
class Direct(Hypergradient):
    """The oracle's dx f, with no term through the lower level.

    In an actor-critic the policy gradient theorem has put what the policy does to the values into dx f already, and y
    only estimates them (SLAM, section 4). Where f depends on y through losses this is biased: take another estimator.
    """

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns dx f, (p,), and its cost."""
        fx, _ = agent.upper_gradients(x, y, key)
        return fx, Cost(agent.samples(upper=1), upper_gradients=1)
