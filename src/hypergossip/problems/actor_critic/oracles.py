"""One agent's oracles in a game: policy gradients for the upper level, temporal differences for the lower level."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Count, Everybody, Lower, Sample, Upper
from hypergossip.core.schedules import at
from hypergossip.problems.actor_critic.episodes import Episodes, play
from hypergossip.problems.actor_critic.game_form import GameForm
from hypergossip.problems.actor_critic.gauss_newton import gauss_newton
from hypergossip.support.pytree import register_pytree


class Played(NamedTuple):
    """Episodes from the perspective of one agent.

    Attributes:
        seen: The episodes.
        inputs: The inputs of the agent's actor, (time, episodes, ...).
        actions: The agent's actions, (time, episodes), or (time, episodes, coordinates) if they are continuous.
        rewards: The agent's rewards, (time, episodes).
        allowed: Whether each of its actions was allowed, (time, episodes, actions), or None if the game has no masks.
    """

    seen: Episodes
    inputs: Any
    actions: Any
    rewards: Any
    allowed: Any


@register_pytree("form", "everybody")
@dataclass(frozen=True)
class GameOracles:
    """`Oracles`, `WorldOracles` and `ChangingOracles` of one agent that plays with the others.

    A sample consists of B whole episodes with the current policies of all agents. Each agent draws its own actions with
    its own key, and all advance the same game with the key of the agent at position 0. An agent that is not connected
    to the others takes all roles in the game.

    Attributes:
        seat: The agent's position in the game, a scalar.
        form: The form of the game, common to all agents.
        everybody: The function that collects every agent's array; the engine provides it.
        round: The round, if the weight of the entropy has a schedule; the engine provides it. None is round 0.
    """

    seat: Any
    form: GameForm
    everybody: Everybody | None = None
    round: Any = None

    @property
    def agents(self) -> int:
        """The number of agents."""
        return self.form.game.agents

    def raised(self) -> Exception | None:
        """Returns the last exception of the game's own Python code, or None."""
        return getattr(self.form.game, "raised", lambda: None)()

    def within(self, everybody: Everybody) -> "GameOracles":
        """Returns the oracles connected to those of the other agents."""
        return replace(self, everybody=everybody)

    def in_round(self, round: Any) -> "GameOracles":
        """Returns the oracles of a round: themselves, unless the weight of the entropy has a schedule."""
        return replace(self, round=round) if callable(self.form.entropy) else self

    @property
    def full(self) -> "GameOracles":
        """The same oracles, because a game has no data set."""
        return self

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the environment steps of these numbers of keys; every episode counts with its whole horizon.

        The number of steps that are really played depends on the policies: a key that is evaluated at two points stands
        for episodes of two lengths, but counts once. The history has the mean `episode_length` if episodes can end
        early.
        """
        return (upper + lower) * self.form.episodes * self.form.game.horizon

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Returns minus the agent's undiscounted return, a mean over the episodes."""
        return -jnp.mean(jnp.sum(self.play(x, key).rewards, axis=0))

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (minus the policy gradient, 0).

        The gradient is a mean over the steps of ``(r + discount V(s') - V(s)) grad log pi(a | s)``, where r is the
        reward model's prediction. With a trace, the difference is replaced by the weighted sum of this and later
        differences. As in most implementations, steps are not weighted by discount^t, although values are discounted.
        """
        return jax.grad(self._policy_loss(self.play(x, key), y))(x), jnp.zeros_like(y)

    def policy_gradient(
        self, x: Upper, y: Lower, key: Sample, thinning: int = 1
    ) -> tuple[Upper, Callable[[Upper], Upper]]:
        """Returns minus the policy gradient, and v -> F v with the policy's Fisher information F on the same episodes.

        F is the mean over the states in which the agent acted of the expectation, over its actions, of
        ``grad log pi grad log pi'``. It does not contain the entropy. With `thinning`, it is the mean over the states
        of every `thinning`-th step, from the first on.

        Raises:
            ValueError: If `thinning` is larger than the number of steps of an episode.
        """
        horizon = self.form.game.horizon
        if thinning > horizon:
            raise ValueError(f"thinning is {thinning}, but episodes have {horizon} steps; give at most {horizon}.")
        form, played = self.form, self.play(x, key)
        used = (played.inputs, played.allowed, played.seen.alive)
        inputs, allowed, alive = jax.tree.map(lambda leaf: leaf[::thinning], used)
        policy, forward = jax.linearize(lambda x: form.policy(x, inputs, allowed), x)
        backward = jax.linear_transpose(forward, x)

        def product(v: Upper) -> Upper:
            weighted = form.actor.information(policy) * forward(v)
            # The derivative of a mean over the steps with respect to its terms is the weight of each step.
            weights = jax.grad(lambda terms: _mean(terms, alive))(jnp.zeros(weighted.shape[:2], v.dtype))
            return backward(weights[..., None] * weighted)[0]

        return jax.grad(self._policy_loss(played, y))(x), product

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns minus the mean of ``(r_i + discount V(s') - V(s)) grad V(s)``, and the reward model's gradient.

        The first is the semi-gradient of TD(0), which treats V(s') as a constant, or with a trace that of TD(lambda).
        The model is fitted to the agent's own rewards; its consensus predicts their mean. `critic_damping` scales.
        """
        return self._lower_direction(self.play(x, key))(y)

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns the derivative of `lower_gradient` in y, a linear map that is not symmetric."""
        return jax.linearize(self._lower_direction(self.play(x, key)), y)[1]

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns zero, because dx f contains the policy's effect on the values (policy gradient theorem)."""
        return lambda v: jnp.zeros_like(x)

    def project(self, x: Upper) -> Upper:
        """Returns x."""
        return x

    def play(self, x: Upper, key: Sample) -> Played:
        """Plays a sample's episodes together with all agents.

        Args:
            x: The agent's own policy.
            key: The key of the sample.
        """
        form, agents = self.form, self.agents
        everybody = self.everybody or (lambda own: jnp.broadcast_to(own, (agents, *jnp.shape(own))))
        seats = everybody(self.seat) if self.everybody else jnp.arange(agents)
        order = jnp.argsort(seats)
        world_key, action_key = jax.random.split(key)
        of_first = everybody(jax.random.key_data(world_key))[order[0]]
        mine = lambda array: jnp.take(array, self.seat, axis=2)
        own = lambda masks, axis: None if masks is None else jnp.take(masks, self.seat, axis=axis)

        def act(time: Any, observations: Any, states: Any, allowed: Any) -> Any:
            inputs = states if form.sees == "global_state" else jnp.take(observations, self.seat, axis=1)

            def draw(masks: Any) -> Any:
                policy = form.policy(x, inputs[None], masks)[0]
                return form.actor.draw(jax.random.fold_in(action_key, time), policy, masks)

            if allowed is not None and self.everybody is None:  # its action may be forbidden to others
                return jax.vmap(draw, 1, 1)(allowed)
            return jnp.swapaxes(everybody(draw(own(allowed, 1)))[order], 0, 1)

        seen = play(form.game, act, jax.random.wrap_key_data(of_first), form.episodes)
        inputs = seen.states[:-1] if form.sees == "global_state" else jnp.take(seen.observations, self.seat, axis=2)
        return Played(seen, inputs, mine(seen.actions), mine(seen.rewards), own(seen.allowed, 2))

    def _differences(self, critic: Any, seen: Episodes, rewards: Any) -> Any:
        """Returns the temporal differences, (time, episodes), plus those of later steps weighted by the trace."""
        values, discount = self.form.values(critic, seen.states), self.form.discount
        differences = rewards + discount * jnp.where(seen.over, 0.0, values[1:]) - values[:-1]
        if self.form.trace == 0:
            return differences

        def back(later: Any, here: tuple[Any, Any]) -> tuple[Any, Any]:
            total = jnp.where(here[1], here[0] + discount * self.form.trace * later, 0.0)
            return total, total

        return lax.scan(back, jnp.zeros_like(values[0]), (differences, seen.alive), reverse=True)[1]

    def _policy_loss(self, played: Played, y: Lower) -> Callable[[Upper], Any]:
        """Returns the function of x whose gradient is minus the policy gradient."""
        form = self.form
        tree = form.lower_space.unravel(y)
        rewards, seen = played.rewards, played.seen
        if form.reward_model is not None:
            rewards = form.model(tree["reward_model"], seen.states[:-1], seen.actions)
        advantages = self._differences(tree["critic"], seen, rewards)
        if form.normalized:
            advantages = advantages - _mean(advantages, seen.alive)
            variance = _mean(advantages**2, seen.alive)
            advantages = advantages / jnp.sqrt(variance + jnp.finfo(variance.dtype).eps)

        entropy = at(form.entropy, 0 if self.round is None else self.round)

        def loss(x: Upper) -> Any:
            policy = form.policy(x, played.inputs, played.allowed)
            chosen, entropies = form.actor.log_probability(policy, played.actions), form.actor.entropy(policy)
            return -_mean(advantages * chosen + entropy * entropies, seen.alive)

        return loss

    def _temporal_differences(self, played: Played) -> Callable[[Lower], Lower]:
        form, seen = self.form, played.seen

        def loss(y: Lower, held: Lower) -> Any:
            tree = form.lower_space.unravel(y)
            differences = self._differences(form.lower_space.unravel(held)["critic"], seen, played.rewards)
            losses = -differences * form.values(tree["critic"], seen.states[:-1])
            if form.reward_model is not None:
                predicted = form.model(tree["reward_model"], seen.states[:-1], seen.actions)
                losses = losses + (predicted - played.rewards) ** 2 / 2
            return _mean(losses, seen.alive)

        return lambda y: jax.grad(loss)(y, y)

    def _lower_direction(self, played: Played) -> Callable[[Lower], Lower]:
        form, seen = self.form, played.seen
        gradient, damping = self._temporal_differences(played), form.critic_damping
        if damping is None:
            return gradient

        used = (seen.states[:-1], seen.actions, seen.alive)
        states, actions, alive = (leaf[:: form.critic_thinning] for leaf in used)

        def outputs(y: Lower) -> Any:
            tree = form.lower_space.unravel(y)
            model = [] if form.reward_model is None else [form.model(tree["reward_model"], states, actions)]
            return jnp.stack([form.values(tree["critic"], states), *model], axis=-1)

        return lambda y: gauss_newton(outputs, y, gradient(y), alive, damping, form.critic_iterations)


def _mean(values: Any, alive: Any) -> Any:
    """Returns the mean over the steps before the end of each episode."""
    return jnp.sum(jnp.where(alive, values, 0.0)) / jnp.maximum(1, jnp.sum(alive)).astype(values.dtype)
