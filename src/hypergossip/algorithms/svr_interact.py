"""SVR-INTERACT: INTERACT with SPIDER on mini-batches between full gradients (DIAMOND's reference 13; equations.md)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register, static
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature
from hypergossip.core.two_points import at_two_points
from hypergossip.hypergradients.exact import Exact


class State(NamedTuple):
    """One agent's variables: x, x_prev, p, u (p,); y, y_prev, v (q,)."""

    x: Upper
    y: Lower
    x_prev: Upper
    y_prev: Lower
    p: Upper
    v: Lower
    u: Upper


@register
class SVRInteract(Algorithm):
    """Gradient tracking of a SPIDER estimate: full gradients every `period` rounds, mini-batch corrections between.

    Each round sends one message, the pair (u, x).

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        period: Rounds from one full gradient to the next; about the square root of the number of samples, as the batch.
        hypergradient: The estimator G of the other rounds.
        full_hypergradient: How the full rounds solve eq. 4 on the full local data. `Exact` takes q Hessian-vector
            products. If q is large, `ConjugateGradient` with a small tolerance gives the same result with fewer
            products.
    """

    upper_step: StepSize
    lower_step: StepSize
    period: int = static()
    hypergradient: Hypergradient
    full_hypergradient: Hypergradient = Exact()

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    vectors: ClassVar[Vectors] = Vectors(masses=("u",))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0, which is a full round."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, x_prev=x, y_prev=y, p=zero_x, v=zero_y, u=zero_x)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        now, before = (s.x, s.y), (s.x_prev, s.y_prev)

        def full() -> tuple[Upper, Lower, Cost]:
            p, cost = self.full_hypergradient(agent.full, s.x, s.y, upper_key)  # eq. 4
            v = agent.full.lower_gradient(s.x, s.y, lower_key)
            return p, v, (cost + Cost(lower_gradients=1)).as_arrays()  # on the same lower data as p

        def spider() -> tuple[Upper, Lower, Cost]:
            (G, cost), (G_prev, more) = at_two_points(
                lambda x, y: self.hypergradient(agent, x, y, upper_key), now, before
            )
            h, h_prev = at_two_points(lambda x, y: agent.lower_gradient(x, y, lower_key), now, before)
            p = s.p + G - G_prev
            v = s.v + h - h_prev
            cost = cost + more.again() + Cost(agent.samples(lower=1), lower_gradients=2)
            return p, v, cost.as_arrays()

        Mu, Mx = mix(upper=(s.u, s.x))
        p, v, cost = lax.cond(round % self.period == 0, full, spider)
        u = Mu + p - s.p  # eq. 8
        x = agent.project(Mx - alpha * u)  # eq. 9
        y = s.y - beta * v  # eq. 10
        return State(x, y, x_prev=s.x, y_prev=s.y, p=p, v=v, u=u), cost

    def conserved(self, state: State) -> Upper:
        """The sum of the trackers is that of the directions: sum_i (u_i - p_i) = 0."""
        return state.u - state.p

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step above 2 / curvature, the bound of gradient descent."""
        return beyond_curvature(facts, {"lower_step": self.lower_step})
