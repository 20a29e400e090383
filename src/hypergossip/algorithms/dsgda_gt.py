"""DSGDA-GT: a penalty without second derivatives, descent in x and y, ascent in z, all tracked (2024)."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register, static
from hypergossip.core.first_order import check_penalty, penalised_directions
from hypergossip.core.schedules import Momentum, StepSize, at, momentum_at
from hypergossip.core.step_bounds import check_momenta
from hypergossip.core.tracked_steps import beyond_tracking
from hypergossip.core.two_points import at_two_points


class State(NamedTuple):
    """One agent's x, d_x, t_x (p,) and y, z, d_y, d_z, t_y, t_z (q,): t_v tracks the direction d_v of each v.

    `before` is the last round's (x, y, z), or () without STORM.
    """

    x: Upper
    y: Lower
    z: Lower
    d_x: Upper
    d_y: Lower
    d_z: Lower
    t_x: Upper
    t_y: Lower
    t_z: Lower
    before: tuple


@register
class DSGDAGT(Algorithm):
    """Decentralized gradient descent ascent with tracking on min_{x,y} max_z f(x, y) + penalty [g(x, y) - g(x, z)].

    y minimises f / penalty + g and z minimises g, so that no second derivative is needed. The agents converge to the
    minimiser x_lambda of the penalised problem, whose distance from the optimum is O(1 / penalty), or
    O(1 / penalty^2) if `symmetric`. Each round sends one message: x, y, z and their trackers.

    Args:
        upper_step: The step of x, a number or a schedule, or one for each leaf.
        lower_step: The step of y and z, likewise; their curvature is that of penalty g, so it shrinks as 1 / penalty.
        penalty: lambda > 0.
        momentum: STORM's momentum on all directions, a number, a schedule or `SquaredStep`; None for plain gradients.
        symmetric: Let z minimise g - f / penalty. It costs one more upper gradient, and penalty times the strong
            convexity of g must exceed the curvature of f in y.
    """

    upper_step: StepSize
    lower_step: StepSize
    penalty: Any
    momentum: Momentum = None
    symmetric: bool = static(default=False)

    needs: ClassVar[Needs] = Needs(upper_where_lower=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z"), masses=("t_x", "t_y", "t_z"))
    approximation: ClassVar[tuple[str, ...]] = ("penalty",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = y, and all directions and trackers are zero."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        before = () if self.momentum is None else (x, y, y)
        return State(x, y, y, zero_x, zero_y, zero_y, zero_x, zero_y, zero_y, before)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        a, b = at(self.upper_step, round), at(self.lower_step, round)
        (Wt_x, Wx), (Wt_y, Wt_z, Wy, Wz) = mix(upper=(s.t_x, s.x), lower=(s.t_y, s.t_z, s.y, s.z))
        (d_x, d_y, d_z), cost = self._directions(agent, round, s, key)
        t_x = Wt_x + d_x - s.d_x
        t_y = Wt_y + d_y - s.d_y
        t_z = Wt_z + d_z - s.d_z
        x = agent.project(Wx - a * t_x)
        y = Wy - b * t_y
        z = Wz - b * t_z
        return State(x, y, z, d_x, d_y, d_z, t_x, t_y, t_z, s.before and (s.x, s.y, s.z)), cost

    def _directions(self, agent: Oracles, round: Any, s: State, key: Sample) -> tuple[tuple[Upper, Lower, Lower], Cost]:
        """Returns the directions of x, y and z, gradients or STORM's estimates of them, and their cost."""
        cost = Cost(agent.samples(upper=1 + self.symmetric, lower=2), 1 + self.symmetric, 2)
        gradients = lambda x, y, z: penalised_directions(agent, x, y, z, key, self.penalty, self.symmetric)
        if self.momentum is None:
            return gradients(s.x, s.y, s.z), cost
        eta = momentum_at(self.momentum, self.upper_step, round)
        (x, y, z), (x_last, y_last, z_last) = at_two_points(gradients, (s.x, s.y, s.z), s.before)
        d_x = x + (1 - eta) * (s.d_x - x_last)
        d_y = y + (1 - eta) * (s.d_y - y_last)
        d_z = z + (1 - eta) * (s.d_z - z_last)
        return (d_x, d_y, d_z), cost + cost.again()

    def conserved(self, state: State) -> tuple[Upper, Lower, Lower]:
        """The trackers sum to the sums of the directions."""
        s = state
        return s.t_x - s.d_x, s.t_y - s.d_y, s.t_z - s.d_z

    def check(self, facts: Facts) -> list[str]:
        """Refuses a penalty or a momentum out of range, and warns of a lower step that is too large for it."""
        check_penalty(self.penalty)
        check_momenta(self)
        return beyond_tracking(facts, {"lower_step": self.lower_step}, scale=float(self.penalty))
