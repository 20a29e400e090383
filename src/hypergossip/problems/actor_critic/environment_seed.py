"""Checks that the seed determines an environment, because episodes are replayed from their seeds."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import zip_longest

import numpy as np

from hypergossip.problems.actor_critic.environment_answers import at
from hypergossip.problems.actor_critic.environment_making import name_of
from hypergossip.problems.actor_critic.parallel import Environment

SEED = 20_231  # not 0, which some environments treat as no seed
STEPS = 16
AGAIN, OTHER = "the same one", "another one of its kind"

Parts = dict[str, np.ndarray]  # the parts of an observation, by their names in messages


def shifts(agents: int, horizon: int) -> list[np.ndarray]:
    """Returns which of its allowed actions each agent takes, modulo their number, in a few steps."""
    return [time + np.arange(agents) for time in range(min(horizon, STEPS))]


def check_seed(
    first: Environment,
    second: Environment,
    new: Callable[[], Environment],
    episode: Callable[[Environment], Iterator[Parts]],
) -> bool:
    """Refuses environments that the same seed and actions lead to different observations.

    The first environment plays an episode when it is new, and then a second one, in alternation with the second
    environment, as episodes are played side by side. This detects state that survives a reset, and random generators
    or state that two environments share.

    If only a used environment differs, two new ones are compared with each other. If they agree, each episode can be
    played in a new environment.

    Args:
        first: An environment.
        second: Another environment, made by the same function.
        new: A function that makes a further environment.
        episode: A function that plays an episode in an environment, always with the same seed and actions.

    Returns:
        Whether each episode needs a new environment.

    Raises:
        ValueError: If two episodes differ; the message names the first difference and the usual causes.
    """
    try:
        _check_used(first, second, episode)
    except _Differs as difference:
        if difference.which == OTHER or not _new_ones_agree(new, episode):
            raise ValueError(str(difference)) from None
        warnings.warn(
            f"the environment {name_of(first)} keeps something over a reset: {difference.where}. Each episode is "
            "played in a new environment, which is slow if it takes long to make one; to avoid this, let "
            "reset(seed=...) reset all state.",
            stacklevel=5,
        )
        return True
    return False


class _Differs(Exception):
    """Two episodes differ.

    Attributes:
        which: The environment that played the second one.
        where: The first difference, in words.
    """

    def __init__(self, name: str, which: str, where: str) -> None:
        super().__init__(
            f"the seed of the environment {name} does not determine it: {where}. It probably draws from numpy.random "
            "or random directly, keeps state across a reset, or shares state with other environments. Let "
            "reset(seed=...) reset all state and create the random generator, such as numpy.random.default_rng(seed), "
            "for all draws."
        )
        self.which, self.where = which, where


def _check_used(first: Environment, second: Environment, episode: Callable[[Environment], Iterator[Parts]]) -> None:
    """Raises `_Differs` if an episode differs in a used environment, or beside another one."""
    name, start, played = name_of(first), next(episode(first)), episode(first)
    once = [next(played)]
    _compare(name, 0, start, once[0], AGAIN)  # before anything is played
    once += played
    for time, (expected, pair) in enumerate(zip_longest(once, zip_longest(episode(first), episode(second)))):
        for seen, which in zip(pair or (None, None), (AGAIN, OTHER), strict=True):
            _compare(name, time, expected, seen, which)


def _new_ones_agree(new: Callable[[], Environment], episode: Callable[[Environment], Iterator[Parts]]) -> bool:
    """Returns whether two new environments, played side by side, show the same episode as a third one alone."""
    made = [new() for _ in range(3)]
    try:
        alone = list(episode(made[0]))
        return not any(
            _difference(expected, seen)
            for expected, pair in zip_longest(alone, zip_longest(episode(made[1]), episode(made[2])))
            for seen in (pair or (None, None))
        )
    finally:
        for environment in made:
            with suppress(Exception):
                environment.close()


def _compare(name: str, time: int, expected: Parts | None, seen: Parts | None, which: str) -> None:
    """Raises `_Differs` if two episodes differ."""
    if part := _difference(expected, seen):
        played = f"{which}, reset with the same seed and played with the same actions, differs in its {part} {at(time)}"
        raise _Differs(name, which, played)


def _difference(one: Parts | None, other: Parts | None) -> str:
    """Returns the first part that differs, or an empty string."""
    if one is None or other is None:
        return "" if one is other else "length"
    return next((name for name in one if not _nearly_equal(one[name], other[name])), "")


def _nearly_equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Returns whether two arrays are equal up to the round-off of an environment that sums in parallel."""
    return np.allclose(np.asarray(one, float), np.asarray(other, float), rtol=1e-5, atol=1e-6, equal_nan=True)
