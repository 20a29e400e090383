"""SLDBO: x, y and the adjoint z by SOBA's directions, each with gradient tracking (Dong, Ma, Yang & Yin 2025)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.balls import in_ball
from hypergossip.core.corrections import check_corrections
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.hyperparameter_checks import one_number
from hypergossip.core.lower_derivatives import lower_derivatives
from hypergossip.core.schedules import StepSize, at


class State(NamedTuple):
    """One agent's variables: x (p,); y, z (q,); trackers t_x (p,), t_y, t_z (q,); last directions D_x, D_y, D_z."""

    x: Upper
    y: Lower
    z: Lower
    t_x: Upper
    t_y: Lower
    t_z: Lower
    D_x: Upper
    D_y: Lower
    D_z: Lower


@register
class SLDBO(Algorithm):
    """Single-loop decentralized bilevel optimization: three tracked steps from one point, and z kept in a ball.

    On heterogeneous agents that share both levels the fixed point is the optimum. Each round sends one message, x, y, z
    and their trackers. Without the ball it is SPARKLE with gradient tracking.

    Args:
        upper_step: alpha, a number or a schedule, or one for each leaf.
        lower_step: beta, likewise.
        adjoint_step: gamma, the step of z, likewise; its curvature is that of the lower level.
        radius: Of the ball around zero onto which every agent projects its z; None for no ball. It binds if it is below
            the norm of the solution z* of the linear system, at most |dy f| / mu_g. Then |z| stays at the radius, and
            the fixed point is not the optimum. Above |z*| it only affects the first rounds.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize
    radius: Any = None

    needs: ClassVar[Needs] = Needs(upper_where_lower=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z"), masses=("t_x", "t_y", "t_z"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z, the trackers and the last directions are zero."""
        return State(x, y, *(jnp.zeros_like(v) for v in (y, x, y, y, x, y, y)))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        (D_x, D_y, D_z), cost = self.directions(agent, round, s, key)
        (Mt_x, Mx), (Mt_y, My, Mt_z, Mz) = mix(upper=(s.t_x, s.x), lower=(s.t_y, s.y, s.t_z, s.z))
        t_x = Mt_x + D_x - s.D_x
        t_y = Mt_y + D_y - s.D_y
        t_z = Mt_z + D_z - s.D_z
        x = agent.project(Mx - at(self.upper_step, round) * t_x)
        y = My - at(self.lower_step, round) * t_y
        z = in_ball(Mz - at(self.adjoint_step, round) * t_z, self.radius)
        return State(x, y, z, t_x, t_y, t_z, D_x, D_y, D_z), cost

    def directions(
        self, agent: Oracles, round: Any, state: State, key: Sample
    ) -> tuple[tuple[Upper, Lower, Lower], Cost]:
        """Returns the directions of x, y and z at the point of the round, and their cost.

        Args:
            agent: The agent's oracles.
            round: The network's round.
            state: The agent's state before the round.
            key: The agent's key of the round.
        """
        upper_key, lower_key = jax.random.split(key)
        fx, fy = agent.upper_gradients(state.x, state.y, upper_key)
        D_y, products = lower_derivatives(agent, state.x, state.y, lower_key)
        Jz, Hz = products(state.z)
        return (fx - Jz, D_y, Hz - fy), Cost(agent.samples(upper=1, lower=1), 1, 1, 1, 1)

    def conserved(self, state: State) -> tuple[Upper, Lower, Lower]:
        """The sum of the trackers is that of the directions: sum_i (t_i - D_i) = 0."""
        s = state
        return s.t_x - s.D_x, s.t_y - s.D_y, s.t_z - s.D_z

    def check(self, facts: Facts) -> list[str]:
        """Refuses a radius that is not positive, and warns of steps above the bound of tracking on the network."""
        self.check_radius()
        return check_corrections(self, ("GT", "GT", "GT"), facts)

    def check_radius(self) -> None:
        """Raises ValueError if the radius is not positive."""
        if self.radius is not None:
            one_number("radius", self.radius, "take one above the norm of z*, or None for no ball")
