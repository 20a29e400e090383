"""INTERACT: gradient tracking with full local gradients (DIAMOND's reference 13; equations.md)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature
from hypergossip.hypergradients.exact import Exact


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,), the direction p (p,), the tracker u (p,)."""

    x: Upper
    y: Lower
    p: Upper
    u: Upper


@register
class Interact(Algorithm):
    """Gradient tracking of the exact surrogate (eq. 4) on the full local data, for every batch size.

    Each round sends one message, the pair (u, x).

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        hypergradient: How eq. 4 is solved on the full local data. `Exact` takes q Hessian-vector products. If q is
            large, `ConjugateGradient` with a small tolerance gives the same result with fewer products.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient = Exact()

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    vectors: ClassVar[Vectors] = Vectors(masses=("u",))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: p_{-1} = u_{-1} = 0."""
        return State(x, y, jnp.zeros_like(x), jnp.zeros_like(x))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mu, Mx = mix(upper=(s.u, s.x))
        p, cost = self.hypergradient(agent.full, s.x, s.y, upper_key)  # eq. 4
        v = agent.full.lower_gradient(s.x, s.y, lower_key)
        u = Mu + p - s.p  # eq. 8
        x = agent.project(Mx - alpha * u)  # eq. 9
        y = s.y - beta * v  # eq. 10
        cost = cost + Cost(lower_gradients=1)  # on the same data as p: no new sample
        return State(x, y, p, u), cost

    def conserved(self, state: State) -> Upper:
        """The sum of the trackers is that of the directions: sum_i (u_i - p_i) = 0."""
        return state.u - state.p

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step above 2 / curvature of the lower level."""
        return beyond_curvature(facts, {"lower_step": self.lower_step})
