"""Replays a test episode, on which the return in the history was measured, step by step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hypergossip.core.problem import Problem
from hypergossip.problems.actor_critic.episodes import Episodes
from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.game_form import GameForm
from hypergossip.problems.actor_critic.learning import Returns
from hypergossip.support.arguments import whole_number
from hypergossip.support.callbacks import own_errors
from hypergossip.support.compilation import compiled


class Rollout(NamedTuple):
    """One episode.

    Attributes:
        game: The game.
        states: The game's states before every step and after the last one, with leaves (steps + 1, ...).
        actions: The actions, (steps, agents), or (steps, agents, coordinates) if they are continuous.
        rewards: The rewards, (steps, agents).
    """

    game: Game
    states: Any
    actions: np.ndarray
    rewards: np.ndarray

    @property
    def returns(self) -> np.ndarray:
        """The undiscounted return so far, a mean over the agents, (steps + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.rewards.mean(axis=1))])


def is_game(problem: Problem) -> bool:
    """Returns whether a problem is made from a game, so that its episodes can be replayed."""
    return isinstance(problem, Problem) and isinstance(getattr(problem.oracles, "form", None), GameForm)


def episodes_of(problem: Problem) -> int:
    """Returns the number of test episodes of the return in the history, 0 if there is no return."""
    returns = problem.together.get("return")
    return returns.episodes if isinstance(returns, Returns) else 0


def rollout(problem: Problem, x: Any, episode: int = 0) -> Rollout:
    """Plays one of the test episodes over which the history averages the return.

    Args:
        problem: A problem made by `actor_critic` or by one of the functions of a named game.
        x: Every agent's policy, the user's pytree with leaves (agents, ...), as in `hypergossip.Result.x`.
        episode: The number of the test episode, counted from 0.

    Raises:
        ValueError: If the problem is not made from a game, has no such episode, or x does not hold a policy of each
            agent.
    """
    if not is_game(problem):
        raise ValueError("this problem is not a game and has no episodes; give a problem made by actor_critic.")
    many = episodes_of(problem)
    advice = f"the return is a mean over {many} test episodes, so give the number of one of them, counted from 0"
    episode = whole_number("episode", episode, 0, many - 1, advice)
    _check_policies(problem, x)
    returns, policies = problem.together["return"], jax.vmap(problem.upper.ravel)(x)
    assert isinstance(returns, Returns)
    with own_errors(problem.oracles):
        states, seen = jax.block_until_ready(_replayed(returns, problem.oracles, policies, episode))
    steps = int(seen.alive[:, 0].sum())
    one = lambda leaf, count: np.asarray(_readable(leaf[:count, 0]))
    return Rollout(
        returns.form.game,
        jax.tree.map(lambda leaf: one(leaf, steps + 1), states),
        one(seen.actions, steps),
        one(seen.rewards, steps),
    )


def _check_policies(problem: Problem, x: Any) -> None:
    """Raises ValueError if x does not hold a policy of each agent in finite numbers."""
    shapes = lambda tree: jax.tree.map(np.shape, tree)
    flat = jax.ShapeDtypeStruct((problem.agents, problem.upper.size), problem.x0.dtype)
    needed, given = shapes(jax.eval_shape(jax.vmap(problem.upper.unravel), flat)), shapes(x)
    if given != needed:
        several = shapes(jax.tree.map(lambda leaf: leaf[0] if np.ndim(leaf) else leaf, x)) == needed
        advice = (
            "these are the policies of several seeds, so give those of one, jax.tree.map(lambda leaf: leaf[0], x)"
            if several
            else "give x of a hypergossip.Result of this problem"
        )
        raise ValueError(f"x has the shapes {given}, but the policies of {problem.agents} agents {needed}; {advice}.")
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(x)):
        raise ValueError(
            "x has numbers that are not finite, as after a run that diverged; give policies of finite numbers."
        )


def _replayed(returns: Returns, oracles: Any, x: Any, episode: int) -> tuple[Any, Episodes]:
    """Returns an episode and its states, with leaves (steps + 1, 1, ...), by repeating the same actions."""
    game, number = returns.form.game, slice(episode, episode + 1)

    @compiled()
    def run(oracles: Any, x: Any) -> tuple[Any, Episodes]:
        seen = jax.tree.map(lambda leaf: leaf[:, number], returns.play(oracles, x))
        first = jax.vmap(game.reset)(jax.random.split(returns.world_key, returns.episodes)[number])

        def step(states: Any, actions: Any) -> tuple[Any, Any]:
            after, *_ = jax.vmap(game.step)(states, actions)
            return after, after

        _, later = lax.scan(step, first, seen.actions)
        return jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), first, later), seen

    return run(oracles, x)


def _readable(leaf: Any) -> Any:
    """Returns an array that NumPy can hold, which converts random keys to their numbers."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
