"""GT-SGD: D-SGD with gradient tracking on the upper level (DIAMOND, section VI, second baseline)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,), the tracker u (p,), and the last round's estimate G (p,)."""

    x: Upper
    y: Lower
    u: Upper
    G: Upper


@register
class GTSGD(Algorithm):
    """Gradient-tracking stochastic gradient descent: u tracks the network's mean of the estimates G.

    Each round sends one message, the pair (u, x). Each estimate has its own sample, and the last round's estimate is
    stored.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        hypergradient: The estimator G of eq. 4.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    vectors: ClassVar[Vectors] = Vectors(masses=("u",))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: u_{-1} = G_{-1} = 0."""
        return State(x, y, jnp.zeros_like(x), jnp.zeros_like(x))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mu, Mx = mix(upper=(s.u, s.x))
        G, cost = self.hypergradient(agent, s.x, s.y, upper_key)
        h = agent.lower_gradient(s.x, s.y, lower_key)
        u = Mu + G - s.G
        x = agent.project(Mx - alpha * u)
        y = s.y - beta * h
        return State(x, y, u, G), cost + Cost(agent.samples(lower=1), lower_gradients=1)

    def conserved(self, state: State) -> Upper:
        """The sum of the trackers is that of the estimates: sum_i (u_i - G_i) = 0."""
        return state.u - state.G

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step above 2 / curvature of the lower level."""
        return beyond_curvature(facts, {"lower_step": self.lower_step})
