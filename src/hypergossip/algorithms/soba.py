"""SOBA: simultaneous steps of x, y and the linear system's solution z (Dagréou, Ablin, Vaiter & Moreau 2022)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register
from hypergossip.core.lower_derivatives import lower_derivatives
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x (p,); y (q,); z (q,), the tracked solution of (d2yy g) z = dy f."""

    x: Upper
    y: Lower
    z: Lower


@register
class SOBA(Algorithm):
    """Stochastic bilevel algorithm: in each round one gradient step of y, z and x from the same point.

    There is no inner loop and no estimator. Each direction is linear in the samples and therefore unbiased. A round
    costs one upper and one lower sample, both gradients, and one product with each second derivative, all at one point.
    Each round sends one message, x. With one agent it is the paper's method. With several agents, x is averaged over
    the neighbours as in D-SGD. The paper's v is -z.

    Args:
        upper_step: alpha_k, a number or a schedule, or one for each leaf.
        lower_step: beta_k, likewise.
        adjoint_step: The step of z, likewise; its curvature is that of the lower level. The paper uses beta_k.
    """

    upper_step: StepSize
    lower_step: StepSize
    adjoint_step: StepSize

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: z = 0."""
        return State(x, y, jnp.zeros_like(y))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mx = mix(upper=s.x)
        fx, fy = agent.upper_gradients(s.x, s.y, upper_key)
        h, products = lower_derivatives(agent, s.x, s.y, lower_key)
        Jz, Hz = products(s.z)
        y = s.y - beta * h
        z = s.z - at(self.adjoint_step, round) * (Hz - fy)
        x = agent.project(Mx - alpha * (fx - Jz))  # eq. 4 with z for the solution
        return State(x, y, z), Cost(agent.samples(upper=1, lower=1), 1, 1, 1, 1)

    def check(self, facts: Facts) -> list[str]:
        """Warns of steps of y and z above 2 / curvature of the lower level, which is the curvature of both."""
        return beyond_curvature(facts, {"lower_step": self.lower_step, "adjoint_step": self.adjoint_step})
