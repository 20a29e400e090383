"""D-SGD: decentralized stochastic gradient descent on both levels (DIAMOND, section VI, first baseline)."""

from typing import Any, ClassVar, NamedTuple

import jax

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,)."""

    x: Upper
    y: Lower


@register
class DSGD(Algorithm):
    """Decentralized stochastic gradient descent: x is averaged over the neighbours, y is personal.

    Each round sends one message, x. On heterogeneous agents its fixed point is O(alpha) away from the optimum.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        hypergradient: The estimator G of eq. 4.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mx = mix(upper=s.x)
        G, cost = self.hypergradient(agent, s.x, s.y, upper_key)
        h = agent.lower_gradient(s.x, s.y, lower_key)
        x = agent.project(Mx - alpha * G)
        y = s.y - beta * h
        return State(x, y), cost + Cost(agent.samples(lower=1), lower_gradients=1)

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step above 2 / curvature of the lower level."""
        return beyond_curvature(facts, {"lower_step": self.lower_step})
