"""MDAC: actor-critic with an inner loop of mini-batches (Chen, Zhou, Chen & Zou 2022; Hairi, Liu & Lu 2022).

This was written from knowledge of the papers, without access to them.
"""

from typing import Any, ClassVar, NamedTuple

import jax
from jax import lax

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Hypergradient, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Vectors, register, static
from hypergossip.core.schedules import StepSize, at
from hypergossip.core.step_bounds import reach


class State(NamedTuple):
    """One agent's variables: x (p,), y (q,)."""

    x: Upper
    y: Lower


@register
class MDAC(Algorithm):
    """Mini-batch decentralized actor-critic: several critic steps with mixing, then one step of the actor.

    A round sends `inner_steps` messages. The first also contains x if the problem shares a part of it (in SLAM, figure
    2, all methods share the same entries). In Chen et al. the agents share noisy local rewards for the actor's step.
    Here the problem's ``reward_model`` replaces them, as for the other methods.

    Args:
        upper_step: alpha_t of the actor, a number or a schedule, or one for each leaf.
        lower_step: beta_t of the critic, likewise.
        hypergradient: The estimator; `Direct` on an actor-critic.
        inner_steps: The number of critic steps of a round, each on a separate batch.
    """

    upper_step: StepSize
    lower_step: StepSize
    hypergradient: Hypergradient
    inner_steps: int = static(default=10)

    vectors: ClassVar[Vectors] = Vectors(averages=("x", "y"))

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0."""
        return State(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s = state
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        Mx, My = mix(upper=s.x, lower=s.y)
        y = My - beta * agent.lower_gradient(s.x, s.y, jax.random.fold_in(lower_key, 0))

        def critic_step(k: Any, y: Lower) -> Lower:
            h = agent.lower_gradient(s.x, y, jax.random.fold_in(lower_key, k))
            return mix(lower=y, call=k) - beta * h

        y = lax.fori_loop(1, self.inner_steps, critic_step, y)
        G, cost = self.hypergradient(agent, s.x, y, upper_key)
        x = agent.project(Mx - alpha * G)
        return State(x, y), cost + Cost(agent.samples(lower=self.inner_steps), lower_gradients=self.inner_steps)

    def check(self, facts: Facts) -> list[str]:
        """Refuses a loop without a step, and warns of a critic step above (1 + l_n) / curvature.

        Along an eigenvector of W with eigenvalue l and curvature c, W y - beta h multiplies y by l - beta c, which must
        stay above -1.
        """
        if self.inner_steps < 1:
            raise ValueError(f"inner_steps = {self.inner_steps}; take at least one critic step in each round.")
        reached = reach(self.lower_step)
        smallest = facts.network.smallest_eigenvalue if facts.lower_shared else 1.0
        bound = (1 + smallest) / max(facts.lower_curvature[1], 1e-300)
        if reached.largest < bound:
            return []
        likely = "is likely to" if reached.least >= bound else "may"  # one of several leaves' values
        return [
            f"{reached.sentence('lower_step', bound, f' {likely}', f', and {likely}')} be unstable: it mixes and steps "
            f"at once, so for the curvature found at the start it should stay below {bound:.3g}; use, for example, "
            f"{0.5 * bound:.2g}."
        ]
