"""Episodes of a game, several side by side, played by whatever gives everybody's actions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from hypergossip.problems.actor_critic.game import Game

# (step, observations (episodes, agents, ...), global states (episodes, ...)) -> actions (episodes, agents)
Act = Callable[[Any, Any, Any], Any]


class Episodes(NamedTuple):
    """What happened, time first.

    Attributes:
        observations: (time, episodes, agents, ...) before each step.
        states: (time + 1, episodes, ...) the global states, the last one after the last step.
        actions: (time, episodes, agents).
        rewards: (time, episodes, agents) 0 after the end.
        over: (time, episodes) did this step end the game (terminated)?
        alive: (time, episodes) was the game still on before this step?
    """

    observations: Float[Array, "time episodes agents *observation"]
    states: Float[Array, "later episodes *state"]
    actions: Int[Array, "time episodes agents"]
    rewards: Float[Array, "time episodes agents"]
    over: Bool[Array, "time episodes"]
    alive: Bool[Array, "time episodes"]


def play(game: Game, act: Act, key: Key[Array, ""], episodes: int) -> Episodes:
    """Plays whole episodes; one that ends before the horizon stays where it ended, and counts no more.

    Args:
        game: The game.
        act: Gives everybody's actions.
        key: Of the world: first states, and whatever else the game draws.
        episodes: How many, side by side.
    """

    def step(carry: tuple[Any, Any], time: Any) -> tuple[tuple[Any, Any], Any]:
        states, alive = carry
        observations, wholes = jax.vmap(game.observe)(states), jax.vmap(game.global_state)(states)
        actions = act(time, observations, wholes)
        after, rewards, terminated, truncated = jax.vmap(game.step)(states, actions)
        rewards = jnp.where(alive[:, None], rewards, 0.0)
        over = alive & terminated
        stays = alive & ~terminated & ~truncated
        return (after, stays), (observations, wholes, actions, rewards, over, alive)

    first = jax.vmap(game.reset)(jax.random.split(key, episodes))
    (last, _), seen = lax.scan(step, (first, jnp.ones(episodes, bool)), jnp.arange(game.horizon))
    observations, wholes, actions, rewards, over, alive = seen
    states = jnp.concatenate([wholes, jax.vmap(game.global_state)(last)[None]])
    return Episodes(observations, states, actions, rewards, over, alive)
