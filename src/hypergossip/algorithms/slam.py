"""SLAM: stochastic linearized augmented Lagrangian, in its primal-dual form (Lu et al. 2022, eq. 4 and 5).

The recursion of algorithm 1 (eq. 6) gives the same sequence but integrates round-off twice, which this form avoids.
SLAM-L and SLAM-U (algorithms 2 and 3) are this method on problems that share one level: `mix` returns entries that are
not shared unchanged, so their residuals and dual terms are zero.
"""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.heterogeneity import local_second_derivatives
from hypergossip.core.primal_dual import check_primal_dual
from hypergossip.core.schedules import Penalty, StepSize, ascent_factors, at, penalty_at


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,) and the dual terms d_x = A' lambda (p,), d_y = A' omega (q,)."""

    x: Upper
    y: Lower
    d_x: Upper
    d_y: Lower


@register
class Slam(Algorithm):
    """Stochastic linearized augmented Lagrangian method, with consensus on one level or on both.

    Each round sends one message, the shared entries of x and y. The Laplacian is I - W. With Laplacian weights
    W = I - 2L/(3 l_max), rho is therefore the paper's rho times 3 l_max / 2.

    Args:
        upper_step: 1/alpha, a number or a schedule, or one for each leaf.
        lower_step: 1/beta, likewise.
        gamma: The scale gamma > 0 of the dual variables.
        rho: The penalty rho > 0, a number as in the paper, or `InverseStep`, which gives each level its own.
        hypergradient: The estimator h_f of eq. 4, with the agent's own second derivatives.
    """

    upper_step: StepSize
    lower_step: StepSize
    gamma: Any
    rho: Penalty
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(symmetric=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y"), differences=("d_x", "d_y"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: both dual terms are zero."""
        return State(x, y, jnp.zeros_like(x), jnp.zeros_like(y))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, gamma = state, self.gamma
        upper_key, lower_key = jax.random.split(key)
        inverse_alpha, inverse_beta = at(self.upper_step, round), at(self.lower_step, round)
        rho_x, rho_y = (penalty_at(self.rho, step) for step in (inverse_alpha, inverse_beta))
        # The dual ascent that closes round r - 1 needs W x^r, which round r receives: one message serves both.
        ascent_x, ascent_y = (jnp.where(round > 0, rho / gamma, 0.0) for rho in (rho_x, rho_y))

        Mx, My = mix(upper=s.x, lower=s.y, factors=ascent_factors(self.rho, round, (rho_x, rho_y)))
        Lx, Ly = s.x - Mx, s.y - My
        d_y = s.d_y + ascent_y * Ly  # eq. 4b
        h_g = agent.lower_gradient(s.x, s.y, lower_key)
        y = s.y - inverse_beta * (h_g + gamma * d_y + rho_y * gamma * Ly)  # eq. 5a
        d_x = s.d_x + ascent_x * Lx  # eq. 4d
        h_f, cost = self.hypergradient(agent, s.x, y, upper_key)
        x = agent.project(s.x - inverse_alpha * (h_f + gamma * d_x + rho_x * gamma * Lx))  # eq. 5b
        return State(x, y, d_x, d_y), cost + Cost(agent.samples(lower=1), lower_gradients=1)

    def conserved(self, state: State) -> tuple[Upper, Lower]:
        """The dual terms lie in the range of A': they sum to zero over the network."""
        return state.d_x, state.d_y

    def check(self, facts: Facts) -> list[str]:
        """Checks the steps of both levels by `check_primal_dual`."""
        levels = (
            ("lower_step", facts.lower_shared, lambda: facts.lower_curvature[1]),
            ("upper_step", facts.upper_shared, facts.upper_curvature),
        )
        # The estimator sees the agent's own second derivatives, which is an approximation only where y is shared.
        bias = local_second_derivatives(facts) if facts.upper_shared else []
        return [*check_primal_dual(self, facts, levels), *bias]
