"""An episode to look at: what the history's return was measured on, step by step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hypergossip.core.problem import Problem
from hypergossip.problems.actor_critic.episodes import Episodes
from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.learning import Returns
from hypergossip.problems.actor_critic.oracles import GameForm
from hypergossip.support.callbacks import own_errors
from hypergossip.support.compilation import compiled


class Watched(NamedTuple):
    """One episode.

    Attributes:
        game: What was played.
        states: The game's, leaves (steps + 1, ...): before every step, and after the last one.
        actions: (steps, agents).
        rewards: (steps, agents).
    """

    game: Game
    states: Any
    actions: np.ndarray
    rewards: np.ndarray

    @property
    def returns(self) -> np.ndarray:
        """(steps + 1,) the return so far, not discounted, a mean over the agents."""
        return np.concatenate([[0.0], np.cumsum(self.rewards.mean(axis=1))])


def is_game(problem: Problem) -> bool:
    """Tells whether a problem is a game's, so that it can be watched."""
    return isinstance(getattr(problem.oracles, "form", None), GameForm)


def episodes_of(problem: Problem) -> int:
    """Returns how many episodes the history's return is a mean of; 0 where there is none."""
    returns = problem.together.get("return")
    return returns.episodes if isinstance(returns, Returns) else 0


def watch(problem: Problem, x: Any, episode: int = 0) -> Watched:
    """Plays one of the episodes that the history's return is a mean of.

    Args:
        problem: Made by `actor_critic`, or one of the games by name.
        x: Every agent's policy, the user's pytree with leaves (agents, ...), as in `hypergossip.Result.x`.
        episode: Which of the test episodes, counted from 0.

    Raises:
        ValueError: If the problem is no game, or has no such episode.
    """
    if not is_game(problem):
        raise ValueError("this problem is no game, and has no episode to watch; take one made by actor_critic.")
    if not 0 <= episode < episodes_of(problem):
        raise ValueError(
            f"episode is {episode}, but the return is a mean over {episodes_of(problem)} test episodes; "
            "give one of them, counted from 0."
        )
    returns, policies = problem.together["return"], jax.vmap(problem.upper.ravel)(x)
    assert isinstance(returns, Returns)
    with own_errors(problem.oracles):
        states, seen = jax.block_until_ready(_replayed(returns, problem.oracles, policies))
    steps = int(seen.alive[:, episode].sum())
    one = lambda leaf, count: np.asarray(_readable(leaf[:count, episode]))
    return Watched(
        returns.form.game,
        jax.tree.map(lambda leaf: one(leaf, steps + 1), states),
        one(seen.actions, steps),
        one(seen.rewards, steps),
    )


def _replayed(returns: Returns, oracles: Any, x: Any) -> tuple[Any, Episodes]:
    """The states, leaves (steps + 1, episodes, ...), by playing the same actions from the same first states again."""
    game = returns.form.game

    @compiled()
    def run(oracles: Any, x: Any) -> tuple[Any, Episodes]:
        seen = returns.play(oracles, x)
        first = jax.vmap(game.reset)(jax.random.split(returns.world_key, returns.episodes))

        def step(states: Any, actions: Any) -> tuple[Any, Any]:
            after, *_ = jax.vmap(game.step)(states, actions)
            return after, after

        _, later = lax.scan(step, first, seen.actions)
        return jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), first, later), seen

    return run(oracles, x)


def _readable(leaf: Any) -> Any:
    """Returns an array that NumPy can hold: keys as the numbers that they are."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
