"""SLAM with a tracked adjoint: the exact hypergradient when heterogeneous agents share a lower level.

SLAM's h_f uses each agent's own second derivatives and is biased if they differ (equations.md, "Notation"). Here
the solution z of [sum_i d2yy g_i] z = sum_i dy f_i is a variable of the network like y, and SLAM's step updates it
(Lu et al. 2022, eq. 4 and 5, for the gradient of g_z(z) = z' d2yy g z / 2 - z' dy f). The fixed point is the optimum.
"""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.primal_dual import check_primal_dual
from hypergossip.core.schedules import Penalty, StepSize, ascent_factors, at, penalty_at


class State(NamedTuple):
    """One agent's variables: x (p,), y and z (q,), and the dual terms d_x (p,), d_y and d_z (q,) of each."""

    x: Upper
    y: Lower
    z: Lower
    d_x: Upper
    d_y: Lower
    d_z: Lower


@register
class SlamTracked(Algorithm):
    """SLAM's primal-dual steps on x, y and the adjoint z at once: no bias on heterogeneous agents.

    Each round sends one message, the shared entries of x, y and z, where z shares the same entries as y. An agent takes
    one product with each of its second derivatives in each round. The Laplacian is I - W, as in `Slam`. If x is
    partially shared, its private entries minimise the network's mean loss, not the agent's own loss.

    Args:
        upper_step: 1/alpha, a number or a schedule, or one for each leaf.
        lower_step: 1/beta, likewise.
        adjoint_step: The step of z, likewise; its curvature is that of the lower level.
        gamma: The scale gamma > 0 of the dual variables.
        rho: The penalty rho > 0, a number, or `InverseStep`, which gives each variable its own.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize
    gamma: Any
    rho: Penalty

    needs: ClassVar[Needs] = Needs(upper_where_lower=True, symmetric=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z"), differences=("d_x", "d_y", "d_z"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z and the dual terms are zero."""
        return State(x, y, *(jnp.zeros_like(v) for v in (y, x, y, y)))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, gamma = state, self.gamma
        upper_key, lower_key = jax.random.split(key)
        f_key, g_key = jax.random.split(upper_key)
        # As in `Slam`, the dual ascent that closes round r - 1 takes place in round r, which receives W v.
        steps = tuple(at(step, round) for step in (self.upper_step, self.lower_step, self.adjoint_step))
        rho_x, rho_y, rho_z = (penalty_at(self.rho, step) for step in steps)
        ascents = tuple(jnp.where(round > 0, rho / gamma, 0.0) for rho in (rho_x, rho_y, rho_z))

        factors = ascent_factors(self.rho, round, (rho_x, (rho_y, rho_z)))
        Mx, (My, Mz) = mix(upper=s.x, lower=(s.y, s.z), factors=factors)
        Lx, Ly, Lz = s.x - Mx, s.y - My, s.z - Mz
        d_x, d_y, d_z = (d + a * L for d, a, L in zip((s.d_x, s.d_y, s.d_z), ascents, (Lx, Ly, Lz)))  # eq. 4b, 4d

        h_g = agent.lower_gradient(s.x, s.y, lower_key)
        y = s.y - steps[1] * (h_g + gamma * d_y + rho_y * gamma * Ly)  # eq. 5a
        fx, fy = agent.upper_gradients(s.x, y, f_key)
        h_z = agent.hessian_product(s.x, y, g_key)(s.z) - fy
        z = s.z - steps[2] * (h_z + gamma * d_z + rho_z * gamma * Lz)  # eq. 5a for z
        h_f = fx - agent.jacobian_product(s.x, y, g_key)(z)
        x = agent.project(s.x - steps[0] * (h_f + gamma * d_x + rho_x * gamma * Lx))  # eq. 5b
        return State(x, y, z, d_x, d_y, d_z), Cost(agent.samples(upper=1, lower=2), 1, 1, 1, 1)

    def conserved(self, state: State) -> tuple[Upper, Lower, Lower]:
        """The dual terms lie in the range of I - W: they sum to zero over the network."""
        return state.d_x, state.d_y, state.d_z

    def check(self, facts: Facts) -> list[str]:
        """Checks the three steps by `check_primal_dual`."""
        lower_curvature = lambda: facts.lower_curvature[1]  # d2yy g is the curvature of y's step and of z's
        levels = (
            ("lower_step", facts.lower_shared, lower_curvature),
            ("adjoint_step", facts.lower_shared, lower_curvature),
            ("upper_step", facts.upper_shared, facts.upper_curvature),
        )
        return check_primal_dual(self, facts, levels)
