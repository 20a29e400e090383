"""SUN-DSBO-GT: a single loop without second derivatives on the Moreau envelope of g, all tracked (2025)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.first_order import lower_gradients
from hypergossip.core.hyperparameter_checks import one_number
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
class SUNDSBO(Algorithm):
    """Single-loop first-order method on min_{x,y} mu f + g - V, where V(x, y) = min_z g(x, z) + |z - y|^2 / (2 gamma).

    The directions of x, y and z are tracked (the paper's GT form; `SUNDSBOSE` is the other one). g may be nonconvex in
    y if 1 / gamma exceeds its negative curvature. The agents converge to the minimiser x_mu of the penalised problem,
    O(mu) from the optimum. Each round sends one message: x, y, z and their trackers.

    Args:
        upper_step: The step of x, a number or a schedule, or one for each leaf; its curvature is proportional to mu.
        lower_step: The step of y and z, likewise.
        mu: The weight of f, positive; the bias is O(mu).
        gamma: The parameter of the Moreau envelope, positive.
    """

    upper_step: StepSize
    lower_step: StepSize
    mu: Any
    gamma: Any

    needs: ClassVar[Needs] = Needs(upper_where_lower=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z"), masses=("t_x", "t_y", "t_z"))
    approximation: ClassVar[tuple[str, ...]] = ("mu", "gamma")

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = y, and all directions and trackers are zero."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, y, zero_x, zero_y, zero_y, zero_x, zero_y, zero_y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        a, b = at(self.upper_step, round), at(self.lower_step, round)
        (Wt_x, Wx), (Wt_y, Wt_z, Wy, Wz) = mix(upper=(s.t_x, s.x), lower=(s.t_y, s.t_z, s.y, s.z))
        d_x, d_y, d_z = directions(agent, s.x, s.y, s.z, key, self.mu, self.gamma)
        t_x = Wt_x + d_x - s.d_x
        t_y = Wt_y + d_y - s.d_y
        t_z = Wt_z + d_z - s.d_z
        x = agent.project(Wx - a * t_x)
        y = Wy - b * t_y
        z = Wz - b * t_z
        return State(x, y, z, d_x, d_y, d_z, t_x, t_y, t_z), Cost(agent.samples(upper=1, lower=2), 1, 2)

    def conserved(self, state: State) -> tuple[Upper, Lower, Lower]:
        """The trackers sum to the sums of the directions."""
        s = state
        return s.t_x - s.d_x, s.t_y - s.d_y, s.t_z - s.d_z

    def check(self, facts: Facts) -> list[str]:
        """Refuses mu and gamma that are not positive, and warns of a lower step that is too large."""
        check_envelope(self.mu, self.gamma)
        return beyond_tracking(facts, {"lower_step": self.lower_step})


def directions(
    agent: Oracles, x: Upper, y: Lower, z: Lower, key: Sample, mu: Any, gamma: Any
) -> tuple[Upper, Lower, Lower]:
    """Returns d_x, d_y and d_z at a point.

    Args:
        agent: The agent's oracles.
        x: (p,).
        y: (q,).
        z: The minimiser of the Moreau envelope, (q,).
        key: A key, which gives (x, y) and (x, z) samples of their own.
        mu: The weight of f.
        gamma: The parameter of the envelope.
    """
    upper_key, lower_key = jax.random.split(key)
    y_key, z_key = jax.random.split(lower_key)
    fx, fy = agent.upper_gradients(x, y, upper_key)
    gx, gy = lower_gradients(agent, x, y, y_key)
    gx_z, gy_z = lower_gradients(agent, x, z, z_key)
    return mu * fx + gx - gx_z, mu * fy + gy - (y - z) / gamma, gy_z + (z - y) / gamma


def check_envelope(mu: Any, gamma: Any) -> None:
    """Raises ValueError if `mu` or `gamma` is not one positive finite number."""
    one_number("mu", mu, "take a number such as 0.1")
    one_number("gamma", gamma, "take a number such as 1")
