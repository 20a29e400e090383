"""Heavy ball: D-SGD with heavy-ball momentum on the upper level, the skeleton of a method of your own."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables in the paper's letters: x, m (p,); y (q,). There must be an x and a y."""

    x: Upper
    y: Lower
    m: Upper


@register  # a frozen dataclass and a pytree: its numbers are traced, and a sweep over them compiles once
class HeavyBall(Algorithm):
    """D-SGD with heavy-ball momentum on the upper level.

    One message a round, x alone.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        momentum: mu, from 0 to below 1.
        hypergradient: The estimator G of eq. 4.
    """

    upper_step: StepSize
    lower_step: StepSize
    momentum: Any
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(personal_lower=True)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: m = 0."""
        return State(x, y, m=jnp.zeros_like(x))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)  # a key is a sample: one key, one sample
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mx = mix(upper=s.x)  # what a round sends is read off its calls of mix
        G, spent = self.hypergradient(agent, s.x, s.y, upper_key)  # an estimate says what it cost
        h = agent.lower_gradient(s.x, s.y, lower_key)
        m = self.momentum * s.m + G  # one equation a line, with its number in the paper beside it
        x = agent.project(Mx - alpha * m)
        y = s.y - beta * h
        return State(x, y, m), spent + Cost(agent.samples(lower=1), lower_gradients=1)

    def check(self, facts: Facts) -> list[str]:
        """Refuses a momentum that never forgets; warns of a lower step beyond 2 over the curvature."""
        if not 0 <= float(self.momentum) < 1:
            raise ValueError(f"momentum = {self.momentum}; take one below 1, such as 0.9.")
        return beyond_curvature(facts, {"lower_step": self.lower_step})
