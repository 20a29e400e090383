"""ALSET: several warm-started lower steps, then one upper step (Chen, Sun & Yin 2021)."""

from typing import Any, ClassVar, NamedTuple

import jax
from jax import lax

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register, static
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,)."""

    x: Upper
    y: Lower


@register
class ALSET(Algorithm):
    """Alternating stochastic gradient descent: T warm-started lower steps, then an upper step at the new y.

    ``y_{t+1} = y_t - beta dy g(x, y_t; zeta_t)`` for t < T from the last round's y, then ``x - alpha G(x, y_T)``.
    Both levels may use steps on one time scale. A round costs T lower samples and gradients, and one estimate. Each
    round sends one message, x. With one agent it is the paper's method. With several agents, x is averaged over the
    neighbours as in D-SGD.

    Args:
        upper_step: alpha_k, a number or a schedule of the round, or one for each leaf.
        lower_step: beta_k, likewise. It is the same for all T steps of a round.
        inner_steps: T.
        hypergradient: The estimator G; the paper's is a Neumann series.
    """

    upper_step: StepSize
    lower_step: StepSize
    inner_steps: int = static()
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, T = state, self.inner_steps
        upper_key, lower_key = jax.random.split(key)
        zeta = lambda t: jax.random.fold_in(lower_key, t)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mx = mix(upper=s.x)
        y = lax.fori_loop(0, T, lambda t, y: y - beta * agent.lower_gradient(s.x, y, zeta(t)), s.y)
        G, cost = self.hypergradient(agent, s.x, y, upper_key)
        x = agent.project(Mx - alpha * G)
        return State(x, y), cost + Cost(agent.samples(lower=T), lower_gradients=T)

    def check(self, facts: Facts) -> list[str]:
        """Refuses a loop without a step, and warns of a lower step above 2 / curvature."""
        check_inner_steps(self.inner_steps)
        return beyond_curvature(facts, {"lower_step": self.lower_step})


def check_inner_steps(inner_steps: int) -> None:
    """Raises ValueError if an inner loop of T = `inner_steps` has no step."""
    if inner_steps < 1:
        raise ValueError(f"inner_steps = {inner_steps}, so y would never change; take 1 or more.")
