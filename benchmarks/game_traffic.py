"""How much faster traffic signals are if several are stepped at once: `python -m benchmarks.game_traffic`.

It needs the extra "traffic". All play the same episodes of RESCO's grid4x4, four side by side, in alternation in one
process; the ratio is the median of neighbouring measurements.
"""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.timing import alternate, median_ratio, report
from hypergossip.problems.actor_critic import from_parallel, traffic_signals
from hypergossip.problems.actor_critic.game import Game

NET, SECONDS, DECISION, EPISODES, TURNS, WORKERS = "grid4x4", 600, 5, 4, 7, (2, 4)


def played(game: Game, episodes: int, steps: int) -> Any:
    """Returns a compiled function without arguments that plays episodes and returns the rewards of every step.

    Args:
        game: The game.
        episodes: The number of episodes, which are played side by side.
        steps: The number of steps of each.

    Returns:
        The function; its rewards have the shape (steps, episodes, agents).
    """

    @jax.jit
    def run(key: Any) -> Any:
        begin, draw = jax.random.split(key)
        actions = jax.random.randint(draw, (steps, episodes, game.agents), 0, game.actions)
        step = lambda states, chosen: jax.vmap(game.step)(states, chosen)[:2]
        return lax.scan(step, jax.vmap(game.reset)(jax.random.split(begin, episodes)), actions)[1]

    return partial(run, jax.random.key(0))


def compare(make: Any, steps: int, turns: int, workers: Sequence[int] = WORKERS) -> tuple[dict[str, np.ndarray], bool]:
    """Times a game without workers and with some.

    Args:
        make: The function that makes an environment.
        steps: The number of steps of an episode.
        turns: The number of measurements of each.
        workers: The numbers of workers.

    Returns:
        Number of workers, 0 among them -> the seconds, (turns,), and whether the rewards are equal.
    """
    games = {str(count): from_parallel(make, horizon=steps, live=EPISODES, workers=count) for count in (0, *workers)}
    programs = {count: played(game, EPISODES, steps) for count, game in games.items()}
    seconds = alternate(programs, turns)
    serial, *others = (program() for program in programs.values())
    return seconds, all(bool(jnp.array_equal(serial, other)) for other in others)


def main() -> None:
    """Prints the steps a second of all, the ratios to one at a time, and whether they play the same."""
    steps = SECONDS // DECISION
    seconds, equal = compare(partial(traffic_signals, NET, seconds=SECONDS, decision=DECISION), steps, TURNS)
    rate = lambda count: f"{EPISODES * steps / np.median(seconds[str(count)]):8.1f}"
    load = os.getloadavg()[0]
    rows = [("one at a time", rate(0))]
    for count in WORKERS:
        middle, low, high = median_ratio(seconds["0"], seconds[str(count)])
        told = f"{rate(count)}  ratio {middle:.2f} [{low:.2f}, {high:.2f}] (at least 1.6 on two free cores)"
        rows.append((f"{count} at once", told))
    rows.append(("the same rewards", str(equal)))
    report(
        f"traffic signals, {NET}, {EPISODES} episodes, {os.cpu_count()} cores, load {load:.1f}: steps a second", rows
    )


if __name__ == "__main__":
    main()
