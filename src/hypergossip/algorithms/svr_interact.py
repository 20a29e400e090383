"""SVR-INTERACT: INTERACT every so often, SPIDER on mini-batches in between (DIAMOND's reference 13; equations.md)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.algorithm import (
    Cost,
    Facts,
    Hypergradient,
    Lower,
    Mix,
    Oracles,
    Sample,
    Upper,
    at_two_points,
    refuse_shared_lower,
    register,
)
from hypergossip.hypergradients.exact import Exact
from hypergossip.schedules import StepSize, at
from hypergossip.step_bounds import beyond_curvature


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
class SVRInteract:
    """Gradient tracking of a SPIDER estimate: full gradients every `period` rounds, mini-batch corrections between.

    One message a round, the pair (u, x).

    Args:
        upper_step: alpha_t, a number or a schedule.
        lower_step: beta_t, likewise.
        period: Rounds from one full gradient to the next; about the root of the number of samples, as the batch.
        hypergradient: The estimator G of the rounds between.
        full_hypergradient: How the full rounds solve eq. 4 on the whole local data. `Exact` takes q Hessian-vector
            products; where q is large, `ConjugateGradient` with a small tolerance gives the same numbers for fewer.
    """

    upper_step: StepSize
    lower_step: StepSize
    period: int
    hypergradient: Hypergradient
    full_hypergradient: Hypergradient = Exact()

    messages_per_round: ClassVar[int] = 1

    def init(self, problem: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0, which is a full one."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, x_prev=x, y_prev=y, p=zero_x, v=zero_y, u=zero_x)

    def step(self, problem: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        now, before = (s.x, s.y), (s.x_prev, s.y_prev)

        def full() -> tuple[Upper, Lower, Cost]:
            p, spent = self.full_hypergradient(problem.full, s.x, s.y, upper_key)  # eq. 4
            v = problem.full.lower_gradient(s.x, s.y, lower_key)
            return p, v, spent.plus(Cost(lower_gradients=1)).as_arrays()  # the lower data that p has seen

        def spider() -> tuple[Upper, Lower, Cost]:
            (G, spent), (G_prev, more) = at_two_points(
                lambda x, y: self.hypergradient(problem, x, y, upper_key), now, before
            )
            h, h_prev = at_two_points(lambda x, y: problem.lower_gradient(x, y, lower_key), now, before)
            p = s.p + G - G_prev
            v = s.v + h - h_prev
            cost = spent.plus(more.again()).plus(Cost(problem.samples(lower=1), lower_gradients=2))
            return p, v, cost.as_arrays()

        Mu, Mx = mix(upper=(s.u, s.x))
        p, v, cost = lax.cond(round % self.period == 0, full, spider)
        u = Mu + p - s.p  # eq. 8
        x = problem.project(Mx - alpha * u)  # eq. 9
        y = s.y - beta * v  # eq. 10
        return State(x, y, x_prev=s.x, y_prev=s.y, p=p, v=v, u=u), cost

    def message(self, state: State) -> dict[str, Any]:
        """Returns what the round's only `mix` sends."""
        return {"upper": (state.u, state.x)}

    def conserved(self, state: State) -> Upper:
        """The trackers' sum is the directions' sum: sum_i (u_i - p_i) = 0."""
        return state.u - state.p

    def check(self, facts: Facts) -> list[str]:
        """Refuses a shared lower level, and warns of a lower step beyond 2 over its curvature (of plain descent)."""
        refuse_shared_lower("SVRInteract", facts)
        estimators = self.hypergradient.check(facts) + self.full_hypergradient.check(facts)
        return estimators + beyond_curvature("SVRInteract", facts, {"lower_step": self.lower_step})
