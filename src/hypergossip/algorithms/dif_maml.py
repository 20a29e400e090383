"""Dif-MAML: one inner step inside the loss, then adapt and combine over the network (Kayaalp, Vlaski & Sayed 2020)."""

from typing import Any, ClassVar, NamedTuple

from hypergossip.algorithm import Cost, Facts, Lower, Mix, Oracles, Sample, Upper, refuse_shared_lower, register
from hypergossip.hypergradients.unrolled import check_unrolling, unroll
from hypergossip.schedules import StepSize, at


class State(NamedTuple):
    """One agent's variables: x, psi (p,); y, y_start (q,).

    x is the launch model (combined), psi what the agent made of it (adapted), y the last round's inner step from
    y_start, where every inner step begins.
    """

    x: Upper
    y: Lower
    psi: Upper
    y_start: Lower


@register
class DifMAML:
    """Diffusion-based model-agnostic meta-learning: adapt then combine, one inner step from a cold start.

    One message a round, psi alone. It minimises ``1/n sum_i f_i(x, y_0 - a dy g_i(x, y_0))``, to O(upper_step) on
    unlike agents: the bilevel problem itself only where one step from y_0 solves the lower level, as on the "maml" and
    "anil" forms of `hypergossip.problems.sinusoids` with their own inner step.

    The derivative goes through the inner step, second derivatives included, and the step's own sample is the one
    it is differentiated on; the upper sample is independent of it. From knowledge of the paper, which could not be at
    hand: that its round begins with the adaptation and ends with the combination. Here the same sequence is cut
    before the combination, so that the round's message is a part of the state.

    Args:
        upper_step: mu_t, a number or a schedule.
        lower_step: a, the inner step, likewise.
    """

    upper_step: StepSize
    lower_step: StepSize

    messages_per_round: ClassVar[int] = 1

    def init(self, problem: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y, psi=x, y_start=y)

    def step(self, problem: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        mu, a = at(self.upper_step, round), at(self.lower_step, round)
        x = mix(upper=s.psi)  # combine
        y, G, cost = unroll(problem, x, s.y_start, key, steps=1, lower_step=a)
        psi = problem.project(x - mu * G)  # adapt
        return State(x, y, psi, s.y_start), cost

    def message(self, state: State) -> dict[str, Any]:
        """Returns what the round's only `mix` sends."""
        return {"upper": state.psi}

    def conserved(self, state: State) -> tuple[()]:
        """Nothing is conserved."""
        return ()

    def check(self, facts: Facts) -> list[str]:
        """Refuses a shared lower level, and an inner step beyond 2 over the lower level's curvature."""
        refuse_shared_lower("DifMAML", facts)
        return check_unrolling("DifMAML", 1, self.lower_step, 0, facts)
