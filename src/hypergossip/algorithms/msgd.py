"""M-SGD: DIAMOND without gradient tracking (DIAMOND, section VI, third baseline)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register
from hypergossip.core.schedules import Momentum, StepSize, at, momentum_at
from hypergossip.core.step_bounds import beyond_curvature, check_momenta
from hypergossip.core.two_points import at_two_points


class State(NamedTuple):
    """One agent's variables: x, x_prev, p (p,); y, y_prev, v (q,)."""

    x: Upper
    y: Lower
    x_prev: Upper
    y_prev: Lower
    p: Upper
    v: Lower


@register
class MSGD(Algorithm):
    """Decentralized stochastic gradient descent with recursive momentum on both levels.

    Each round sends one message, x. On heterogeneous agents its fixed point is O(alpha) away from the optimum.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        upper_momentum: eta_t in [0, 1], a number, a schedule or `SquaredStep`; always 1 in round 0.
        lower_momentum: gamma_t, likewise.
        hypergradient: The estimator G of eq. 5.
    """

    upper_step: StepSize
    lower_step: StepSize
    upper_momentum: Momentum
    lower_momentum: Momentum
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: p_{-1} = v_{-1} = 0."""
        return State(x, y, x_prev=x, y_prev=y, p=jnp.zeros_like(x), v=jnp.zeros_like(y))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        eta = momentum_at(self.upper_momentum, self.upper_step, round)
        gamma = momentum_at(self.lower_momentum, self.upper_step, round)

        Mx = mix(upper=s.x)
        now, before = (s.x, s.y), (s.x_prev, s.y_prev)
        (G, cost), (G_prev, more) = at_two_points(lambda x, y: self.hypergradient(agent, x, y, upper_key), now, before)
        h, h_prev = at_two_points(lambda x, y: agent.lower_gradient(x, y, lower_key), now, before)
        p = G + (1 - eta) * (s.p - G_prev)  # eq. 6
        v = h + (1 - gamma) * (s.v - h_prev)  # eq. 7
        x = agent.project(Mx - alpha * p)  # eq. 9 with p in place of u
        y = s.y - beta * v  # eq. 10
        cost = cost + more.again() + Cost(agent.samples(lower=1), lower_gradients=2)
        return State(x, y, x_prev=s.x, y_prev=s.y, p=p, v=v), cost

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step above 2 / curvature, the bound for STORM without noise."""
        check_momenta(self)
        return beyond_curvature(facts, {"lower_step": self.lower_step})
