"""What policies written by hand reach in the two games: `python -m studies.scripted_games [--episodes N]`.

The figures stand beside those of learned policies. The scripts see the whole state and know each other's rules, so they
are no baselines of learning but say what is possible. Printed are the mean return of an agent, undiscounted, and a 95 %
interval over the episodes.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from hypergossip.problems.actor_critic import navigation, pursuit
from hypergossip.problems.actor_critic.navigation import DOWN, LEFT, RIGHT, UP, Navigation, NavigationState
from hypergossip.problems.actor_critic.pursuit import Pursuit, PursuitState
from hypergossip.problems.actor_critic.pursuit_rules import NEIGHBOURS, move

EPISODES, SEED = 1000, 0
AHEAD = 0.25  # how far ahead in time agents look along their velocity, so that they brake before the goal
NEAR = 0.05  # closer to its landmark than this, an agent does not accelerate
FAR = 10**6

Script = Callable[[Any], Int[Array, " agents"]]


def towards(state: NavigationState, goals: Any) -> Int[Array, " agents"]:
    """Returns the actions that accelerate every agent along the axis in which it will be further from its goal.

    Args:
        state: The state.
        goals: The agents' goals, (agents, 2).
    """
    left = goals - state.position - AHEAD * state.velocity
    along = jnp.argmax(jnp.abs(left), axis=1)
    most = jnp.take_along_axis(left, along[:, None], axis=1)[:, 0]
    ways = jnp.where(along == 0, jnp.where(most > 0, RIGHT, LEFT), jnp.where(most > 0, UP, DOWN))
    return jnp.where(jnp.abs(most) < NEAR, 0, ways).astype(jnp.int32)


def own_landmark(game: Navigation) -> Script:
    """Agent i goes to landmark i, wherever the others are."""
    return lambda state: towards(state, state.landmarks)


def nearest_landmark(game: Navigation) -> Script:
    """Every agent goes to the landmark that is nearest to it, even if another agent is there."""

    def script(state: NavigationState) -> Any:
        apart = jnp.linalg.norm(state.position[:, None] - state.landmarks[None], axis=-1)
        return towards(state, state.landmarks[jnp.argmin(apart, axis=1)])

    return script


def step_distances(game: Pursuit) -> np.ndarray:
    """Returns the numbers of steps between all cells (x, y), at index x * height + y, around the obstacle."""
    grid = game.grid
    x, y = (jnp.ravel(axis) for axis in grid.cells)
    starts, ends = [], []
    for dx, dy in NEIGHBOURS:
        open_way = np.asarray(grid.free(x, y) & grid.free(x + dx, y + dy))
        cell = np.asarray(x * game.height + y)[open_way]
        starts.append(cell)
        ends.append(cell + dx * game.height + dy)
    start, end = np.concatenate(starts), np.concatenate(ends)
    many = game.width * game.height
    steps = shortest_path(coo_array((np.ones(len(start)), (start, end)), (many, many)), unweighted=True)
    return np.where(np.isfinite(steps), steps, FAR)


def pairs_to_the_nearest_evader(game: Pursuit) -> Script:
    """Pursuers 2 k and 2 k + 1 go to the evader to which the sum of their ways is the shortest.

    Each takes the action after which its way around the obstacle is the shortest, so that both stand on the evader's
    cell unless it moves away. With an odd number of pursuers the last one goes to its own nearest evader.
    """
    steps = jnp.asarray(step_distances(game), jnp.result_type(float))
    index = lambda cells: cells[..., 0] * game.height + cells[..., 1]
    partner = jnp.asarray([min(i ^ 1, game.agents - 1) for i in range(game.agents)])

    def script(state: PursuitState) -> Any:
        ways = steps[index(state.pursuers)[:, None], index(state.evaders)[None]]
        both = jnp.where(state.caught, 2.0 * FAR, ways + ways[partner])
        goals = index(state.evaders)[jnp.argmin(both, axis=1)]
        after = jnp.stack(
            [move(game.grid, state.pursuers, jnp.full(game.agents, way, jnp.int32)) for way in range(game.actions)]
        )
        return jnp.argmin(steps[index(after), goals[None]], axis=0).astype(jnp.int32)

    return script


def returns_of(game: Any, script: Script, episodes: int, seed: int = SEED) -> np.ndarray:
    """Plays episodes by a script.

    Args:
        game: The game.
        script: The script, from a state of the game to every agent's action.
        episodes: The number of episodes.
        seed: The seed of the episodes.

    Returns:
        The mean over the agents of the undiscounted return, (episodes,).
    """

    def one(key: Any) -> Any:
        def step(carry: tuple[Any, Any], time: Any) -> Any:
            state, alive = carry
            after, rewards, terminated, truncated = game.step(state, script(state))
            return (after, alive & ~terminated & ~truncated), jnp.where(alive, jnp.mean(rewards), 0.0)

        start = game.reset(key), jnp.ones((), bool)
        return jnp.sum(jax.lax.scan(step, start, jnp.arange(game.horizon))[1])

    return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), episodes)))


def main(arguments: list[str] | None = None) -> int:
    """Prints every script's return."""
    parser = argparse.ArgumentParser(prog="python -m studies.scripted_games", description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=EPISODES, help="the number of episodes")
    given = parser.parse_args(arguments)
    if given.episodes < 2:
        parser.error(f"--episodes is {given.episodes}; give at least 2, so that there is an interval.")
    for agents in (3, 5):
        for rewards in ("mpe2", "assigned"):
            game = navigation(agents, rewards=rewards)
            for name, make in (("own landmark", own_landmark), ("nearest landmark", nearest_landmark)):
                _print(f"navigation, N = {agents}, {rewards}: {name}", returns_of(game, make(game), given.episodes))
    hunt = pursuit("paper", horizon=100)
    _print("pursuit, 8 pursuers: pairs", returns_of(hunt, pairs_to_the_nearest_evader(hunt), given.episodes))
    return 0


def _print(name: str, returns: np.ndarray) -> None:
    half = 1.96 * np.std(returns, ddof=1) / np.sqrt(len(returns))
    print(f"{name:50} {np.mean(returns):8.2f} [{np.mean(returns) - half:.2f}, {np.mean(returns) + half:.2f}]")


if __name__ == "__main__":
    sys.exit(main())
