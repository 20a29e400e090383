"""D-SOBA: SOBA with both levels and the adjoint adapted, then combined over the network (Kong et al. 2025)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.first_order import lower_gradients
from hypergossip.core.hyperparameter_checks import one_number
from hypergossip.core.lower_derivatives import Products, lower_derivatives
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature, check_average


class State(NamedTuple):
    """One agent's variables: x, the averaged direction h (p,); y and the adjoint z (q,)."""

    x: Upper
    y: Lower
    z: Lower
    h: Upper


@register
class DSOBA(Algorithm):
    """Decentralized stochastic one-loop bilevel algorithm, with products (SO) or first-order derivatives only (FO).

    Each round takes one step of x, y and z from one point and then averages all three; it sends one message. Without
    tracking of any level the fixed point is O(step) from the optimum on heterogeneous agents, in each of the three
    steps. It is SPARKLE without a correction; `Sparkle(..., correction="none", in_turn=True)` moves them in turn.

    Args:
        upper_step: alpha, a number or a schedule, or one for each leaf.
        lower_step: beta, likewise.
        adjoint_step: gamma, the step of z, likewise; its curvature is that of the lower level.
        upper_momentum: theta in (0, 1], the weight of the new direction in h, likewise; with 1 nothing is averaged.
        difference: epsilon > 0 of FO, whose products are forward differences of dy g and dx g from y to y + epsilon z.
            They are exact if g is quadratic in y, and move the fixed point by O(epsilon) otherwise. None: SO.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize
    upper_momentum: StepSize = 1.0
    difference: Any = None

    needs: ClassVar[Needs] = Needs(upper_where_lower=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z"))
    untracked: ClassVar[tuple[str, ...]] = ("upper_step", "lower_step", "adjoint_step")
    approximation: ClassVar[tuple[str, ...]] = ("difference",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = h = 0."""
        return State(x, y, jnp.zeros_like(y), jnp.zeros_like(x))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, first_order = state, self.difference is not None
        upper_key, lower_key = jax.random.split(key)
        alpha, beta, gamma = (at(step, round) for step in (self.upper_step, self.lower_step, self.adjoint_step))
        theta = at(self.upper_momentum, round)
        fx, fy = agent.upper_gradients(s.x, s.y, upper_key)
        derivatives = self._differences if first_order else lower_derivatives
        dyg, products = derivatives(agent, s.x, s.y, lower_key)
        Jz, Hz = products(s.z)
        h = (1 - theta) * s.h + theta * (fx - Jz)
        x, (y, z) = mix(upper=s.x - alpha * h, lower=(s.y - beta * dyg, s.z - gamma * (Hz - fy)))
        calls = (1, 2, 0, 0) if first_order else (1, 1, 1, 1)
        return State(agent.project(x), y, z, h), Cost(agent.samples(upper=1, lower=1), *calls)

    def _differences(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Lower, Products]:
        """Returns dy g and v -> (d2xy g v, d2yy g v) by forward differences."""
        gx, gy = lower_gradients(agent, x, y, key)

        def products(v: Lower) -> tuple[Upper, Lower]:
            ahead_x, ahead_y = lower_gradients(agent, x, y + self.difference * v, key)
            return (ahead_x - gx) / self.difference, (ahead_y - gy) / self.difference

        return gy, products

    def check(self, facts: Facts) -> list[str]:
        """Refuses a difference or a momentum out of range, and warns of steps of y and z above 2 / curvature."""
        check_average("upper_momentum", self.upper_momentum)
        if self.difference is not None:
            one_number("difference", self.difference, "take a positive one such as 1e-2, or None")
        return beyond_curvature(facts, {"lower_step": self.lower_step, "adjoint_step": self.adjoint_step})
