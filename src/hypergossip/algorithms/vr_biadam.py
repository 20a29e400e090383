"""VR-BiAdam: STORM on both levels in an Adam-like metric, then interpolation (Huang, Li & Gao 2021)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register
from hypergossip.core.schedules import Momentum, StepSize, at, momentum_at
from hypergossip.core.step_bounds import beyond_curvature, check_momenta, extremes
from hypergossip.core.two_points import at_two_points


class State(NamedTuple):
    """One agent's variables: x, x_prev, w (p,), y, y_prev, v (q,), and the averages of the metric, a (p,) and b ()."""

    x: Upper
    y: Lower
    x_prev: Upper
    y_prev: Lower
    w: Upper
    v: Lower
    a: Upper
    b: Float[Array, ""]


@register
class VRBiAdam(Algorithm):
    """Variance-reduced BiAdam: STORM's directions, each divided by an average of its magnitude.

    ``x~ = project(x - gamma w / (sqrt(a) + rho))`` and ``x+ = x + eta (x~ - x)``, with a the entrywise
    average of w^2; ``y~ = y - lambda v / (b + rho)`` and ``y+ = y + eta (y~ - y)``, with b an average of |v|. In each
    round every estimate is evaluated at two points with one sample. Each round sends one message, x. With one agent it
    is the paper's method. With several agents, x is averaged over the neighbours as in D-SGD, but each agent has its
    own metric. On heterogeneous agents x therefore stops where the *scaled* hypergradients cancel, which is not the
    optimum even for arbitrarily small steps.

    This was written from knowledge of the paper, without access to it. We could not confirm that the metric averages
    the STORM directions and not the round's gradients, nor that the projection is Euclidean and not in the metric.

    Args:
        upper_step: gamma, a number or a schedule, or one for each leaf.
        lower_step: lambda, likewise.
        upper_momentum: STORM's coefficient of w in [0, 1], a number, a schedule or `SquaredStep`; always 1 in round 0.
            `SquaredStep` follows gamma eta_t: ``SquaredStep(c / gamma**2)`` is the paper's c eta_t^2.
        lower_momentum: The coefficient of v, likewise.
        hypergradient: The estimator of w.
        interpolation: eta_t in (0, 1], a number or a schedule; the paper uses ``PowerDecay(k, m, 1/3)``. Without a
            constraint only gamma eta_t and lambda eta_t matter.
        decay: tau in [0, 1), the decay rate of the averages, which start at zero.
        regularization: rho > 0, a lower bound on the divisors of the directions.
    """

    upper_step: StepSize
    lower_step: StepSize
    upper_momentum: Momentum
    lower_momentum: Momentum
    hypergradient: Hypergradient
    interpolation: StepSize = 1.0
    decay: Any = 0.9
    regularization: Any = 1e-3

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: w_{-1} = v_{-1} = a_{-1} = b_{-1} = 0."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, x_prev=x, y_prev=y, w=zero_x, v=zero_y, a=zero_x, b=jnp.zeros((), y.dtype))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, tau, rho = state, self.decay, self.regularization
        upper_key, lower_key = jax.random.split(key)
        gamma, lambda_, eta = (at(step, round) for step in (self.upper_step, self.lower_step, self.interpolation))
        whole_step = lambda t: at(self.upper_step, t) * at(self.interpolation, t)
        upper_momentum = momentum_at(self.upper_momentum, whole_step, round)
        lower_momentum = momentum_at(self.lower_momentum, whole_step, round)

        Mx = mix(upper=s.x)
        now, before = (s.x, s.y), (s.x_prev, s.y_prev)
        (G, cost), (G_prev, more) = at_two_points(lambda x, y: self.hypergradient(agent, x, y, upper_key), now, before)
        h, h_prev = at_two_points(lambda x, y: agent.lower_gradient(x, y, lower_key), now, before)
        w = G + (1 - upper_momentum) * (s.w - G_prev)
        v = h + (1 - lower_momentum) * (s.v - h_prev)
        a = tau * s.a + (1 - tau) * w**2
        b = tau * s.b + (1 - tau) * jnp.linalg.norm(v)
        x = Mx + eta * (agent.project(Mx - gamma * w / (jnp.sqrt(a) + rho)) - Mx)
        y = s.y - eta * lambda_ * v / (b + rho)  # y + eta (y~ - y)
        cost = cost + more.again() + Cost(agent.samples(lower=1), lower_gradients=2)
        return State(x, y, x_prev=s.x, y_prev=s.y, w=w, v=v, a=a, b=b), cost

    def check(self, facts: Facts) -> list[str]:
        """Refuses a metric that could divide by zero, and an interpolation outside (0, 1].

        Warns of a lambda eta above 2 / curvature. It never diverges, as the step is divided by |dy g|, but where dy g
        and b vanish the step is lambda eta / rho.
        """
        check_momenta(self)
        rho, tau, eta = float(self.regularization), float(self.decay), float(at(self.interpolation, 0))
        if not (rho > 0 and 0 <= tau < 1 and 0 < eta <= 1):
            raise ValueError(
                f"regularization = {rho:.3g}, decay = {tau:.3g} and, in round 0, interpolation = {eta:.3g}; "
                "take a positive regularization such as 1e-3, decay in [0, 1), and interpolation in (0, 1]."
            )
        step = lambda t: extremes(self.lower_step, t)[1] * float(at(self.interpolation, t)) / max(1.0, rho)
        outcome = ("y may oscillate", "y may oscillate")
        return beyond_curvature(facts, {"lower_step": step}, outcome)
