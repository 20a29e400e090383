"""SUN-DSBO-SE: a single loop without second derivatives on the Moreau envelope of g, mixed and not tracked (2025)."""

from typing import Any, ClassVar, NamedTuple

from hypergossip.algorithms.sun_dsbo import check_envelope, directions
from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,), and z (q,), the minimiser of the Moreau envelope."""

    x: Upper
    y: Lower
    z: Lower


@register
class SUNDSBOSE(Algorithm):
    """The form of `SUNDSBO` without trackers: adapt, then combine.

    On heterogeneous agents the agents stay O(steps) away from x_mu, which is O(mu) from the optimum. Each round sends
    one message, x, y and z.

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
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y", "z"))
    untracked: ClassVar[tuple[str, ...]] = ("upper_step", "lower_step")
    approximation: ClassVar[tuple[str, ...]] = ("mu", "gamma")

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = y."""
        return State(x, y, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        a, b = at(self.upper_step, round), at(self.lower_step, round)
        d_x, d_y, d_z = directions(agent, s.x, s.y, s.z, key, self.mu, self.gamma)
        x, (y, z) = mix(upper=s.x - a * d_x, lower=(s.y - b * d_y, s.z - b * d_z))
        return State(agent.project(x), y, z), Cost(agent.samples(upper=1, lower=2), 1, 2)

    def check(self, facts: Facts) -> list[str]:
        """Refuses mu and gamma that are not positive, and warns of a lower step above 2 / curvature."""
        check_envelope(self.mu, self.gamma)
        return beyond_curvature(facts, {"lower_step": self.lower_step})
