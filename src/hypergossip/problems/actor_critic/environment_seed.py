"""Checks that the seed determines an environment, because episodes are replayed from their seeds."""

from collections.abc import Callable, Iterator
from itertools import zip_longest

import numpy as np

from hypergossip.problems.actor_critic.environment_answers import at
from hypergossip.problems.actor_critic.environment_making import name_of
from hypergossip.problems.actor_critic.parallel import Environment

SEED = 20_231  # not 0, which some environments treat as no seed
STEPS = 8
AGAIN, OTHER = "the same one", "another one of its kind"

Parts = dict[str, np.ndarray]  # the parts of an observation, by their names in messages


def shifts(agents: int, horizon: int) -> list[np.ndarray]:
    """Returns which of its allowed actions each agent takes, modulo their number, in a few steps."""
    return [time + np.arange(agents) for time in range(min(horizon, STEPS))]


def check_seed(first: Environment, second: Environment, episode: Callable[[Environment], Iterator[Parts]]) -> None:
    """Refuses environments that the same seed and actions lead to different observations.

    The first environment plays an episode when it is new, and then a second one, in alternation with the second
    environment, as episodes are played side by side. This detects state that survives a reset, and random generators
    or state that two environments share.

    Args:
        first: An environment.
        second: Another environment, made by the same function.
        episode: A function that plays an episode in an environment, always with the same seed and actions.

    Raises:
        ValueError: If two episodes differ; the message names the first difference and the usual causes.
    """
    name, start, played = name_of(first), next(episode(first)), episode(first)
    once = [next(played)]
    _compare(name, 0, start, once[0], AGAIN)  # before anything is played
    once += played
    for time, (expected, pair) in enumerate(zip_longest(once, zip_longest(episode(first), episode(second)))):
        for seen, which in zip(pair or (None, None), (AGAIN, OTHER), strict=True):
            _compare(name, time, expected, seen, which)


def _compare(name: str, time: int, expected: Parts | None, seen: Parts | None, which: str) -> None:
    """Raises ValueError if two episodes differ."""
    if part := _difference(expected, seen):
        raise ValueError(
            f"the seed of the environment {name} does not determine it: {which}, reset with the same seed and played "
            f"with the same actions, differs in its {part} {at(time)}. It probably draws from numpy.random or random "
            "directly, keeps state across a reset, or shares state with other environments. Let reset(seed=...) reset "
            "all state and create the random generator, such as numpy.random.default_rng(seed), for all draws."
        )


def _difference(one: Parts | None, other: Parts | None) -> str:
    """Returns the first part that differs, or an empty string."""
    if one is None or other is None:
        return "" if one is other else "length"
    return next((name for name in one if not _nearly_equal(one[name], other[name])), "")


def _nearly_equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Returns whether two arrays are equal up to the round-off of an environment that sums in parallel."""
    return np.allclose(np.asarray(one, float), np.asarray(other, float), rtol=1e-5, atol=1e-6, equal_nan=True)
