"""CAC: actor-critic with partially shared policies (Zeng et al. 2022); it is DAC if no policy is shared.

This was written from knowledge of the papers, without access to them.
"""

from typing import Any, ClassVar, NamedTuple

import jax

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Vectors, register
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,)."""

    x: Upper
    y: Lower


@register
class CAC(Algorithm):
    """Decentralized actor-critic, adapt-then-combine on both levels. Entries that are not shared stay private.

    Each round sends one message, the shared entries of the adapted points.

    Args:
        upper_step: alpha_t of the actor, a number or a schedule, or one for each leaf.
        lower_step: beta_t of the critic, likewise; in the papers it is on the faster time scale.
        hypergradient: The estimator; `Direct` on an actor-critic.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient

    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        h = agent.lower_gradient(s.x, s.y, lower_key)
        G, cost = self.hypergradient(agent, s.x, s.y, upper_key)
        x_adapted = agent.project(s.x - alpha * G)  # adapt: actor
        y_adapted = s.y - beta * h  # adapt: critic
        x, y = mix(upper=x_adapted, lower=y_adapted)  # combine
        return State(x, y), cost + Cost(agent.samples(lower=1), lower_gradients=1)

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step above 2 / curvature. Averaging does not change that bound."""
        return beyond_curvature(facts, {"lower_step": self.lower_step})
