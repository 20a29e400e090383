"""MA-DSBO: inner loops for y and the adjoint over the network, and a moving average of the hypergradient (2023)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register, static
from hypergossip.core.heterogeneity import without_tracking
from hypergossip.core.schedules import Momentum, StepSize, at, momentum_at
from hypergossip.core.step_bounds import check_momenta
from hypergossip.core.tracked_steps import beyond_tracking

Loop = tuple[Lower, Lower, Lower]  # the variable, its tracker and its last direction


class State(NamedTuple):
    """One agent's x, r, t_x (p,) and y, t_y, d_y, z, t_z, d_z (q,): t_v tracks r or d_v; it is zero if untracked."""

    x: Upper
    y: Lower
    z: Lower
    r: Upper
    t_x: Upper
    t_y: Lower
    t_z: Lower
    d_y: Lower
    d_z: Lower


@register
class MADSBO(Algorithm):
    """Moving-average decentralized bilevel optimization: a double loop whose hypergradient is the network's.

    A round takes `inner_steps` steps of y, `iterations` steps of the adjoint z and one of x. It sends
    `inner_steps` + `iterations` - 1 messages, the first of which contains x and the beginning of both loops. The method
    is biased by what the loops leave, unless `keep_trackers` and ``tracked="both"``.

    Args:
        upper_step: a of x, a number or a schedule, or one for each leaf.
        lower_step: b of y, likewise.
        adjoint_step: c of z, likewise; its curvature is that of the lower level.
        upper_momentum: theta in (0, 1], the weight of the new hypergradient in r, likewise, or `SquaredStep`; always 1
            in round 0.
        inner_steps: T, the steps of y.
        iterations: N, the steps of z.
        tracked: "lower" tracks the directions of y and z, "both" tracks r as well (MA-DSBO-GT), None nothing.
        keep_trackers: Keep z and the trackers of both loops from round to round; by default each round starts at 0.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize
    upper_momentum: Momentum
    inner_steps: int = static()
    iterations: int = static()
    tracked: str | None = static(default="both")
    keep_trackers: bool = static(default=False)

    needs: ClassVar[Needs] = Needs(upper_where_lower=True)

    @property
    def vectors(self) -> Vectors:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The roles of the vectors; trackers that begin anew in every round are no sums of the network."""
        masses = ("t_x",) if self.tracked == "both" else ()
        kept = ("t_y", "t_z") if self.tracked and self.keep_trackers else ()
        return Vectors(averages=("x", "y", "z"), masses=(*masses, *kept))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: all but x and y is zero."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, zero_y, zero_x, zero_x, zero_y, zero_y, zero_y, zero_y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, T, N = state, self.inner_steps, self.iterations
        upper_key, lower_key = jax.random.split(key)
        f_key, g_key = jax.random.split(upper_key)
        y_key, z_key = jax.random.split(lower_key)
        a, b, c = (at(step, round) for step in (self.upper_step, self.lower_step, self.adjoint_step))
        theta = momentum_at(self.upper_momentum, self.upper_step, round)
        if not self.keep_trackers:
            s = s._replace(**dict.fromkeys(("z", "t_y", "t_z", "d_y", "d_z"), jnp.zeros_like(s.y)))

        # The first exchange of both loops does not depend on this round, and travels with x.
        upper = (s.x, s.t_x) if self.tracked == "both" else (s.x,)
        lower = (s.y, s.z, s.t_y, s.t_z) if self.tracked else (s.y, s.z)
        (Wx, *Wt_x), (Wy, Wz, *Wt) = mix(upper=upper, lower=lower)
        D_y = lambda k, y: agent.lower_gradient(s.x, y, jax.random.fold_in(y_key, k))
        y, t_y, d_y = self._loop(mix, D_y, (Wy, *Wt[:1]), (s.y, s.t_y, s.d_y), b, T, 1)
        fx, fy = agent.upper_gradients(s.x, y, f_key)
        D_z = lambda k, z: agent.hessian_product(s.x, y, jax.random.fold_in(z_key, k))(z) - fy
        z, t_z, d_z = self._loop(mix, D_z, (Wz, *Wt[1:]), (s.z, s.t_z, s.d_z), c, N, T)
        D_x = fx - agent.jacobian_product(s.x, y, g_key)(z)
        r = (1 - theta) * s.r + theta * D_x
        t_x = Wt_x[0] + r - s.r if Wt_x else s.t_x
        x = agent.project(Wx - a * (t_x if Wt_x else r))
        return State(x, y, z, r, t_x, t_y, t_z, d_y, d_z), Cost(agent.samples(upper=1, lower=T + N + 1), 1, T, N, 1)

    def _loop(self, mix: Mix, direction: Any, first: tuple, v: Loop, step: Any, turns: int, call: int) -> Loop:
        """Returns a loop's variable, tracker and last direction after v = W v - step t, t = W t + d - d_before."""

        def move(k: Any, mixed: tuple, v: Loop) -> Loop:
            d = direction(k, v[0])
            t = mixed[1] + d - v[2] if self.tracked else d
            return (mixed[0] - step * t, t, d) if self.tracked else (mixed[0] - step * t, v[1], v[2])

        v = move(0, first, v)
        for k in range(1, turns):  # written out, so that a channel keeps sums or copies for each of the messages
            v = move(k, mix(lower=v[:2] if self.tracked else v[:1], call=call + k - 1), v)
        return v

    def conserved(self, state: State) -> tuple[Any, ...]:
        """The trackers that are kept sum to the sums of what they track."""
        sums = {"t_x": state.t_x - state.r, "t_y": state.t_y - state.d_y, "t_z": state.t_z - state.d_z}
        return tuple(sums[name] for name in self.vectors.masses)

    def check(self, facts: Facts) -> list[str]:
        """Refuses loops without a step and unknown names, and warns of steps that are too large for the network."""
        check_momenta(self)
        T, N = self.inner_steps, self.iterations
        if T < 1 or N < 1:
            raise ValueError(f"inner_steps = {T} and iterations = {N}; take at least one step in each.")
        if self.tracked not in ("lower", "both", None):
            raise ValueError(f'tracked = {self.tracked!r}; choose "lower", "both" or None.')
        steps = {"lower_step": self.lower_step, "adjoint_step": self.adjoint_step}
        bias = without_tracking(facts, self, ("upper_step",) if self.tracked == "lower" else ("upper_step", *steps))
        bound = beyond_tracking(facts, steps, tracked=self.tracked is not None)
        return bound if self.tracked == "both" else [*bound, *bias]
