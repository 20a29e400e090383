"""DUET: LoPA-GT's steps on a lower level with a vanishing quadratic regularizer (Qin, Liu, Lu, Liang & Liu 2025)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.balls import in_ball
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.lower_derivatives import lower_derivatives
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x (p,); y, z (q,); the last direction d and its tracker u (p,)."""

    x: Upper
    y: Lower
    z: Lower
    d: Upper
    u: Upper


@register
class DUET(Algorithm):
    """Diminishing quadratically regularized bilevel decentralized method, for lower losses that are only convex.

    Every agent takes LoPA-GT's steps on g_i + mu_t |y|^2 / 2, whose minimiser is unique, and keeps y and z in balls.
    As mu_t vanishes, y approaches the minimiser of g_i of least norm. Each round sends one message, the pair (u, x).

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        adjoint_step: The step of z, likewise; its curvature is that of the regularized lower level.
        mu: mu_t of at least 0, a number or a schedule. A number leaves a bias of O(mu).
        lower_radius: Of the ball around zero that y stays in; None for no ball.
        adjoint_radius: Of the ball around zero that z stays in; None for no ball. Where it binds the fixed point moves.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize
    mu: Any
    lower_radius: Any = None
    adjoint_radius: Any = None

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    vectors: ClassVar[Vectors] = Vectors(masses=("u",))
    approximation: ClassVar[tuple[str, ...]] = ("mu",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = d_{-1} = u_{-1} = 0."""
        return State(x, y, jnp.zeros_like(y), jnp.zeros_like(x), jnp.zeros_like(x))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, mu = state, at(self.mu, round)
        upper_key, lower_key = jax.random.split(key)
        Mu, Mx = mix(upper=(s.u, s.x))
        fx, fy = agent.upper_gradients(s.x, s.y, upper_key)
        h, products = lower_derivatives(agent, s.x, s.y, lower_key)
        Jz, Hz = products(s.z)
        y = in_ball(s.y - at(self.lower_step, round) * (h + mu * s.y), self.lower_radius)
        z = in_ball(s.z - at(self.adjoint_step, round) * (Hz + mu * s.z - fy), self.adjoint_radius)
        d = fx - Jz
        u = Mu + d - s.d
        x = agent.project(Mx - at(self.upper_step, round) * u)
        return State(x, y, z, d, u), Cost(agent.samples(upper=1, lower=1), 1, 1, 1, 1)

    def conserved(self, state: State) -> Upper:
        """The sum of the trackers is that of the directions: sum_i (u_i - d_i) = 0."""
        return state.u - state.d

    def check(self, facts: Facts) -> list[str]:
        """Refuses a negative mu and radii that are not positive, and warns of steps above 2 / regularized curvature."""
        mu = float(at(self.mu, 0))
        if not mu >= 0:
            raise ValueError(f"mu = {mu:.3g} in round 0; it must not be negative. 0 regularizes nothing: LoPAGT.")
        for name in ("lower_radius", "adjoint_radius"):
            radius = getattr(self, name)
            if radius is not None and not float(radius) > 0:
                raise ValueError(f"{name} = {float(radius):.3g}; take a positive one, or None for no ball.")
        least, most = facts.lower_curvature
        regularized = facts._replace(lower_curvature=(least + mu, most + mu) if most > 0 else (least, most))
        return beyond_curvature(regularized, {"lower_step": self.lower_step, "adjoint_step": self.adjoint_step})
