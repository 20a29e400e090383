"""DIAMOND: single loop, momentum on both levels, gradient tracking (Qiu et al. 2023, algorithm 1, eq. 6 to 10)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.schedules import Momentum, StepSize, at, momentum_at
from hypergossip.core.step_bounds import beyond_curvature, check_momenta
from hypergossip.core.two_points import at_two_points


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
class Diamond(Algorithm):
    """Decentralized single-timescale stochastic approximation with momentum and gradient tracking.

    Each round sends one message, the pair (u, x), and evaluates the oracles at two points with one sample for both.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf; theorem 1 uses (omega + t)^(-1/3).
        lower_step: beta_t; theorem 1 uses c_beta alpha_t.
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
    vectors: ClassVar[Vectors] = Vectors(masses=("u",))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: p_{-1} = u_{-1} = v_{-1} = 0."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, x_prev=x, y_prev=y, p=zero_x, v=zero_y, u=zero_x)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        eta = momentum_at(self.upper_momentum, self.upper_step, round)
        gamma = momentum_at(self.lower_momentum, self.upper_step, round)

        Mu, Mx = mix(upper=(s.u, s.x))
        now, before = (s.x, s.y), (s.x_prev, s.y_prev)
        (G, cost), (G_prev, more) = at_two_points(lambda x, y: self.hypergradient(agent, x, y, upper_key), now, before)
        h, h_prev = at_two_points(lambda x, y: agent.lower_gradient(x, y, lower_key), now, before)
        p = G + (1 - eta) * (s.p - G_prev)  # eq. 6
        v = h + (1 - gamma) * (s.v - h_prev)  # eq. 7
        u = Mu + p - s.p  # eq. 8
        x = agent.project(Mx - alpha * u)  # eq. 9
        y = s.y - beta * v  # eq. 10
        cost = cost + more.again() + Cost(agent.samples(lower=1), lower_gradients=2)
        return State(x, y, x_prev=s.x, y_prev=s.y, p=p, v=v, u=u), cost

    def conserved(self, state: State) -> Upper:
        """The sum of the trackers is that of the directions: sum_i (u_i - p_i) = 0 (eq. 8, M doubly stochastic)."""
        return state.u - state.p

    def check(self, facts: Facts) -> list[str]:
        """Warns of a lower step above 2 / curvature, the bound for STORM without noise."""
        check_momenta(self)
        return beyond_curvature(facts, {"lower_step": self.lower_step})
