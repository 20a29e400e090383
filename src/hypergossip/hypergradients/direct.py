"""dx f alone: for upper oracles that are the hypergradient already, such as a policy gradient."""

from hypergossip.algorithm import Cost, Facts, Lower, Oracles, Sample, Upper, register


@register
class Direct:
    """The oracle's dx f, with no term through the lower level.

    In an actor-critic the policy gradient theorem has put what the policy does to the values into dx f already, and y
    only estimates them (SLAM, section 4). Where f depends on y through losses this is biased: take another estimator.
    """

    def __call__(self, problem: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns dx f, (p,), and its cost."""
        fx, _ = problem.upper_gradients(x, y, key)
        return fx, Cost(problem.samples(upper=1), upper_gradients=1)

    def check(self, facts: Facts) -> list[str]:
        """Nothing can be seen before the run."""
        return []
