"""Dif-MAML: one inner step inside the loss, then adapt-then-combine over the network (Kayaalp, Vlaski & Sayed 2020)."""

from typing import Any, ClassVar, NamedTuple

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register
from hypergossip.core.schedules import StepSize, at
from hypergossip.hypergradients.unrolled import check_unrolling, unroll


class State(NamedTuple):
    """One agent's variables: x (p,), the launch model; y (q,), the last inner step; y_start (q,), its start."""

    x: Upper
    y: Lower
    y_start: Lower


@register
class DifMAML(Algorithm):
    """Diffusion-based model-agnostic meta-learning: adapt-then-combine with one cold-started inner step.

    Each round sends one message, psi. The method minimises ``1/n sum_i f_i(x, y_0 - a dy g_i(x, y_0))``, with an error
    of O(upper_step) on heterogeneous agents. This is the bilevel problem only if one step from y_0 solves the lower
    level, as for the "maml" and "anil" forms of `hypergossip.problems.sinusoids` with their own inner step.

    The derivative goes through the inner step, including second derivatives, with the sample of that step. The upper
    sample is independent of it. A round begins with the adaptation and ends with the combination, as in the authors'
    code.

    Args:
        upper_step: mu_t, a number or a schedule, or one for each leaf.
        lower_step: a, the inner step, likewise.
    """

    upper_step: StepSize
    lower_step: StepSize

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y, y_start=y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        mu, a = at(self.upper_step, round), at(self.lower_step, round)
        y, G, cost = unroll(agent, s.x, s.y_start, key, steps=1, lower_step=a)
        psi = agent.project(s.x - mu * G)  # adapt
        x = mix(upper=psi)  # combine
        return State(x, y, s.y_start), cost

    def check(self, facts: Facts) -> list[str]:
        """Refuses an inner step above 2 / curvature of the lower level."""
        return check_unrolling(1, self.lower_step, 0, facts)
