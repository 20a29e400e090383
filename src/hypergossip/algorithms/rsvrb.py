"""RSVRB: STORM on both gradients and on the solution of the linear system (Guo, Hu, Zhang & Yang 2021)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register
from hypergossip.core.schedules import Momentum, StepSize, at, momentum_at
from hypergossip.core.step_bounds import beyond_curvature, check_momenta
from hypergossip.core.two_points import at_two_points
from hypergossip.hypergradients.implicit import ImplicitHypergradient


class State(NamedTuple):
    """One agent's variables: x, x_prev, u (p,); y, y_prev, v, z (q,).

    u is the upper direction, v is the lower direction, and z is the averaged solution of (d2yy g) z = dy f.
    """

    x: Upper
    y: Lower
    x_prev: Upper
    y_prev: Lower
    u: Upper
    v: Lower
    z: Lower


@register
class RSVRB(Algorithm):
    """Stochastic variance-reduced bilevel method with one lower problem: three STORM recursions.

    z averages the estimates of [d2yy g]^-1 dy f, u the directions dx f - d2xy g z at the averaged z, v the gradients
    dy g. A round costs the estimator's sample and one lower sample, each evaluated at two points. Each round sends one
    message, x. With one agent it is the paper's method. With several agents, x is averaged over the neighbours as in
    D-SGD.

    This was written from knowledge of the paper, without access to it. We could not confirm which parts of the
    hypergradient have a separate recursion: the solution of the system, as here, or the matrix that is inverted. The
    paper's random choice among several lower problems is omitted, as there is only one y.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        upper_momentum: STORM's coefficient of u in [0, 1], a number, a schedule or `SquaredStep`; always 1 in round 0.
        lower_momentum: The coefficient of v, likewise.
        adjoint_momentum: The coefficient of z, likewise.
        hypergradient: An estimator that solves the linear system: any but `Unrolled`.
    """

    upper_step: StepSize
    lower_step: StepSize
    upper_momentum: Momentum
    lower_momentum: Momentum
    adjoint_momentum: Momentum
    hypergradient: Hypergradient

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0. Round 0 discards u, v and z, as its momenta are 1."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, x_prev=x, y_prev=y, u=zero_x, v=zero_y, z=zero_y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, estimator = state, solving(self.hypergradient)
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        momenta = (self.upper_momentum, self.lower_momentum, self.adjoint_momentum)
        eta, gamma, theta = (momentum_at(momentum, self.upper_step, round) for momentum in momenta)

        Mx = mix(upper=s.x)
        now = estimator.adjoint(agent, s.x, s.y, upper_key)
        before = estimator.adjoint(agent, s.x_prev, s.y_prev, upper_key)
        z = now.z + (1 - theta) * (s.z - before.z)
        # Each direction uses the z of its own round, so that d_prev is the direction of the last round.
        d, d_prev = now.fx - now.jacobian_product(z), before.fx - before.jacobian_product(s.z)
        lower_gradient = lambda x, y: agent.lower_gradient(x, y, lower_key)
        h, h_prev = at_two_points(lower_gradient, (s.x, s.y), (s.x_prev, s.y_prev))
        u = d + (1 - eta) * (s.u - d_prev)
        v = h + (1 - gamma) * (s.v - h_prev)
        x = agent.project(Mx - alpha * u)
        y = s.y - beta * v
        own = Cost(agent.samples(lower=1), lower_gradients=2, jacobian_products=2)
        return State(x, y, x_prev=s.x, y_prev=s.y, u=u, v=v, z=z), now.cost + before.cost.again() + own

    def check(self, facts: Facts) -> list[str]:
        """Refuses an estimator that solves no system, and warns of a lower step above 2 / curvature."""
        check_momenta(self)
        solving(self.hypergradient)
        return beyond_curvature(facts, {"lower_step": self.lower_step})


def solving(hypergradient: Hypergradient) -> ImplicitHypergradient:
    """Returns an estimator as one that solves the linear system, or raises ValueError if it solves none."""
    if not isinstance(hypergradient, ImplicitHypergradient):
        raise ValueError(
            f"{type(hypergradient).__name__} solves no linear system whose solution could be averaged; take "
            "ConjugateGradient or a Neumann series."
        )
    return hypergradient
