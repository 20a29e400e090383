"""Plays several episodes of a game at once, with actions from a given function."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from hypergossip.problems.actor_critic.game import Game, allowed_actions

# (step, observations (episodes, agents, ...), global states (episodes, ...), masks) -> actions (episodes, agents)
Act = Callable[[Any, Any, Any, Any], Any]


class Episodes(NamedTuple):
    """Several episodes, with the time as the first axis.

    Attributes:
        observations: The observations before each step, (time, episodes, agents, ...).
        states: The global states before each step and after the last step, (time + 1, episodes, ...).
        actions: The actions, (time, episodes, agents), or (time, episodes, agents, coordinates) if continuous.
        rewards: The rewards, 0 after the end, (time, episodes, agents).
        over: Whether this step ended the game (terminated), (time, episodes).
        alive: Whether the episode had not ended before this step, (time, episodes).
        allowed: Whether each action was allowed, (time, episodes, agents, actions), or None if the game has no masks.
    """

    observations: Float[Array, "time episodes agents *observation"]
    states: Float[Array, "later episodes *state"]
    actions: Int[Array, "time episodes agents"] | Float[Array, "time episodes agents coordinates"]
    rewards: Float[Array, "time episodes agents"]
    over: Bool[Array, "time episodes"]
    alive: Bool[Array, "time episodes"]
    allowed: Bool[Array, "time episodes agents actions"] | None = None


def play(game: Game, act: Act, key: Key[Array, ""], episodes: int, chosen: Any = None) -> Episodes:
    """Plays whole episodes; the steps after the end of an episode have no effect on any result.

    Args:
        game: The game.
        act: The function that returns every agent's actions.
        key: The key of the game, which draws the first states and all other random numbers of the game.
        episodes: The number of episodes.
        chosen: The numbers of the episodes to play; None plays all.
    """

    def step(carry: tuple[Any, Any], time: Any) -> tuple[tuple[Any, Any], Any]:
        states, alive = carry
        observations, wholes = jax.vmap(game.observe)(states), jax.vmap(game.global_state)(states)
        allowed = allowed_actions(game, states)
        actions = act(time, observations, wholes, allowed)
        after, rewards, terminated, truncated = jax.vmap(game.step)(states, actions)
        rewards = jnp.where(alive[:, None], rewards, 0.0)
        over = alive & terminated
        stays = alive & ~terminated & ~truncated
        return (after, stays), (observations, wholes, actions, rewards, over, alive, allowed)

    keys = jax.random.split(key, episodes)
    keys = keys if chosen is None else keys[chosen]
    first = jax.vmap(game.reset)(keys)
    (last, _), seen = lax.scan(step, (first, jnp.ones(len(keys), bool)), jnp.arange(game.horizon))
    observations, wholes, actions, rewards, over, alive, allowed = seen
    states = jnp.concatenate([wholes, jax.vmap(game.global_state)(last)[None]])
    return Episodes(observations, states, actions, rewards, over, alive, allowed)


def in_turns(play_some: Callable[[Any], Episodes], episodes: int, most: int) -> Episodes:
    """Plays episodes in turns of a bounded number.

    Args:
        play_some: A function that plays the episodes of the given numbers.
        episodes: The number of episodes.
        most: The largest number of episodes that are played side by side.
    """
    whole = episodes // most
    turns = lax.map(play_some, jnp.arange(whole * most).reshape(whole, most))
    join = lambda leaf: jnp.moveaxis(leaf, 0, 1).reshape(leaf.shape[1], whole * most, *leaf.shape[3:])
    parts = [jax.tree.map(join, turns)]
    if episodes % most:
        parts.append(play_some(jnp.arange(whole * most, episodes)))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=1), *parts)
