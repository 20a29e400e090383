"""Does an environment's seed decide it? Episodes are replayed from their seeds, so nothing else may."""

from collections.abc import Callable, Iterator
from itertools import zip_longest

import numpy as np

from hypergossip.problems.actor_critic.environment_answers import at
from hypergossip.problems.actor_critic.environment_making import name_of
from hypergossip.problems.actor_critic.parallel import Environment

SEED = 20_231  # some environments take 0 for none
STEPS = 8
AGAIN, OTHER = "the same one", "another one of its kind"

Parts = dict[str, np.ndarray]  # what was seen, by its name in a sentence


def moves(agents: int, actions: int, horizon: int) -> list[np.ndarray]:
    """Returns everybody's actions, counted from 0, in a few steps; all actions come where they are few."""
    return [(time + np.arange(agents)) % actions for time in range(min(horizon, STEPS))]


def check_seed(first: Environment, second: Environment, episode: Callable[[Environment], Iterator[Parts]]) -> None:
    """Refuses environments that one seed and the same actions lead to different places.

    The first one plays when it is new, and then again, step by step in turn with the second one, as episodes are played
    side by side: so what is kept over a reset is found, and what two environments draw from or keep in common.

    Args:
        first: An environment.
        second: Another one, made by the same function.
        episode: Plays one with the same seed and actions, from its reset on.

    Raises:
        ValueError: If they differ, with what differs first and the usual causes.
    """
    name, start, played = name_of(first), next(episode(first)), episode(first)
    once = [next(played)]
    _compare(name, 0, start, once[0], AGAIN)  # before anything is played
    once += played
    for time, (expected, pair) in enumerate(zip_longest(once, zip_longest(episode(first), episode(second)))):
        for seen, which in zip(pair or (None, None), (AGAIN, OTHER), strict=True):
            _compare(name, time, expected, seen, which)


def _compare(name: str, time: int, expected: Parts | None, seen: Parts | None, which: str) -> None:
    """Refuses an environment where two of its episodes differ."""
    if part := _difference(expected, seen):
        raise ValueError(
            f"the seed of the environment {name} does not decide it: {which}, reset with the same seed and played by "
            f"the same actions, differs in its {part} {at(time)}; likely it draws from numpy.random or random "
            "directly, or keeps something over a reset or in common with others of its kind, so let reset(seed=...) "
            "begin everything anew and make the generator, such as numpy.random.default_rng(seed), of which everything "
            "is drawn."
        )


def _difference(one: Parts | None, other: Parts | None) -> str:
    """The first part that differs; empty where none does."""
    if one is None or other is None:
        return "" if one is other else "length"
    return next((name for name in one if not _alike(one[name], other[name])), "")


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Are they equal, but for the round-off of an environment that sums in parallel?"""
    return np.allclose(np.asarray(one, float), np.asarray(other, float), rtol=1e-5, atol=1e-6, equal_nan=True)
