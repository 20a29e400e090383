"""SPARKLE: SOBA's directions over a network, every level with a correction of its own (Zhu, Kong, Lu, Huang & Yuan)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.corrections import CORRECTIONS, DUAL, TRACKING, Variable, check_corrections, move
from hypergossip.core.declarations import Needs, Vectors, register, static
from hypergossip.core.lower_derivatives import lower_derivatives
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import check_average


class State(NamedTuple):
    """One agent's variables: x, the averaged direction r (p,); y, z (q,); and what the corrections remember.

    c_x, t_x (p,) and c_y, c_z, t_y, t_z (q,) are the corrections of ED and EXTRA and the trackers of the others; D_y,
    D_z (q,) are the last directions that are tracked (x's is r). Those that a correction does not need are ().
    """

    x: Upper
    y: Lower
    z: Lower
    r: Upper
    c_x: Any
    c_y: Any
    c_z: Any
    t_x: Any
    t_y: Any
    t_z: Any
    D_y: Any
    D_z: Any


@register
class Sparkle(Algorithm):
    """Single-loop primal-dual framework: one step of y, of the adjoint z and of x in a round, each corrected.

    On heterogeneous agents that share both levels the fixed point is the optimum, whatever the corrections. By default
    all directions are taken at one point, and a round sends one message: a vector for each of x, y and z, or two with
    tracking (GT and semi-GT). ATC-GT sends two messages. In turn, y and then z move first, and a round sends three.

    Args:
        upper_step: alpha, a number or a schedule, or one for each leaf.
        lower_step: beta, likewise.
        adjoint_step: The step of z, likewise; its curvature is that of the lower level.
        upper_momentum: theta in (0, 1], the weight of the new direction of x, likewise; with 1 nothing is averaged.
        correction: "ED" (exact diffusion), "EXTRA", "GT", "semi-GT" or "ATC-GT" (three forms of gradient tracking), or
            "none", which is biased.
        upper_correction: That of x, if it is another one.
        lower_correction: That of y, likewise.
        adjoint_correction: That of z, likewise.
        in_turn: Whether z moves after y and x after z, as in the paper, instead of all at one point.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize
    upper_momentum: StepSize = 1.0
    correction: str = static(default="ED")
    upper_correction: str | None = static(default=None)
    lower_correction: str | None = static(default=None)
    adjoint_correction: str | None = static(default=None)
    in_turn: bool = static(default=False)

    needs: ClassVar[Needs] = Needs(upper_where_lower=True, symmetric=True)

    def __post_init__(self) -> None:
        if unknown := [name for name in self._corrections if name not in CORRECTIONS]:
            raise ValueError(f"Sparkle: there is no correction {unknown[0]!r}; give one of {', '.join(CORRECTIONS)}.")

    @property
    def _corrections(self) -> tuple[str, str, str]:
        own = (self.upper_correction, self.lower_correction, self.adjoint_correction)
        x, y, z = (one or self.correction for one in own)
        return x, y, z

    @property
    def vectors(self) -> Vectors:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Averages x, y and z; trackers of the levels that are tracked; and the corrections of the others."""
        named = list(zip("xyz", self._corrections, strict=True))
        masses = tuple(f"t_{s}" for s, name in named if name in TRACKING)
        return Vectors(tuple("xyz"), masses, tuple(f"c_{s}" for s, name in named if name in DUAL))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z, r, the corrections, the trackers and the last directions are zero."""
        zeros = [jnp.zeros_like(v) for v in (x, y, y)]
        c, t = ([v if name in kind else () for v, name in zip(zeros, self._corrections)] for kind in (DUAL, TRACKING))
        return State(x, y, zeros[1], zeros[0], *c, *t, *t[1:])

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, theta, kinds = state, at(self.upper_momentum, round), self._corrections
        upper_key, lower_key = jax.random.split(key)
        alpha, beta, gamma = (at(step, round) for step in (self.upper_step, self.lower_step, self.adjoint_step))
        x = Variable(kinds[0], True, s.x, alpha, s.c_x, s.t_x, s.r)
        y = Variable(kinds[1], False, s.y, beta, s.c_y, s.t_y, s.D_y)
        z = Variable(kinds[2], False, s.z, gamma, s.c_z, s.t_z, s.D_z)
        if self.in_turn:
            f_key, g_key = jax.random.split(upper_key)
            exchanges = [1 + (kind == "ATC-GT") for kind in kinds]
            y = y._replace(D=agent.lower_gradient(s.x, s.y, lower_key))
            (y,) = move(mix, round, [y])
            fx, fy = agent.upper_gradients(s.x, y.s, f_key)
            z = z._replace(D=agent.hessian_product(s.x, y.s, g_key)(s.z) - fy)
            (z,) = move(mix, round, [z], exchanges[1])
            r = (1 - theta) * s.r + theta * (fx - agent.jacobian_product(s.x, y.s, g_key)(z.s))
            (x,) = move(mix, round, [x._replace(D=r)], exchanges[1] + exchanges[2])
        else:
            fx, fy = agent.upper_gradients(s.x, s.y, upper_key)
            h, products = lower_derivatives(agent, s.x, s.y, lower_key)
            Jz, Hz = products(s.z)
            r = (1 - theta) * s.r + theta * (fx - Jz)
            x, y, z = move(mix, round, [x._replace(D=r), y._replace(D=h), z._replace(D=Hz - fy)])
        last = [v.D if v.correction in TRACKING else () for v in (y, z)]
        after = State(agent.project(x.s), y.s, z.s, r, x.c, y.c, z.c, x.t, y.t, z.t, *last)
        return after, Cost(agent.samples(upper=1, lower=1 + self.in_turn), 1, 1, 1, 1)

    def conserved(self, state: State) -> tuple[Any, ...]:
        """Corrections sum to zero over the network, and trackers to the sum of the last directions."""
        s = state
        levels = zip(self._corrections, (s.c_x, s.c_y, s.c_z), (s.t_x, s.t_y, s.t_z), (s.r, s.D_y, s.D_z), strict=True)
        return tuple(c if name in DUAL else t - D for name, c, t, D in levels if name != "none")

    def check(self, facts: Facts) -> list[str]:
        """Refuses corrections without a stable step on the network, and warns of steps above a correction's bound."""
        check_average("upper_momentum", self.upper_momentum)
        return check_corrections(self, self._corrections, facts)
