"""ITD-BiO: the derivative through the round's own lower steps (Ji, Yang & Liang 2021, algorithm 1, ITD)."""

from typing import Any, ClassVar, NamedTuple

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register, static
from hypergossip.core.schedules import StepSize, at
from hypergossip.hypergradients.unrolled import check_unrolling, unroll


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,)."""

    x: Upper
    y: Lower


@register
class ITDBiO(Algorithm):
    """Iterative differentiation: T warm-started lower steps, and the derivative of f(x, y_T(x)) through them.

    The derivative treats the initial point y of the steps as a constant, so the warm start does not make it exact. At
    y = y*(x) it is eq. 4 with ``beta sum_{t<T} (I - beta d2yy g)^t`` in place of the inverse. The relative error of
    (1 - beta mu_g)^T also remains in the fixed point. A round costs T lower samples and one upper sample, T lower
    gradients, T - 1 products with d2yy g and T with d2xy g. Each round sends one message, x. With one agent it is the
    paper's method (the paper uses the full data; here batches are possible as well). With several agents, x is averaged
    over the neighbours as in D-SGD.

    Args:
        upper_step: alpha_k, a number or a schedule of the round, or one for each leaf.
        lower_step: beta_k, likewise. It is the same for all T steps of a round.
        inner_steps: T.
        checkpoints: With 0, all T points are stored for the backward pass; otherwise at most this number of points
            (`hypergossip.hypergradients.unrolled.unroll`).
    """

    upper_step: StepSize
    lower_step: StepSize
    inner_steps: int = static()
    checkpoints: int = static(default=0)

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mx = mix(upper=s.x)
        y, G, cost = unroll(agent, s.x, s.y, key, self.inner_steps, beta, self.checkpoints)
        return State(agent.project(Mx - alpha * G), y), cost

    def check(self, facts: Facts) -> list[str]:
        """Refuses lower steps that diverge, and warns if they diverge only in the first rounds."""
        return check_unrolling(self.inner_steps, self.lower_step, self.checkpoints, facts)
