"""One agent's oracles in a game: its policy gradient above, temporal differences below, behind autodiff's names."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Count, Everybody, Lower, Sample, Upper
from hypergossip.core.space import Space
from hypergossip.problems.actor_critic.episodes import Episodes, play
from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.nets import Net
from hypergossip.support.pytree import register_pytree


@dataclass(frozen=True)
class GameForm:
    """What all agents have in common. Static in compiled programs.

    Attributes:
        game: The game.
        actor: From what an agent sees to the logarithms of its actions' odds.
        critic: From a global state to its value.
        reward_model: From a global state and everybody's actions (one-hot) to the network's mean reward; None: an
            agent's own reward stands for it in its policy gradient.
        sees: "observation" or "global_state": what an actor is given.
        episodes: B, of a sample.
        discount: Of the values, in [0, 1).
        trace: lambda in [0, 1]: temporal differences of later steps count, weighted by (discount lambda)^k.
        entropy: Weight of the policy's entropy in f, 0 for none.
        upper_space: The space of x, the actor's parameters.
        lower_space: The space of y, the critic's and the reward model's.
    """

    game: Game
    actor: Net
    critic: Net
    reward_model: Net | None
    sees: str
    episodes: int
    discount: float
    trace: float
    entropy: float
    upper_space: Space
    lower_space: Space

    def policy(self, x: Upper, inputs: Float[Array, "time episodes *inputs"]) -> Float[Array, "time episodes actions"]:
        """Returns the logarithms of the actions' probabilities at inputs with two leading axes.

        Args:
            x: The actor's parameters.
            inputs: (time, episodes, ...).
        """
        flat = inputs.reshape(-1, *inputs.shape[2:])
        logits = self.actor(self.upper_space.unravel(x), flat)
        return jax.nn.log_softmax(logits).reshape(*inputs.shape[:2], -1)

    def values(self, critic: Any, states: Float[Array, "time episodes *state"]) -> Float[Array, "time episodes"]:
        """Returns the critic's values of `states` with two leading axes."""
        return self.critic(critic, states.reshape(-1, *states.shape[2:])).reshape(states.shape[:2])

    def model(self, model: Any, seen: Episodes) -> Float[Array, "time episodes"]:
        """Returns the model's mean rewards in the episodes `seen`."""
        assert self.reward_model is not None
        time, episodes, agents = seen.actions.shape
        states = seen.states[:-1].reshape(time * episodes, -1)
        actions = jax.nn.one_hot(seen.actions.reshape(time * episodes, agents), self.game.actions, dtype=states.dtype)
        inputs = jnp.concatenate([states, actions.reshape(time * episodes, -1)], axis=1)
        return self.reward_model(model, inputs).reshape(time, episodes)


class Played(NamedTuple):
    """Episodes as one agent has them.

    Attributes:
        seen: What happened.
        inputs: (time, episodes, ...) what its actor was given.
        actions: (time, episodes) its own.
        rewards: (time, episodes) its own.
    """

    seen: Episodes
    inputs: Any
    actions: Any
    rewards: Any


@register_pytree("form", "everybody")
@dataclass(frozen=True)
class GameOracles:
    """`Oracles` and `WorldOracles` of one agent that plays with the others.

    A sample is B whole episodes, played with everybody's current policies: each agent draws its own actions by its own
    key, and all advance the same game by the key of the agent in the first place. Outside of its world an agent plays
    every part itself.

    Attributes:
        seat: The agent's place in the game, a scalar.
        form: What all agents have in common.
        everybody: Given by the engine.
    """

    seat: Any
    form: GameForm
    everybody: Everybody | None = None

    @property
    def agents(self) -> int:
        """How many play."""
        return self.form.game.agents

    def raised(self) -> Exception | None:
        """Returns what the game's own Python code raised last; None where it has none, or has raised nothing."""
        return getattr(self.form.game, "raised", lambda: None)()

    def within(self, everybody: Everybody) -> "GameOracles":
        """Returns the oracles in the game."""
        return replace(self, everybody=everybody)

    @property
    def full(self) -> "GameOracles":
        """The same: a game has no whole data."""
        return self

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the environment steps of so many upper and lower keys, episodes that end early counted whole."""
        return (upper + lower) * self.form.episodes * self.form.game.horizon

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Returns minus the agent's return, not discounted, a mean over the episodes."""
        return -jnp.mean(jnp.sum(self.play(x, key).rewards, axis=0))

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (minus the policy gradient, 0).

        The gradient is a mean over the steps of ``(r + discount V(s') - V(s)) grad log pi(a | s)``, r the reward
        model's; with a trace, of the weighted sum of this and later differences. Steps are not weighted by discount^t:
        like most, we follow the return while the values are discounted.
        """
        form, played = self.form, self.play(x, key)
        tree = form.lower_space.unravel(y)
        rewards = played.rewards if form.reward_model is None else form.model(tree["reward_model"], played.seen)
        advantages = self._differences(tree["critic"], played.seen, rewards)

        def loss(x: Upper) -> Any:
            log_policy = form.policy(x, played.inputs)
            chosen = jnp.take_along_axis(log_policy, played.actions[..., None], axis=-1)[..., 0]
            entropies = -jnp.sum(jnp.exp(log_policy) * log_policy, axis=-1)
            return -_mean(advantages * chosen + form.entropy * entropies, played.seen.alive)

        return jax.grad(loss)(x), jnp.zeros_like(y)

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns minus the mean of ``(r_i + discount V(s') - V(s)) grad V(s)``, and the reward model's gradient.

        The first is TD(0)'s semi-gradient: V(s') is held; with a trace, TD(lambda)'s. The model fits the agent's own
        rewards; agreed upon, it is that of their mean.
        """
        return self._temporal_differences(self.play(x, key))(y)

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns the derivative of `lower_gradient` along y, a linear map; not symmetric, as TD's is not."""
        return jax.linearize(self._temporal_differences(self.play(x, key)), y)[1]

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns zero: the policy gradient theorem has put into dx f what the policy does to the values."""
        return lambda v: jnp.zeros_like(x)

    def project(self, x: Upper) -> Upper:
        """Returns x."""
        return x

    def play(self, x: Upper, key: Sample) -> Played:
        """Plays a sample's episodes with everybody.

        Args:
            x: The agent's own policy.
            key: The sample.
        """
        form, agents = self.form, self.agents
        everybody = self.everybody or (lambda own: jnp.broadcast_to(own, (agents, *jnp.shape(own))))
        seats = everybody(self.seat) if self.everybody else jnp.arange(agents)
        order = jnp.argsort(seats)
        world_key, action_key = jax.random.split(key)
        of_first = everybody(jax.random.key_data(world_key))[order[0]]
        mine = lambda array: jnp.take(array, self.seat, axis=-1)

        def act(time: Any, observations: Any, states: Any) -> Any:
            inputs = states if form.sees == "global_state" else jnp.take(observations, self.seat, axis=1)
            odds = form.policy(x, inputs[None])[0]
            own = jax.random.categorical(jax.random.fold_in(action_key, time), odds)
            return everybody(own)[order].T

        seen = play(form.game, act, jax.random.wrap_key_data(of_first), form.episodes)
        inputs = seen.states[:-1] if form.sees == "global_state" else jnp.take(seen.observations, self.seat, axis=2)
        return Played(seen, inputs, mine(seen.actions), mine(seen.rewards))

    def _differences(self, critic: Any, seen: Episodes, rewards: Any) -> Any:
        """The temporal differences, (time, episodes), of this and, by the trace, later steps."""
        values, discount = self.form.values(critic, seen.states), self.form.discount
        differences = rewards + discount * jnp.where(seen.over, 0.0, values[1:]) - values[:-1]
        if self.form.trace == 0:
            return differences

        def back(later: Any, here: tuple[Any, Any]) -> tuple[Any, Any]:
            total = jnp.where(here[1], here[0] + discount * self.form.trace * later, 0.0)
            return total, total

        return lax.scan(back, jnp.zeros_like(values[0]), (differences, seen.alive), reverse=True)[1]

    def _temporal_differences(self, played: Played) -> Callable[[Lower], Lower]:
        form, seen = self.form, played.seen

        def loss(y: Lower, held: Lower) -> Any:
            tree = form.lower_space.unravel(y)
            differences = self._differences(form.lower_space.unravel(held)["critic"], seen, played.rewards)
            losses = -differences * form.values(tree["critic"], seen.states[:-1])
            if form.reward_model is not None:
                losses = losses + (form.model(tree["reward_model"], seen) - played.rewards) ** 2 / 2
            return _mean(losses, seen.alive)

        return lambda y: jax.grad(loss)(y, y)


def _mean(values: Any, alive: Any) -> Any:
    """The mean over the steps of episodes that were still on."""
    return jnp.sum(jnp.where(alive, values, 0.0)) / jnp.maximum(1, jnp.sum(alive)).astype(values.dtype)
