"""C2DFB: a penalty without second derivatives, whose two inner loops send few bits (Wen et al. 2024)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register, static
from hypergossip.core.first_order import check_penalty, lower_gradients
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
class C2DFB(Algorithm):
    """Compressed first-order method with two loops: y minimises g + f / penalty, z minimises g, and x follows.

    A round takes `inner_steps` tracked steps of y and z, which send one message each, and one tracked step of x, whose
    vectors travel first and alone. With the channel [CommonCopy(gamma, level="lower"), TopK(count)] or another code
    only y, z and their trackers are compressed, as in the paper. The agents converge to the minimiser x_lambda of the
    penalised problem, O(1 / penalty) from the optimum, with the channel and without it.

    Args:
        upper_step: a of x, a number or a schedule, or one for each leaf.
        lower_step: b of y and z, likewise; their curvature is that of g, for every penalty.
        penalty: lambda > 0.
        inner_steps: T, the steps of y and z in a round.
    """

    upper_step: StepSize
    lower_step: StepSize
    penalty: Any
    inner_steps: int = static()

    needs: ClassVar[Needs] = Needs(upper_where_lower=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z"), masses=("t_x", "t_y", "t_z"))
    approximation: ClassVar[tuple[str, ...]] = ("penalty",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = y, and all directions and trackers are zero."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, y, zero_x, zero_y, zero_y, zero_x, zero_y, zero_y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, lam, T = state, self.penalty, self.inner_steps
        a, b = at(self.upper_step, round), at(self.lower_step, round)
        upper_key, lower_key = jax.random.split(key)
        f_keys, g_keys = jax.random.split(upper_key, T + 1), jax.random.split(lower_key, 2 * T + 2)
        Wt_x, Wx = mix(upper=(s.t_x, s.x))
        y, z, d_y, d_z, t_y, t_z = s.y, s.z, s.d_y, s.d_z, s.t_y, s.t_z
        for k in range(T):  # written out, so that a channel keeps its copies from one message to the next
            Wt_y, Wt_z, Wy, Wz = mix(lower=(t_y, t_z, y, z), call=1 + k, again=k > 0)
            new_y = agent.upper_gradients(s.x, y, f_keys[k])[1] / lam + agent.lower_gradient(s.x, y, g_keys[2 * k])
            new_z = agent.lower_gradient(s.x, z, g_keys[2 * k + 1])
            t_y, d_y = Wt_y + new_y - d_y, new_y
            t_z, d_z = Wt_z + new_z - d_z, new_z
            y = Wy - b * t_y
            z = Wz - b * t_z
        fx, _ = agent.upper_gradients(s.x, y, f_keys[T])
        gx, _ = lower_gradients(agent, s.x, y, g_keys[2 * T])
        gx_z, _ = lower_gradients(agent, s.x, z, g_keys[2 * T + 1])
        d_x = fx + lam * (gx - gx_z)
        t_x = Wt_x + d_x - s.d_x
        x = agent.project(Wx - a * t_x)
        cost = Cost(agent.samples(upper=T + 1, lower=2 * T + 2), T + 1, 2 * T + 2)
        return State(x, y, z, d_x, d_y, d_z, t_x, t_y, t_z), cost

    def conserved(self, state: State) -> tuple[Upper, Lower, Lower]:
        """The trackers sum to the sums of the directions."""
        s = state
        return s.t_x - s.d_x, s.t_y - s.d_y, s.t_z - s.d_z

    def check(self, facts: Facts) -> list[str]:
        """Refuses a penalty that is not positive and loops without a step, and warns of a lower step too large."""
        check_penalty(self.penalty)
        if self.inner_steps < 1:
            raise ValueError(f"inner_steps = {self.inner_steps}; take at least one step of y and z in a round.")
        return beyond_tracking(facts, {"lower_step": self.lower_step})
