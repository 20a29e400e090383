"""What an environment answers to reset and step, as arrays over all agents; what does not fit is refused by name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic.environment_making import name_of, refuse_masks
from hypergossip.problems.actor_critic.parallel import Environment


class EnvironmentFailure(RuntimeError):
    """A user's environment raised an error; the sentence names the environment, the step, and the episode's seed."""


class Form(NamedTuple):
    """What every answer of an environment has to fit.

    Attributes:
        names: Of its agents.
        observation: The shape of what each of them sees.
    """

    names: list
    observation: tuple[int, ...]


class Answer(NamedTuple):
    """What a step led to.

    Attributes:
        observations: (agents, ...).
        rewards: (agents,).
        terminated: Was the episode ended for any agent?
        truncated: Was it cut for any agent?
    """

    observations: np.ndarray
    rewards: np.ndarray
    terminated: bool
    truncated: bool


@contextmanager
def failing(environment: Environment, seed: int, time: int) -> Iterator[None]:
    """Raises what the environment raises as an `EnvironmentFailure`.

    Args:
        environment: Whose code runs.
        seed: Of its episode.
        time: The step, from 1; 0 is the reset.
    """
    try:
        yield
    except Exception as error:
        told = f": {error}" if str(error) else ""
        raise EnvironmentFailure(
            f"the environment {name_of(environment)} raised {type(error).__name__} {at(time)} of the episode that "
            f"began with reset(seed={seed}){told}"
        ) from error


def at(time: int) -> str:
    """Returns when something happened, in words."""
    return f"at step {time}" if time else "at the reset"


def read_reset(environment: Environment, form: Form, answer: Any) -> np.ndarray:
    """Returns everybody's observations at the beginning of an episode, (agents, ...).

    Args:
        environment: The environment, after its reset.
        form: What it has to fit.
        answer: Of its reset.

    Raises:
        ValueError: If it does not.
    """
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ValueError(
            f"reset of {name_of(environment)} returned {_kind(answer)}, and not (observations, infos), two dicts by "
            "agent; bring the environment to PettingZoo's present interface."
        )
    if (possible := list(environment.possible_agents)) != form.names:
        raise ValueError(
            f"possible_agents of {name_of(environment)} was {form.names}, and is {possible} after a reset; "
            "from_parallel takes environments whose agents are the same in every episode."
        )
    there = list(getattr(environment, "agents", form.names))
    if absent := [name for name in form.names if name not in there]:
        raise ValueError(
            f"agent {absent[0]!r} of {name_of(environment)} is not there at the reset (there are {there}); "
            "from_parallel takes environments whose agents all play from the beginning, so let it be there, with "
            "actions that do nothing."
        )
    _refuse_masks(answer[1], form)
    return _observations(environment, form, answer[0], 0)


def read_step(environment: Environment, form: Form, answer: Any, time: int) -> Answer:
    """Returns what a step led to.

    Args:
        environment: The environment, after the step.
        form: What the answer has to fit.
        answer: Of its step.
        time: The step, from 1.

    Raises:
        ValueError: If it does not, or if one agent is over while others play on.
    """
    if not isinstance(answer, tuple) or len(answer) != 5:
        raise ValueError(
            f"step of {name_of(environment)} returned {_kind(answer)}, and not (observations, rewards, terminations, "
            "truncations, infos), five dicts by agent; bring the environment to PettingZoo's present interface."
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
            f"agents left while others play on, {at(time)} of {name_of(environment)}: {left}, and {_listed(on)} "
            f"{'plays' if len(on) == 1 else 'play'} on; from_parallel takes environments whose agents all stay to the "
            "end of the episode, so end it for all at once, or keep those who are done in it, with actions that do "
            "nothing."
        )
    for what, given in (("rewards", rewards), ("terminations", terminations), ("truncations", truncations)):
        _check_names(environment, form, what, given, time)
    _refuse_masks(infos, form)
    terminated = any(map(bool, terminations.values()))
    truncated = any(map(bool, truncations.values())) or not (there or terminated)
    each = np.array([_reward(environment, name, rewards[name], time) for name in form.names])
    return Answer(_observations(environment, form, observations, time), each, terminated, truncated)


def _refuse_masks(infos: Any, form: Form) -> None:
    """Refuses masks of actions in anybody's info."""
    for name in form.names if isinstance(infos, Mapping) else ():
        if isinstance(info := infos.get(name), Mapping):
            refuse_masks(name, info, "info")


def _check_names(environment: Environment, form: Form, what: str, given: Any, time: int) -> None:
    """Refuses what is no dict by agent, of all agents and of nobody else."""
    where = f"the {what} of {name_of(environment)} {at(time)}"
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} are {_kind(given)}, and not a dict by agent.")
    if lacking := [name for name in form.names if name not in given]:
        raise ValueError(
            f"{where} have nothing for agent {lacking[0]!r}; give every agent of possible_agents an entry in every "
            "step of the episode, the last one included."
        )
    if unknown := [name for name in given if name not in form.names]:
        raise ValueError(
            f"{where} have an entry for {unknown[0]!r}, which is not in possible_agents, {form.names}; name it there "
            "from the beginning, or leave the entry out."
        )


def _observations(environment: Environment, form: Form, given: Any, time: int) -> np.ndarray:
    """Everybody's observations, (agents, ...)."""
    _check_names(environment, form, "observations", given, time)
    seen = [np.asarray(given[name]) for name in form.names]
    for name, one in zip(form.names, seen, strict=True):
        if one.shape != form.observation or one.dtype.kind not in "biuf":
            raise ValueError(
                f"what agent {name!r} of {name_of(environment)} sees {at(time)} is {_kind(given[name])}, of shape "
                f"{one.shape}, and its observation_space a Box of shape {form.observation}; make them agree."
            )
    return np.stack(seen)


def _reward(environment: Environment, name: Any, reward: Any, time: int) -> float:
    """A reward as a number."""
    value = np.asarray(reward)
    if value.size != 1 or value.dtype.kind not in "biuf":
        raise ValueError(
            f"the reward of agent {name!r} of {name_of(environment)} {at(time)} is {reward!r}; it has to be one number."
        )
    return float(value.item())


def _listed(names: list) -> str:
    return ", ".join(map(repr, names))


def _kind(given: Any) -> str:
    """What something is, in words."""
    if isinstance(given, tuple):
        return f"a tuple of {len(given)}"
    return "None" if given is None else f"one of type {type(given).__name__}"
