"""Converts an environment's answers to reset and step into arrays over all agents, and checks them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic.environment_making import name_of
from hypergossip.problems.actor_critic.environment_spaces import refuse_masks
from hypergossip.problems.actor_critic.parallel import Environment


class EnvironmentFailure(RuntimeError):
    """A user's environment raised an error; the message names the environment, the step and the episode's seed."""


class Form(NamedTuple):
    """The required form of an environment's answers.

    Attributes:
        names: The names of its agents.
        observation: The shape of an agent's observation.
    """

    names: list
    observation: tuple[int, ...]


class Answer(NamedTuple):
    """The answer to a step.

    Attributes:
        observations: The observations, (agents, ...).
        rewards: The rewards, (agents,).
        terminated: Whether the episode terminated for any agent.
        truncated: Whether the episode was truncated for any agent.
    """

    observations: np.ndarray
    rewards: np.ndarray
    terminated: bool
    truncated: bool


@contextmanager
def failing(environment: Environment, seed: int, time: int) -> Iterator[None]:
    """Raises an exception of the environment as an `EnvironmentFailure`.

    Args:
        environment: The environment whose code runs.
        seed: The seed of its episode.
        time: The step, counted from 1; 0 is the reset.
    """
    try:
        yield
    except Exception as error:
        reason = f": {error}" if str(error) else ""
        raise EnvironmentFailure(
            f"the environment {name_of(environment)} raised {type(error).__name__} {at(time)} of the episode that "
            f"began with reset(seed={seed}){reason}"
        ) from error


def at(time: int) -> str:
    """Returns the time of an event in words."""
    return f"at step {time}" if time else "at the reset"


def read_reset(environment: Environment, form: Form, answer: Any) -> np.ndarray:
    """Returns every agent's observation at the beginning of an episode, (agents, ...).

    Args:
        environment: The environment, after its reset.
        form: The required form.
        answer: The answer to the reset.

    Raises:
        ValueError: If the answer does not have this form.
    """
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ValueError(
            f"reset of {name_of(environment)} returned {_kind(answer)}, not (observations, infos), which are two "
            "dicts with an entry for each agent; update the environment to PettingZoo's current interface."
        )
    if (possible := list(environment.possible_agents)) != form.names:
        raise ValueError(
            f"possible_agents of {name_of(environment)} was {form.names}, but is {possible} after a reset; "
            "from_parallel needs environments whose agents are the same in every episode."
        )
    there = list(getattr(environment, "agents", form.names))
    if absent := [name for name in form.names if name not in there]:
        raise ValueError(
            f"agent {absent[0]!r} of {name_of(environment)} is absent at the reset (the agents are {there}); "
            "from_parallel needs environments in which all agents play from the beginning, so include it, with "
            "actions that do nothing."
        )
    _refuse_masks(answer[1], form)
    return _observations(environment, form, answer[0], 0)


def read_step(environment: Environment, form: Form, answer: Any, time: int) -> Answer:
    """Returns the answer to a step.

    Args:
        environment: The environment, after the step.
        form: The required form.
        answer: The answer to the step.
        time: The step, counted from 1.

    Raises:
        ValueError: If the answer does not have this form, or an agent's episode ends before the others'.
    """
    if not isinstance(answer, tuple) or len(answer) != 5:
        raise ValueError(
            f"step of {name_of(environment)} returned {_kind(answer)}, not (observations, rewards, terminations, "
            "truncations, infos), which are five dicts with an entry for each agent; update the environment to "
            "PettingZoo's current interface."
        )
    observations, rewards, terminations, truncations, infos = answer
    there = list(getattr(environment, "agents", form.names))
    flags = [flag if isinstance(flag, Mapping) else {} for flag in (terminations, truncations)]
    over = [name for name in form.names if any(flag.get(name, False) for flag in flags)]
    gone = over or [name for name in form.names if name not in there]
    if there and 0 < len(gone) < len(form.names):  # an empty list of agents ends the episode for all
        on = [name for name in form.names if name not in gone]
        left = f"{_listed(gone)} {'is' if len(gone) == 1 else 'are'} {'over' if over else 'no longer there'}"
        raise ValueError(
            f"some agents left while others continue to play, {at(time)} of {name_of(environment)}: {left}, and "
            f"{_listed(on)} {'continues' if len(on) == 1 else 'continue'}; from_parallel needs environments in which "
            "all agents stay until the end of the episode. End it for all agents at once, or keep agents that are done "
            "in it, with actions that do nothing."
        )
    for what, given in (("rewards", rewards), ("terminations", terminations), ("truncations", truncations)):
        _check_names(environment, form, what, given, time)
    _refuse_masks(infos, form)
    terminated = any(map(bool, terminations.values()))
    truncated = any(map(bool, truncations.values())) or not (there or terminated)
    each = np.array([_reward(environment, name, rewards[name], time) for name in form.names])
    return Answer(_observations(environment, form, observations, time), each, terminated, truncated)


def _refuse_masks(infos: Any, form: Form) -> None:
    """Raises ValueError if an agent's info has a mask of actions."""
    for name in form.names if isinstance(infos, Mapping) else ():
        if isinstance(info := infos.get(name), Mapping):
            refuse_masks(name, info, "info")


def _check_names(environment: Environment, form: Form, what: str, given: Any, time: int) -> None:
    """Raises ValueError if a value is not a dict with exactly one entry for each agent."""
    where = f"the {what} of {name_of(environment)} {at(time)}"
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} are {_kind(given)}; return a dict with an entry for each agent.")
    if missing := [name for name in form.names if name not in given]:
        raise ValueError(
            f"{where} have no entry for agent {missing[0]!r}; return an entry for every agent of possible_agents in "
            "every step of the episode, including the last one."
        )
    if unknown := [name for name in given if name not in form.names]:
        raise ValueError(
            f"{where} have an entry for {unknown[0]!r}, which is not in possible_agents, {form.names}; name it there "
            "from the beginning, or omit the entry."
        )


def _observations(environment: Environment, form: Form, given: Any, time: int) -> np.ndarray:
    """Returns every agent's observation, (agents, ...)."""
    _check_names(environment, form, "observations", given, time)
    seen = [np.asarray(given[name]) for name in form.names]
    for name, one in zip(form.names, seen, strict=True):
        if one.shape != form.observation or one.dtype.kind not in "biuf":
            raise ValueError(
                f"the observation of agent {name!r} of {name_of(environment)} {at(time)} is {_kind(given[name])}, of "
                f"shape {one.shape}, but its observation_space is a Box of shape {form.observation}; make them agree."
            )
    return np.stack(seen)


def _reward(environment: Environment, name: Any, reward: Any, time: int) -> float:
    """Returns a reward as a number."""
    value = np.asarray(reward)
    if value.size != 1 or value.dtype.kind not in "biuf":
        raise ValueError(
            f"the reward of agent {name!r} of {name_of(environment)} {at(time)} is {reward!r}; return a single number."
        )
    return float(value.item())


def _listed(names: list) -> str:
    return ", ".join(map(repr, names))


def _kind(given: Any) -> str:
    """Describes a value in words."""
    if isinstance(given, tuple):
        return f"a tuple of {len(given)}"
    return "None" if given is None else f"one of type {type(given).__name__}"
