"""FAB: the penalty method of DSGDA-GT on directed networks, by push-pull (2026)."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register, static
from hypergossip.core.first_order import check_penalty, penalised_directions
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.tracked_steps import beyond_tracking


class State(NamedTuple):
    """One agent's x, d_x, t_x (p,) and y, z, d_y, d_z, t_y, t_z (q,): t_v tracks the direction d_v of each v."""

    x: Upper
    y: Lower
    z: Lower
    d_x: Upper
    d_y: Lower
    d_z: Lower
    t_x: Upper
    t_y: Lower
    t_z: Lower


@register
class FAB(Algorithm):
    """First-order bilevel method on directed networks: x, y and z are pulled, and their trackers are pushed.

    On a network with doubly stochastic weights it is `DSGDAGT`. On directed networks, also on several in turn, the
    agents converge to the same minimiser x_lambda of the penalised problem, O(1 / penalty) from the optimum. Each round
    sends two messages, (x, y, z) and then their trackers.

    Args:
        upper_step: The step of x, a number or a schedule, or one for each leaf.
        lower_step: The step of y and z, likewise; their curvature is that of penalty g, so it shrinks as 1 / penalty.
        penalty: lambda > 0.
        symmetric: Let z minimise g - f / penalty, as in `DSGDAGT`; the error is then O(1 / penalty^2).
    """

    upper_step: StepSize
    lower_step: StepSize
    penalty: Any
    symmetric: bool = static(default=False)

    needs: ClassVar[Needs] = Needs(upper_where_lower=True, doubly_stochastic=False)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z"), masses=("t_x", "t_y", "t_z"))
    approximation: ClassVar[tuple[str, ...]] = ("penalty",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = y, and all directions and trackers are zero."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, y, zero_x, zero_y, zero_y, zero_x, zero_y, zero_y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        a, b = at(self.upper_step, round), at(self.lower_step, round)
        Ax, (Ay, Az) = mix(upper=s.x, lower=(s.y, s.z), weights="pull")
        Bt_x, (Bt_y, Bt_z) = mix(upper=s.t_x, lower=(s.t_y, s.t_z), weights="push", call=1)
        d_x, d_y, d_z = penalised_directions(agent, s.x, s.y, s.z, key, self.penalty, self.symmetric)
        t_x = Bt_x + d_x - s.d_x
        t_y = Bt_y + d_y - s.d_y
        t_z = Bt_z + d_z - s.d_z
        x = agent.project(Ax - a * t_x)
        y = Ay - b * t_y
        z = Az - b * t_z
        cost = Cost(agent.samples(upper=1 + self.symmetric, lower=2), 1 + self.symmetric, 2)
        return State(x, y, z, d_x, d_y, d_z, t_x, t_y, t_z), cost

    def conserved(self, state: State) -> tuple[Upper, Lower, Lower]:
        """The pushed trackers sum to the sums of the directions."""
        s = state
        return s.t_x - s.d_x, s.t_y - s.d_y, s.t_z - s.d_z

    def check(self, facts: Facts) -> list[str]:
        """Refuses a penalty that is not positive, and warns of a lower step that is too large for it."""
        check_penalty(self.penalty)
        return beyond_tracking(facts, {"lower_step": self.lower_step}, scale=float(self.penalty))
