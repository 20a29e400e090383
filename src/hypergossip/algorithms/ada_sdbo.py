"""AdaSDBO: D-SOBA with steps from accumulated squared norms, which agents average (Zhai, Yan & Zhang 2025)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.heterogeneity import DIFFERENT
from hypergossip.core.hyperparameter_checks import one_number
from hypergossip.core.lower_derivatives import lower_derivatives
from hypergossip.core.schedules import at

Number = Float[Array, ""]


class State(NamedTuple):
    """One agent's variables: x (p,); y, z (q,); the accumulators m_x, m_y and m_z, one number each."""

    x: Upper
    y: Lower
    z: Lower
    m_x: Number
    m_y: Number
    m_z: Number


@register
class AdaSDBO(Algorithm):
    """Adaptive single-loop decentralized bilevel method: no step has to be tuned.

    Each round takes D-SOBA's steps of x, y and z from one point. The steps follow from the squared norms of all earlier
    directions, summed up in three numbers that the agents average, in the same message as x, y and z. On homogeneous
    agents the fixed point is the optimum. On heterogeneous agents the norms do not vanish there, so all steps shrink to
    zero and the method approaches the optimum slowly.

    Args:
        upper_scale: A factor of the step of x, a number or a schedule.
        lower_scale: A factor of the step of y, likewise.
        adjoint_scale: A factor of the step of z, likewise.
        initial: The accumulators at first, above 0.
    """

    upper_scale: Any = 1.0
    lower_scale: Any = 1.0
    adjoint_scale: Any = 1.0
    initial: Any = 1.0

    needs: ClassVar[Needs] = Needs(upper_where_lower=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z", "m_x", "m_y", "m_z"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = 0, and all accumulators are equal."""
        m = jnp.asarray(self.initial, x.dtype)
        return State(x, y, jnp.zeros_like(y), m, m, m)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        fx, fy = agent.upper_gradients(s.x, s.y, upper_key)
        D_y, products = lower_derivatives(agent, s.x, s.y, lower_key)
        Jz, Hz = products(s.z)
        D_x, D_z = fx - Jz, Hz - fy
        # Noise on a link must not make an accumulator smaller than it was at first.
        r_x, r_y, r_z = (jnp.sqrt(jnp.maximum(m, self.initial)) for m in (s.m_x, s.m_y, s.m_z))
        b = at(self.lower_scale, round) / r_y
        c = at(self.adjoint_scale, round) / jnp.maximum(r_y, r_z)
        a = at(self.upper_scale, round) / (r_x * jnp.maximum(r_y, r_z))
        x, (y, z), (m_x, m_y, m_z) = mix(
            upper=s.x - a * D_x,
            lower=(s.y - b * D_y, s.z - c * D_z),
            numbers=(s.m_x + D_x @ D_x, s.m_y + D_y @ D_y, s.m_z + D_z @ D_z),
        )
        return State(agent.project(x), y, z, m_x, m_y, m_z), Cost(agent.samples(upper=1, lower=1), 1, 1, 1, 1)

    def check(self, facts: Facts) -> list[str]:
        """Refuses scales and accumulators that do not begin above zero, and warns of heterogeneous agents."""
        one_number("initial", self.initial, "take a number such as 1")
        for name in ("upper_scale", "lower_scale", "adjoint_scale"):
            scale = getattr(self, name)
            one_number(name, scale(0) if callable(scale) else scale, "take one such as 1, or a schedule")
        difference = max(facts.heterogeneity, facts.gradient_difference)
        if difference <= DIFFERENT:
            return []
        return [
            f"the derivatives of the agents' losses differ, by {100 * difference:.0f} % at the start. On "
            "heterogeneous agents the directions of each agent do not vanish at the optimum, so the steps shrink to "
            "zero and the error decreases about as t^(-1/4). Use Sparkle, or LoPAGT if y is personal, whose steps have "
            "to be tuned."
        ]
