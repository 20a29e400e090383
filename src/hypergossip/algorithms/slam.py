"""SLAM: stochastic linearized augmented Lagrangian, in its primal-dual form (Lu et al. 2022, eq. 4 and 5).

The recursion of algorithm 1 (eq. 6) gives the same sequence but integrates round-off twice, which this form avoids.
SLAM-L and SLAM-U (algorithms 2 and 3) are this method on problems that share one level: `mix` returns entries that are
not shared unchanged, so their residuals and dual terms are zero.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, Vectors, register
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import extremes, reach


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,) and the dual terms d_x = A' lambda (p,), d_y = A' omega (q,)."""

    x: Upper
    y: Lower
    d_x: Upper
    d_y: Lower


@register
class Slam(Algorithm):
    """Stochastic linearized augmented Lagrangian method, with consensus on one level or on both.

    Each round sends one message, the shared entries of x and y. The Laplacian is I - W. With Laplacian weights
    W = I - 2L/(3 l_max), rho is therefore the paper's rho times 3 l_max / 2.

    Args:
        upper_step: 1/alpha, a number or a schedule, or one for each leaf.
        lower_step: 1/beta, likewise.
        gamma: The scale gamma > 0 of the dual variables.
        rho: The penalty rho > 0.
        hypergradient: The estimator h_f of eq. 4, with the agent's own second derivatives.
    """

    upper_step: StepSize
    lower_step: StepSize
    gamma: Any
    rho: Any
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(symmetric=True)
    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y"), differences=("d_x", "d_y"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: both dual terms are zero."""
        return State(x, y, jnp.zeros_like(x), jnp.zeros_like(y))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, gamma, rho = state, self.gamma, self.rho
        upper_key, lower_key = jax.random.split(key)
        inverse_alpha, inverse_beta = at(self.upper_step, round), at(self.lower_step, round)
        # The dual ascent that closes round r - 1 needs W x^r, which round r receives: one message serves both.
        ascent = jnp.where(round > 0, rho / gamma, 0.0)

        Mx, My = mix(upper=s.x, lower=s.y)
        Lx, Ly = s.x - Mx, s.y - My
        d_y = s.d_y + ascent * Ly  # eq. 4b
        h_g = agent.lower_gradient(s.x, s.y, lower_key)
        y = s.y - inverse_beta * (h_g + gamma * d_y + rho * gamma * Ly)  # eq. 5a
        d_x = s.d_x + ascent * Lx  # eq. 4d
        h_f, cost = self.hypergradient(agent, s.x, y, upper_key)
        x = agent.project(s.x - inverse_alpha * (h_f + gamma * d_x + rho * gamma * Lx))  # eq. 5b
        return State(x, y, d_x, d_y), cost + Cost(agent.samples(lower=1), lower_gradients=1)

    def conserved(self, state: State) -> tuple[Upper, Lower]:
        """The dual terms lie in the range of A': they sum to zero over the network."""
        return state.d_x, state.d_y

    def check(self, facts: Facts) -> list[str]:
        """Checks the steps of both levels by `check_primal_dual`."""
        levels = (
            ("lower_step", facts.lower_shared, lambda: facts.lower_curvature[1]),
            ("upper_step", facts.upper_shared, facts.upper_curvature),
        )
        return check_primal_dual(self, facts, levels)


def check_primal_dual(method: Any, facts: Facts, levels: Iterable[tuple[str, bool, Callable[[], float]]]) -> list[str]:
    """Checks that step ((1 + 2 gamma) rho mu_max + 2 l) < 4 for every step of a primal-dual method.

    Along an eigenvector of I - W with eigenvalue mu a round is the recursion v+ = (2 - a - b) v - (1 - a) v_prev with
    a = step (l + rho gamma mu) and b = step rho mu, which is stable if and only if 2 a + b < 4 (equations.md). With
    symmetric curvatures that differ between the agents, it is stable below the bound for the largest curvature.

    Args:
        method: The method, with gamma, rho and the steps.
        facts: The facts known before the run.
        levels: The name of each step, whether its variable is shared, and its curvature l, which may be expensive.

    Returns:
        A warning for every step that is too large for the estimated curvature, or that grows above the bound.

    Raises:
        ValueError: If gamma or rho is not positive, or a step in round 0 is too large on this network for any losses.
    """
    gamma, rho, warnings = float(method.gamma), float(method.rho), []
    if not (gamma > 0 and rho > 0):
        raise ValueError(f"gamma = {method.gamma} and rho = {method.rho}; both must be positive, such as 1.0.")
    for step, shared, curvature in levels:
        value = getattr(method, step)
        least, reached = extremes(value, 0)[0], reach(value)
        penalty = (1 + 2 * gamma) * rho * (1 - facts.network.smallest_eigenvalue) if shared else 0.0
        if least * penalty >= 4:
            raise ValueError(
                f"{step} = {least:.3g} is unstable on this network for any losses: it must stay "
                f"below 4 / ((1 + 2 gamma) rho mu_max) = {4 / penalty:.3g}. Take a smaller step, or a smaller rho."
            )
        total = penalty + 2 * curvature()
        if reached.largest * total >= 4:
            bound = 4 / total
            likely = "is likely to" if reached.least * total >= 4 else "may"  # one of several leaves' values
            warnings.append(
                f"{reached.sentence(step, bound, f' {likely}', f', and {likely}')} be unstable: for the curvature "
                f"found at the start it should stay below {bound:.3g}; use, for example, {0.5 * bound:.2g}."
            )
    return warnings
