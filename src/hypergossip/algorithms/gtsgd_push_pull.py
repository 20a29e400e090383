"""GT-SGD on directed networks, by the push-pull (AB) form of gradient tracking (Xin & Khan 2018; Pu et al. 2021)."""

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
class GTSGDPushPull(Algorithm):
    """GT-SGD with x pulled by weights whose rows sum to one and u pushed by weights whose columns sum to one.

    On a network with doubly stochastic weights it is GT-SGD. On a directed one the agents agree on a minimiser of the
    same mean loss, because the pushed trackers sum to the sum of the estimates. Each round sends two messages, x and u.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        hypergradient: The estimator G of eq. 4.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(personal_lower=True, doubly_stochastic=False)
    vectors: ClassVar[Vectors] = Vectors(masses=("u",))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: u_{-1} = G_{-1} = 0."""
        return State(x, y, jnp.zeros_like(x), jnp.zeros_like(x))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Ax = mix(upper=s.x, weights="pull")
        Bu = mix(upper=s.u, weights="push", call=1)
        G, cost = self.hypergradient(agent, s.x, s.y, upper_key)
        h = agent.lower_gradient(s.x, s.y, lower_key)
        u = Bu + G - s.G
        x = agent.project(Ax - alpha * u)
        y = s.y - beta * h
        return State(x, y, u, G), cost + Cost(agent.samples(lower=1), lower_gradients=1)

    def conserved(self, state: State) -> Upper:
        """The sum of the trackers is that of the estimates: sum_i (u_i - G_i) = 0."""
        return state.u - state.G

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step above 2 / curvature of the lower level."""
        return beyond_curvature(facts, {"lower_step": self.lower_step})
