"""SLDBO on directed networks: FAB's push-pull with second derivatives in the place of a penalty, without a paper."""

from typing import Any, ClassVar

from hypergossip.algorithms.sldbo import SLDBO, State
from hypergossip.core.algorithm import Cost, Facts, Mix, Oracles, Sample
from hypergossip.core.balls import in_ball
from hypergossip.core.declarations import Needs, register
from hypergossip.core.schedules import at
from hypergossip.core.tracked_steps import beyond_tracking


@register
class SLDBOPushPull(SLDBO):
    """SLDBO with x, y and z pulled by weights whose rows sum to one, and their trackers pushed.

    On a network with doubly stochastic weights it is SLDBO. On directed networks, also on several in turn, the agents
    converge to the optimum itself, where `FAB` stops at that of its penalised problem. Each round sends two messages,
    (x, y, z) and then their trackers.

    Args:
        upper_step: As in `SLDBO`.
        lower_step: As in `SLDBO`.
        adjoint_step: As in `SLDBO`.
        radius: As in `SLDBO`.
    """

    needs: ClassVar[Needs] = Needs(upper_where_lower=True, doubly_stochastic=False)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        Ax, (Ay, Az) = mix(upper=s.x, lower=(s.y, s.z), weights="pull")
        Bt_x, (Bt_y, Bt_z) = mix(upper=s.t_x, lower=(s.t_y, s.t_z), weights="push", call=1)
        (D_x, D_y, D_z), cost = self.directions(agent, round, s, key)
        t_x = Bt_x + D_x - s.D_x
        t_y = Bt_y + D_y - s.D_y
        t_z = Bt_z + D_z - s.D_z
        x = agent.project(Ax - at(self.upper_step, round) * t_x)
        y = Ay - at(self.lower_step, round) * t_y
        z = in_ball(Az - at(self.adjoint_step, round) * t_z, self.radius)
        return State(x, y, z, t_x, t_y, t_z, D_x, D_y, D_z), cost

    def check(self, facts: Facts) -> list[str]:
        """Refuses a radius that is not positive, and warns of lower steps above the bound of tracking."""
        self.check_radius()
        return beyond_tracking(facts, {"lower_step": self.lower_step, "adjoint_step": self.adjoint_step})
