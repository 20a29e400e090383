"""LoPA-GT: SOBA's steps with the upper direction averaged over the rounds and tracked over the network (Niu et al.)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.lower_derivatives import lower_derivatives
from hypergossip.core.schedules import Momentum, StepSize, at, momentum_at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x (p,); y, z (q,); the averaged direction d and its tracker u (p,)."""

    x: Upper
    y: Lower
    z: Lower
    d: Upper
    u: Upper


@register
class LoPAGT(Algorithm):
    """Loopless personalized decentralized bilevel method with gradient tracking.

    Every agent has a lower variable y and an adjoint z of its own. Each round takes one gradient step of each from one
    point, at SOBA's cost, and sends one message, the pair (u, x). Without noise the fixed point is the optimum.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        adjoint_step: The step of z, likewise; its curvature is that of the lower level.
        upper_momentum: gamma_t in [0, 1], the weight of the new direction in d, likewise; always 1 in round 0. With 1
            nothing is averaged.
        relaxation: tau in (0, 1], a number or a schedule. With 1 nothing is relaxed.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize
    upper_momentum: Momentum = 1.0
    relaxation: Any = 1.0

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    vectors: ClassVar[Vectors] = Vectors(masses=("u",))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = d_{-1} = u_{-1} = 0."""
        return State(x, y, jnp.zeros_like(y), jnp.zeros_like(x), jnp.zeros_like(x))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        gamma, tau = momentum_at(self.upper_momentum, self.upper_step, round), at(self.relaxation, round)
        Mu, Mx = mix(upper=(s.u, s.x))
        fx, fy = agent.upper_gradients(s.x, s.y, upper_key)
        h, products = lower_derivatives(agent, s.x, s.y, lower_key)
        Jz, Hz = products(s.z)
        y = s.y - beta * h
        z = s.z - at(self.adjoint_step, round) * (Hz - fy)
        d = (1 - gamma) * s.d + gamma * (fx - Jz)
        u = Mu + d - s.d
        x = agent.project((1 - tau) * s.x + tau * (Mx - alpha * u))
        return State(x, y, z, d, u), Cost(agent.samples(upper=1, lower=1), 1, 1, 1, 1)

    def conserved(self, state: State) -> Upper:
        """The sum of the trackers is that of the directions: sum_i (u_i - d_i) = 0."""
        return state.u - state.d

    def check(self, facts: Facts) -> list[str]:
        """Refuses a relaxation outside (0, 1], and warns of steps of y and z above 2 / curvature of the lower level."""
        tau = float(at(self.relaxation, 0))
        if not 0 < tau <= 1:
            raise ValueError(f"relaxation = {tau:.3g} in round 0; it lies in (0, 1], and 1 relaxes nothing.")
        return beyond_curvature(facts, {"lower_step": self.lower_step, "adjoint_step": self.adjoint_step})
