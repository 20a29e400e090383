"""The two kinds of policies: of discrete actions, by logits, and of continuous ones, by means and deviations.

Both describe the distribution of an agent's action by the last axis of one array, computed from the actor's input: the
logarithms of the probabilities, or the means followed by the logarithms of the standard deviations.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from hypergossip.problems.actor_critic.game import Game, continuous
from hypergossip.problems.actor_critic.nets import Net
from hypergossip.support.arguments import real_number

FORBIDDEN = -1e30  # a logit whose probability is 0; an infinite one would have an entropy of NaN
LARGE = 1e15  # what no initial standard deviation reaches; its square is finite in float32
SPREAD = 0.5  # the initial standard deviation of continuous actions


@dataclass(frozen=True)
class Categorical:
    """Policies of discrete actions: the distribution is the logarithms of the actions' probabilities.

    Attributes:
        actor: The network from an input to the logits.
        actions: The number of actions.
    """

    actor: Net
    actions: int

    def outputs(self, x: Any, inputs: Float[Array, "rows *inputs"], allowed: Any) -> Float[Array, "rows numbers"]:
        """Returns the logarithms of the probabilities of the actions, given the actor's parameters `x` and `inputs`.

        The probability of actions that are not `allowed` is 0.
        """
        logits = self.actor(x, inputs)
        if allowed is not None:
            logits = jnp.where(allowed.reshape(logits.shape), logits, FORBIDDEN)
        return jax.nn.log_softmax(logits)

    def draw(self, key: Key[Array, ""], policy: Float[Array, "episodes numbers"], allowed: Any) -> Array:
        """Returns the number of an action for each row of `policy`, drawn by the `key`; `allowed` is not needed."""
        return jax.random.categorical(key, policy)

    def draw_chosen(self, key: Key[Array, ""], policy: Any, allowed: Any, episodes: int, chosen: Any) -> Array:
        """Returns the actions that `draw` with this `key` gives the `chosen` of all `episodes`.

        Args:
            key: The key for all episodes.
            policy: The distributions in the chosen episodes.
            allowed: Not needed.
            episodes: The number of all episodes.
            chosen: The numbers of the chosen ones.
        """
        draws = jax.random.gumbel(key, (episodes, policy.shape[-1]), policy.dtype)
        return jnp.argmax(draws[chosen] + policy, axis=-1)  # those of all episodes at once

    def log_probability(self, policy: Float[Array, "*rows numbers"], actions: Array) -> Float[Array, "*rows"]:
        """Returns the entries of `policy` at the `actions`."""
        return jnp.take_along_axis(policy, actions[..., None], axis=-1)[..., 0]

    def entropy(self, policy: Float[Array, "*rows numbers"]) -> Float[Array, "*rows"]:
        """Returns the entropies of the distributions in `policy`."""
        return -jnp.sum(jnp.exp(policy) * policy, axis=-1)

    def information(self, policy: Float[Array, "*rows numbers"]) -> Float[Array, "*rows numbers"]:
        """Returns the probabilities of the actions, from the `policy`."""
        return jnp.exp(policy)

    def encoded(self, actions: Array, dtype: Any) -> Float[Array, "rows numbers"]:
        """Returns the `actions` (rows, agents) one-hot, of type `dtype`."""
        return jax.nn.one_hot(actions, self.actions, dtype=dtype).reshape(len(actions), -1)


@dataclass(frozen=True)
class Gaussian:
    """Policies of continuous actions, whose coordinates are independent normal variables.

    The distribution is the means, which depend on the input, followed by the logarithms of the standard deviations,
    which are parameters of the policy. Coordinates that are not allowed are always 0, and nothing depends on them.

    Attributes:
        actor: The network from an input to the means.
        actions: The number d of coordinates.
    """

    actor: Net
    actions: int

    def outputs(self, x: Any, inputs: Float[Array, "rows *inputs"], allowed: Any) -> Float[Array, "rows numbers"]:
        """Returns the means and the logarithms of the deviations, given the parameters `x` and the `inputs`.

        Both are 0 for coordinates that are not `allowed`.
        """
        means = self.actor(x["mean"], inputs)
        spreads = jnp.broadcast_to(x["log_std"], means.shape)
        if allowed is not None:
            allowed = allowed.reshape(means.shape)
            means, spreads = (jnp.where(allowed, part, 0.0) for part in (means, spreads))
        return jnp.concatenate([means, spreads], axis=-1)

    def draw(self, key: Key[Array, ""], policy: Float[Array, "episodes numbers"], allowed: Any) -> Array:
        """Returns an action (coordinates,) for each row of `policy`, drawn by the `key`, 0 where not `allowed`."""
        return self._moved(policy, allowed, jax.random.normal(key, (len(policy), self.actions), policy.dtype))

    def draw_chosen(self, key: Key[Array, ""], policy: Any, allowed: Any, episodes: int, chosen: Any) -> Array:
        """Returns the actions that `draw` with this `key` gives the `chosen` of all `episodes`.

        Args:
            key: The key for all episodes.
            policy: The distributions in the chosen episodes.
            allowed: Whether each coordinate is in use, (chosen, coordinates), or None.
            episodes: The number of all episodes.
            chosen: The numbers of the chosen ones.
        """
        draws = jax.random.normal(key, (episodes, self.actions), policy.dtype)
        return self._moved(policy, allowed, draws[chosen])

    def _moved(self, policy: Any, allowed: Any, draws: Any) -> Any:
        means, spreads = jnp.split(policy, 2, axis=-1)
        actions = means + jnp.exp(spreads) * draws
        return actions if allowed is None else jnp.where(allowed.reshape(actions.shape), actions, 0.0)

    def log_probability(self, policy: Float[Array, "*rows numbers"], actions: Array) -> Float[Array, "*rows"]:
        """Returns the logarithms of the densities of `policy` at the `actions`, with their coordinates as last axis."""
        means, spreads = jnp.split(policy, 2, axis=-1)
        scaled = (actions - means) * jnp.exp(-spreads)
        return -jnp.sum(scaled**2 / 2 + spreads + np.log(2 * np.pi) / 2, axis=-1)

    def entropy(self, policy: Float[Array, "*rows numbers"]) -> Float[Array, "*rows"]:
        """Returns the differential entropies of the distributions in `policy`."""
        return jnp.sum(jnp.split(policy, 2, axis=-1)[1] + np.log(2 * np.pi * np.e) / 2, axis=-1)

    def information(self, policy: Float[Array, "*rows numbers"]) -> Float[Array, "*rows numbers"]:
        """Returns 1 / std^2 for the means in `policy` and 2 for the logarithms of the deviations."""
        spreads = jnp.split(policy, 2, axis=-1)[1]
        return jnp.concatenate([jnp.exp(-2 * spreads), jnp.full_like(spreads, 2.0)], axis=-1)

    def encoded(self, actions: Array, dtype: Any) -> Float[Array, "rows numbers"]:
        """Returns the `actions` (rows, agents, coordinates) in one axis, of type `dtype`."""
        return actions.reshape(len(actions), -1).astype(dtype)


Policy = Categorical | Gaussian


def policy_of(game: Game, actor: Net) -> Policy:
    """Returns the policy of a game's agents: Gaussian if its actions are continuous, and otherwise categorical.

    Args:
        game: The game.
        actor: The network.
    """
    return (Gaussian if continuous(game) else Categorical)(actor, game.actions)


def initial_policy(
    game: Game, actor: Net, random: np.random.Generator, inputs: tuple[int, ...], initial_std: Any
) -> Any:
    """Returns a policy's initial parameters.

    Args:
        game: The game.
        actor: The network.
        random: The generator that draws its weights.
        inputs: The shape of the actor's input.
        initial_std: The initial standard deviation of continuous actions; None uses 0.5.

    Raises:
        ValueError: If the deviation is not a positive number, or the actions are discrete and there is one.
    """
    tree = actor.initial(random, inputs, game.actions)
    if not continuous(game):
        if initial_std is not None:
            raise ValueError(
                f"initial_std is {initial_std!r}, but the actions of this game are discrete and have no standard "
                "deviation; omit it."
            )
        return tree
    std = SPREAD if initial_std is None else initial_std
    std = real_number("initial_std", std, "give a positive number, such as 0.5", lambda given: 0 < given < LARGE)
    return {"mean": tree, "log_std": np.full(game.actions, np.log(std))}
