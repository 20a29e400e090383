"""CAC: actor-critic whose policies are shared in part (Zeng et al. 2022); DAC where no policy is shared.

From knowledge of the papers, which are not at hand.
"""

from typing import Any, ClassVar, NamedTuple

import jax

from hypergossip.algorithm import Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper, register
from hypergossip.schedules import StepSize, at
from hypergossip.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x, x_adapted (p,); y, y_adapted (q,)."""

    x: Upper
    y: Lower
    x_adapted: Upper
    y_adapted: Lower


@register
class CAC:
    """Decentralized actor-critic, adapt then combine on both levels; what is not shared stays the agent's own.

    The papers' round ends with the combination. Here the same sequence is cut before it, so that the round's message,
    the adapted points, is a part of the state; (x, y) are the combined points.

    Args:
        upper_step: alpha_t of the actor, a number or a schedule.
        lower_step: beta_t of the critic, likewise; the papers' is the faster of the two.
        hypergradient: The estimator; `Direct` on an actor-critic.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient

    messages_per_round: ClassVar[int] = 1

    def init(self, problem: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y, x_adapted=x, y_adapted=y)

    def step(self, problem: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        x, y = mix(upper=s.x_adapted, lower=s.y_adapted)  # combine
        h = problem.lower_gradient(x, y, lower_key)
        G, spent = self.hypergradient(problem, x, y, upper_key)
        x_adapted = problem.project(x - alpha * G)  # adapt: actor
        y_adapted = y - beta * h  # adapt: critic
        cost = spent.plus(Cost(problem.samples(lower=1), lower_gradients=1))
        return State(x, y, x_adapted, y_adapted), cost

    def message(self, state: State) -> dict[str, Any]:
        """Returns what the round's only `mix` sends."""
        return {"upper": state.x_adapted, "lower": state.y_adapted}

    def conserved(self, state: State) -> tuple[()]:
        """Nothing is conserved."""
        return ()

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step beyond 2 over the curvature: averaging does not change that bound."""
        return self.hypergradient.check(facts) + beyond_curvature("CAC", facts, {"lower_step": self.lower_step})
