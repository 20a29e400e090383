"""BSA: an inner loop, by default cold and longer in later rounds, then one upper step (Ghadimi & Wang 2018).

This was written from knowledge of the paper, without access to it. We could not confirm that the inner loop is
cold-started, nor its length up to a constant factor. Public implementations are warm and have a fixed length, which
`warm` and `inner_steps` give (`studies.public_benchmark`).
"""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.algorithms.alset import check_inner_steps
from hypergossip.core.algorithm import Algorithm, Cost, Count, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register, static
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import beyond_curvature


class State(NamedTuple):
    """One agent's x (p,); y (q,), the result of the last inner loop; y_start (q,), where every cold loop begins."""

    x: Upper
    y: Lower
    y_start: Lower


@register
class BSA(Algorithm):
    """Bilevel stochastic approximation: round k takes ceil(sqrt(k + 1)) lower steps from y_0, then an upper step.

    ``y_{t+1} = y_t - beta_t dy g(x, y_t; zeta_t)`` starts from the run's initial y, or with `warm` from the last
    round's, followed by ``x - alpha_k G(x, y_{t_k})``. Cold and with a constant step, the lower error decreases only as
    (1 - beta mu_g)^sqrt(k). A round costs t_k lower samples and gradients, and one estimate. K rounds take about
    2/3 K^(3/2) lower steps. Each round sends one message, x. With one agent it is the paper's method. With several
    agents, x is averaged over the neighbours as in D-SGD.

    Args:
        upper_step: alpha_k, a number or a schedule of the round, or one for each leaf.
        lower_step: beta_t, a number or a schedule of the inner step's index t, which starts at 0 in every round.
        hypergradient: The estimator G; the paper's is `Neumann`.
        warm: Whether the inner loop begins at the last round's y.
        inner_steps: The fixed length of the inner loop; None for ceil(sqrt(k + 1)).
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient
    warm: bool = static(default=False)
    inner_steps: int | None = static(default=None)

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y, y_start=y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        zeta = lambda t: jax.random.fold_in(lower_key, t)
        beta = lambda t: at(self.lower_step, t)
        t_k = growing_steps(round) if self.inner_steps is None else self.inner_steps
        start = s.y if self.warm else s.y_start
        Mx = mix(upper=s.x)
        y = lax.fori_loop(0, t_k, lambda t, y: y - beta(t) * agent.lower_gradient(s.x, y, zeta(t)), start)
        G, cost = self.hypergradient(agent, s.x, y, upper_key)
        x = agent.project(Mx - at(self.upper_step, round) * G)
        return State(x, y, s.y_start), cost + Cost(agent.samples(lower=t_k), lower_gradients=t_k)

    def check(self, facts: Facts) -> list[str]:
        """Refuses a loop without steps, and warns of a lower step above 2 / curvature of the lower level."""
        if self.inner_steps is not None:
            check_inner_steps(self.inner_steps)
        return beyond_curvature(facts, {"lower_step": self.lower_step})


def growing_steps(round: Any) -> Count:
    """Returns t_k = ceil(sqrt(k + 1)) for round k: the smallest t with t^2 > k.

    Args:
        round: k, one number for the whole network, so that the inner loop has the same length for all agents.
    """
    k = jnp.asarray(round, jnp.result_type(int))
    # A square root in floating point may be off by one at a square, and may differ between devices.
    root = jnp.sqrt(k.astype(jnp.result_type(float))).astype(k.dtype)
    root = jnp.where(root * root > k, root - 1, root)
    return jnp.where((root + 1) * (root + 1) > k, root + 1, root + 2)
