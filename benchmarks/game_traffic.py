"""How much faster traffic signals are if two simulations are stepped at once: `python -m benchmarks.game_traffic`.

It needs the extra "traffic". Both play the same episodes of RESCO's grid4x4, four side by side, in alternation in one
process; the ratio is the median of neighbouring measurements.
"""

import os
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.timing import alternate, median_ratio, report
from hypergossip.problems.actor_critic import from_parallel, traffic_signals
from hypergossip.problems.actor_critic.game import Game

NET, SECONDS, DECISION, EPISODES, TURNS, WORKERS = "grid4x4", 600, 5, 4, 7, 2


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


def compare(make: Any, steps: int, turns: int, workers: int = WORKERS) -> tuple[dict[str, np.ndarray], bool]:
    """Times a game without workers and with some.

    Args:
        make: The function that makes an environment.
        steps: The number of steps of an episode.
        turns: The number of measurements of each.
        workers: The number of workers.

    Returns:
        The seconds, "serial" and "workers", (turns,) each, and whether the rewards are equal.
    """
    games = [from_parallel(make, horizon=steps, live=EPISODES, workers=workers) for workers in (0, workers)]
    programs = dict(zip(("serial", "workers"), (played(game, EPISODES, steps) for game in games), strict=True))
    seconds = alternate(programs, turns)
    one, other = (program() for program in programs.values())
    return seconds, bool(jnp.array_equal(one, other))


def main() -> None:
    """Prints the steps a second of both, their ratio, and whether they play the same."""
    steps = SECONDS // DECISION
    seconds, equal = compare(partial(traffic_signals, NET, seconds=SECONDS, decision=DECISION), steps, TURNS)
    rate = lambda name: f"{EPISODES * steps / np.median(seconds[name]):8.1f}"
    middle, low, high = median_ratio(seconds["serial"], seconds["workers"])
    load = os.getloadavg()[0]
    rows = [
        ("serial", rate("serial")),
        (f"{WORKERS} workers", rate("workers")),
        ("ratio", f"{middle:.2f} [{low:.2f}, {high:.2f}] (at least 1.6 on two free cores)"),
        ("the same rewards", str(equal)),
    ]
    report(
        f"traffic signals, {NET}, {EPISODES} episodes, {os.cpu_count()} cores, load {load:.1f}: steps a second", rows
    )


if __name__ == "__main__":
    main()
