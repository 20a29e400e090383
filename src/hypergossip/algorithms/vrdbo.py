"""VRDBO: STORM and gradient tracking on both levels (Gao, Gu & Thai 2023, algorithm 2)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.algorithms.mdbo import check_ranges
from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Vectors, register
from hypergossip.core.heterogeneity import local_second_derivatives
from hypergossip.core.schedules import Momentum, StepSize, at
from hypergossip.core.tracked_steps import beyond_tracking
from hypergossip.core.two_points import at_two_points


class State(NamedTuple):
    """One agent's variables: x, x_prev, u, t_x (p,), where t_x tracks u; y, y_prev, v, t_y (q,) likewise."""

    x: Upper
    y: Lower
    x_prev: Upper
    y_prev: Lower
    u: Upper
    v: Lower
    t_x: Upper
    t_y: Lower


@register
class VRDBO(Algorithm):
    """Variance-reduction-based decentralized bilevel optimizer: MDBO with STORM in the place of moving averages.

    Each round sends one message, (t_x, x) and (t_y, y), and evaluates each sample at the points of this round and of
    the last one. The bias of local second derivatives is that of `MDBO`. The paper takes a larger batch in round 0.

    Args:
        upper_step: beta_1, a number or a schedule, or one for each leaf; x moves by eta beta_1.
        lower_step: beta_2, likewise.
        upper_momentum: alpha_1: u forgets at the rate alpha_1 eta^2; at most 1 / eta^2.
        lower_momentum: alpha_2 of v, likewise.
        eta: The part of a step that is taken, of the mixing as well, in (0, 1].
        hypergradient: The estimator; the paper's is `Neumann`, with a random depth below its J terms.
    """

    upper_step: StepSize
    lower_step: StepSize
    upper_momentum: Momentum
    lower_momentum: Momentum
    eta: Any
    hypergradient: Hypergradient

    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y"), masses=("t_x", "t_y"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: zero estimates and trackers, which round 0 sets to the gradients."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, x_prev=x, y_prev=y, u=zero_x, v=zero_y, t_x=zero_x, t_y=zero_y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, eta = state, self.eta
        upper_key, lower_key = jax.random.split(key)
        beta_1, beta_2 = at(self.upper_step, round), at(self.lower_step, round)
        a_1 = jnp.where(round == 0, 1.0, at(self.upper_momentum, round) * eta**2)
        a_2 = jnp.where(round == 0, 1.0, at(self.lower_momentum, round) * eta**2)
        (Wt_x, Wx), (Wt_y, Wy) = mix(upper=(s.t_x, s.x), lower=(s.t_y, s.y))
        now, before = (s.x, s.y), (s.x_prev, s.y_prev)
        (G, cost), (G_prev, more) = at_two_points(lambda x, y: self.hypergradient(agent, x, y, upper_key), now, before)
        h, h_prev = at_two_points(lambda x, y: agent.lower_gradient(x, y, lower_key), now, before)
        u = (1 - a_1) * (s.u + G - G_prev) + a_1 * G
        v = (1 - a_2) * (s.v + h - h_prev) + a_2 * h
        t_x = Wt_x + u - s.u
        t_y = Wt_y + v - s.v
        x = agent.project(s.x - eta * (s.x - Wx) - eta * beta_1 * t_x)
        y = s.y - eta * (s.y - Wy) - eta * beta_2 * t_y
        cost = cost + more.again() + Cost(agent.samples(lower=1), lower_gradients=2)
        return State(x, y, s.x, s.y, u, v, t_x, t_y), cost

    def conserved(self, state: State) -> tuple[Upper, Lower]:
        """The trackers sum to the sums of the estimates: sum_i (t_x - u) = 0 and sum_i (t_y - v) = 0."""
        return state.t_x - state.u, state.t_y - state.v

    def check(self, facts: Facts) -> list[str]:
        """Refuses numbers outside their ranges; warns of unstable steps and of the bias of local second derivatives."""
        check_ranges(self, 2)
        bound = beyond_tracking(facts, {"lower_step": self.lower_step}, eta=float(self.eta))
        return [*local_second_derivatives(facts), *bound]
