"""AID-BiO: conjugate gradients, warm-started at the last round's solution (Ji, Yang & Liang 2021, algorithm 1, AID)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.algorithms.alset import check_inner_steps
from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register, static
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature
from hypergossip.hypergradients.conjugate_gradient import solve_positive


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,), v (q,), the last round's solution of (d2yy g) v = dy f."""

    x: Upper
    y: Lower
    v: Lower


@register
class AIDBiO(Algorithm):
    """Approximate implicit differentiation with two warm-started loops: T lower steps, then N conjugate gradients.

    Both y and v are warm-started, so few steps of each suffice: the fixed point is the exact one for all T and N. The
    update of v takes N steps for the correction d, ``(d2yy g) d = dy f - (d2yy g) v``, with the same iterates as
    conjugate gradients that start at v. A round costs T + 1 lower samples and one upper sample, T lower gradients,
    N + 1 products with d2yy g (fewer if the residual reaches round-off) and one with d2xy g. Each round sends one
    message, x. With one agent it is the paper's method (the paper uses the full data; here batches are possible as
    well). With several agents, x is averaged over the neighbours as in D-SGD.

    Args:
        upper_step: alpha_k, a number or a schedule of the round, or one for each leaf.
        lower_step: beta_k, likewise. It is the same for all T steps of a round.
        inner_steps: T.
        iterations: N.
    """

    upper_step: StepSize
    lower_step: StepSize
    inner_steps: int = static()
    iterations: int = static()

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: v = 0."""
        return State(x, y, jnp.zeros_like(y))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, T = state, self.inner_steps
        upper_key, lower_key = jax.random.split(key)
        f_key, g_key = jax.random.split(upper_key)
        zeta = lambda t: jax.random.fold_in(lower_key, t)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mx = mix(upper=s.x)
        y = lax.fori_loop(0, T, lambda t, y: y - beta * agent.lower_gradient(s.x, y, zeta(t)), s.y)
        fx, fy = agent.upper_gradients(s.x, y, f_key)
        H, J = agent.hessian_product(s.x, y, g_key), agent.jacobian_product(s.x, y, g_key)
        d, products = solve_positive(H, fy - H(s.v), self.iterations, jnp.finfo(y.dtype).eps)
        v = s.v + d
        x = agent.project(Mx - alpha * (fx - J(v)))  # eq. 4
        return State(x, y, v), Cost(agent.samples(upper=1, lower=T + 1), 1, T, products + 1, 1)

    def check(self, facts: Facts) -> list[str]:
        """Refuses loops without a step, and warns of a lower step above 2 / curvature."""
        check_inner_steps(self.inner_steps)
        if self.iterations < 1:
            raise ValueError(f"iterations = {self.iterations}, so v would stay 0; take 1 or more.")
        return beyond_curvature(facts, {"lower_step": self.lower_step})
