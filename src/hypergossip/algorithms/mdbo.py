"""MDBO: momentum and gradient tracking on both levels (Gao, Gu & Thai 2023, algorithm 1)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Vectors, register
from hypergossip.core.heterogeneity import local_second_derivatives
from hypergossip.core.hyperparameter_checks import one_number
from hypergossip.core.schedules import Momentum, SquaredStep, StepSize, at
from hypergossip.core.step_bounds import extremes
from hypergossip.core.tracked_steps import beyond_tracking


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,), the averages u (p,), v (q,), and their trackers t_x (p,), t_y (q,)."""

    x: Upper
    y: Lower
    u: Upper
    v: Lower
    t_x: Upper
    t_y: Lower


@register
class MDBO(Algorithm):
    """Momentum-based decentralized bilevel optimizer: moving averages of both gradients, each of them tracked.

    Each round sends one message, (t_x, x) and (t_y, y). The hypergradient is each agent's own. On a shared lower level
    whose second derivatives differ between the agents the method therefore ends at the fixed point of a local
    surrogate, whatever the step: `check` warns of it where it can see it. The paper assumes equal distributions.

    Args:
        upper_step: beta_1, a number or a schedule, or one for each leaf; x moves by eta beta_1.
        lower_step: beta_2, likewise.
        upper_momentum: alpha_1: u forgets at the rate alpha_1 eta; at most 1 / eta.
        lower_momentum: alpha_2 of v, likewise.
        eta: The part of a step that is taken, of the mixing as well, in (0, 1].
        hypergradient: The estimator; the paper's is `Neumann`, with a random depth below its J terms.
    """

    upper_step: StepSize
    lower_step: StepSize
    upper_momentum: Momentum
    lower_momentum: Momentum
    eta: Any
    hypergradient: Hypergradient

    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y"), masses=("t_x", "t_y"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0: zero averages and trackers, which round 0 sets to the gradients."""
        zero_x, zero_y = jnp.zeros_like(x), jnp.zeros_like(y)
        return State(x, y, u=zero_x, v=zero_y, t_x=zero_x, t_y=zero_y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, eta = state, self.eta
        upper_key, lower_key = jax.random.split(key)
        beta_1, beta_2 = at(self.upper_step, round), at(self.lower_step, round)
        a_1 = jnp.where(round == 0, 1.0, at(self.upper_momentum, round) * eta)
        a_2 = jnp.where(round == 0, 1.0, at(self.lower_momentum, round) * eta)
        (Wt_x, Wx), (Wt_y, Wy) = mix(upper=(s.t_x, s.x), lower=(s.t_y, s.y))
        G, cost = self.hypergradient(agent, s.x, s.y, upper_key)
        h = agent.lower_gradient(s.x, s.y, lower_key)
        u = (1 - a_1) * s.u + a_1 * G
        v = (1 - a_2) * s.v + a_2 * h
        t_x = Wt_x + u - s.u
        t_y = Wt_y + v - s.v
        x = agent.project(s.x - eta * (s.x - Wx) - eta * beta_1 * t_x)
        y = s.y - eta * (s.y - Wy) - eta * beta_2 * t_y
        return State(x, y, u, v, t_x, t_y), cost + Cost(agent.samples(lower=1), lower_gradients=1)

    def conserved(self, state: State) -> tuple[Upper, Lower]:
        """The trackers sum to the sums of the averages: sum_i (t_x - u) = 0 and sum_i (t_y - v) = 0."""
        return state.t_x - state.u, state.t_y - state.v

    def check(self, facts: Facts) -> list[str]:
        """Refuses numbers outside their ranges; warns of unstable steps and of the bias of local second derivatives."""
        check_ranges(self, 1)
        bound = beyond_tracking(facts, {"lower_step": self.lower_step}, eta=float(self.eta))
        return [*local_second_derivatives(facts), *bound]


def check_ranges(method: Any, power: int) -> None:
    """Checks eta, and that the rates at which momenta forget, alpha eta^power, do not exceed 1.

    Args:
        method: The method.
        power: The power of eta in the rate.

    Raises:
        ValueError: If a number is outside its range.
    """
    eta = one_number("eta", method.eta, "it multiplies I - W and the steps, such as 0.5", 1.0)
    for name in ("upper_momentum", "lower_momentum"):
        if isinstance(getattr(method, name), SquaredStep):
            raise ValueError(f"{name} is SquaredStep, which DIAMOND's momenta follow; give a number or a schedule.")
        largest = max(extremes(getattr(method, name), round)[1] for round in (0, 1))
        if largest * eta**power > 1 + 1e-9:
            raise ValueError(
                f"{name} = {largest:.3g} with eta = {eta:.3g}: the average would forget more than it holds. Take at "
                f"most {eta**-power:.3g}."
            )
