"""Converts an environment's answers to reset and step into arrays over all agents, and checks them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic.environment_making import name_of
from hypergossip.problems.actor_critic.environment_spaces import Spaces, mask_in
from hypergossip.problems.actor_critic.parallel import Environment


class EnvironmentFailure(RuntimeError):
    """A user's environment raised an error; the message names the environment, the step and the episode's seed."""


class Form(NamedTuple):
    """The required form of an environment's answers.

    Attributes:
        names: The names of its agents.
        spaces: Their spaces.
        leaving: Whether agents may leave an episode before the others.
        masked: Whether the game has masks of the allowed actions.
        time_limit: The environment's own time limit, at which an end is no termination, or None.
    """

    names: list
    spaces: Spaces
    leaving: bool
    masked: bool
    time_limit: int | None


class Running(NamedTuple):
    """An environment in an episode.

    Attributes:
        environment: The environment.
        gone: The names of the agents that have left the episode.
    """

    environment: Environment
    gone: set


class Answer(NamedTuple):
    """The answer to a reset, or to a step.

    Attributes:
        observations: The observations, zero for agents that have left, (agents, ...).
        allowed: Whether each action of each agent is allowed, (agents, actions).
        rewards: The rewards, (agents,).
        terminated: Whether the episode terminated.
        truncated: Whether the episode was truncated.
    """

    observations: np.ndarray
    allowed: np.ndarray
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


def read_reset(environment: Environment, form: Form, answer: Any) -> Answer:
    """Returns the beginning of an episode.

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
            "a game needs environments whose agents are the same in every episode."
        )
    there = list(getattr(environment, "agents", form.names))
    if absent := [name for name in form.names if name not in there]:
        raise ValueError(
            f"agent {absent[0]!r} of {name_of(environment)} is absent at the reset (the agents are {there}); "
            "a game needs environments in which all agents play from the beginning, so include it, with "
            "actions that do nothing."
        )
    observations, infos = answer
    _check_names(environment, form, "observations", observations, 0, form.names)
    seen = _observations(environment, form, observations, 0, form.names)
    allowed = read_masks(environment, form, observations, infos, 0, form.names)
    return Answer(seen, allowed, np.zeros(len(form.names)), False, False)


def read_step(running: Running, form: Form, answer: Any, time: int) -> Answer:
    """Returns the answer to a step, and notes the agents that leave.

    Args:
        running: The environment, after the step.
        form: The required form.
        answer: The answer to the step.
        time: The step, counted from 1.

    Raises:
        ValueError: If the answer does not have this form, or an agent leaves before the others and may not.
    """
    environment, gone = running
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
    players = [name for name in form.names if name not in gone]  # before the step
    ended = [name for name in players if name in over or name not in there]
    if not there:
        ended = players  # an empty list of agents ends the episode for all
    if 0 < len(ended) < len(players) and not form.leaving:
        raise ValueError(_left(environment, form, ended, over, time))
    together = not gone and len(ended) in (0, len(players))  # no agent has left before the others
    gone.update(ended)
    stay = [name for name in players if name not in gone]
    told = players if together else [name for name in players if name in there]
    given = {"rewards": rewards, "terminations": terminations, "truncations": truncations}
    for what, values in given.items():
        _check_names(environment, form, what, values, time, told)
    _check_names(environment, form, "observations", observations, time, stay or told)
    seen = stay or [name for name in players if name in observations]
    each = {name: _reward(environment, name, rewards[name], time) for name in players if name in rewards}
    terminated = not stay and any(bool(terminations.get(name, False)) for name in ended)
    truncated = not stay and (any(bool(truncations.get(name, False)) for name in ended) or not terminated)
    if form.time_limit is not None and time >= form.time_limit:
        terminated, truncated = False, truncated or terminated
    return Answer(
        _observations(environment, form, observations, time, seen),
        read_masks(environment, form, observations, infos, time, stay),
        np.array([each.get(name, 0.0) for name in form.names]),
        terminated,
        truncated,
    )


def _left(environment: Environment, form: Form, ended: list, over: list, time: int) -> str:
    """Returns the message about agents who leave and may not."""
    on = [name for name in form.names if name not in ended]
    left = f"{_listed(ended)} {'is' if len(ended) == 1 else 'are'} {'over' if over else 'no longer there'}"
    return (
        f"some agents left while others continue to play, {at(time)} of {name_of(environment)}: {left}, and "
        f"{_listed(on)} {'continues' if len(on) == 1 else 'continue'}; omit leaving=False, so that agents who have "
        "left get zero observations and rewards, or end the episode for all agents at once."
    )


def read_masks(
    environment: Environment, form: Form, observations: Any, infos: Any, time: int, players: list
) -> np.ndarray:
    """Returns whether each action of each agent is allowed, (agents, actions).

    An agent that does not play has only its first action, which gives it probability 1 and a zero gradient, or no
    coordinate of a continuous action.

    Args:
        environment: The environment.
        form: The required form.
        observations: The observations of its answer.
        infos: The infos of its answer.
        time: The step, counted from 1; 0 is the reset.
        players: The names of the agents that play on.

    Raises:
        ValueError: If a mask has another shape, allows nothing, or comes where the game has none.
    """
    acting = form.spaces.acting
    allowed = acting.own.copy()
    for i, (name, key) in enumerate(zip(form.names, form.spaces.mask, strict=True)):
        if name not in players:
            allowed[i] = acting.absent
            continue
        mask = mask_in(infos.get(name)) if isinstance(infos, Mapping) else None
        mask = observations[name][key] if key is not None else mask
        if mask is None:
            continue
        where = f"the mask of the allowed actions of agent {name!r} of {name_of(environment)} {at(time)}"
        if not form.masked:
            raise ValueError(f"{where} is the first one, and leaving=False allows none that come later; omit it.")
        if acting.continuous:
            raise ValueError(f"{where} has no meaning for continuous actions; omit it, or use discrete actions.")
        values = np.asarray(mask)
        if values.shape != (acting.counts[i],) or values.dtype.kind not in "biuf":
            raise ValueError(
                f"{where} is {_kind(mask)}, of shape {values.shape}, but the agent has {acting.counts[i]} "
                "actions; return one number for each action, 1 if it is allowed and 0 if not."
            )
        if not np.isin(values, (0, 1)).all():
            raise ValueError(
                f"{where} is {values.tolist()}; return 1 for an action that is allowed and 0 for one that is not. "
                "(A mask that is added to logits has 0 for allowed actions.)"
            )
        if not values.any():
            raise ValueError(f"{where} allows no action; allow one that does nothing, or let the agent leave.")
        allowed[i, : len(values)] = values.astype(bool)
    return allowed


def _check_names(environment: Environment, form: Form, what: str, given: Any, time: int, needed: list) -> None:
    """Raises ValueError if a value is not a dict with entries for all needed agents and for no unknown one."""
    where = f"the {what} of {name_of(environment)} {at(time)}"
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} are {_kind(given)}; return a dict with an entry for each agent.")
    if missing := [name for name in needed if name not in given]:
        raise ValueError(
            f"{where} have no entry for agent {missing[0]!r}; return an entry for every agent of possible_agents in "
            "every step of the episode, including the last one."
        )
    if unknown := [name for name in given if name not in form.names]:
        raise ValueError(
            f"{where} have an entry for {unknown[0]!r}, which is not in possible_agents, {form.names}; name it there "
            "from the beginning, or omit the entry."
        )


def _observations(environment: Environment, form: Form, given: Any, time: int, needed: list) -> np.ndarray:
    """Returns every agent's observation, zero for those that are not needed, (agents, ...)."""
    spaces, seen = form.spaces, []
    for name, shape, key in zip(form.names, spaces.shapes, spaces.inner, strict=True):
        if name not in needed:
            seen.append(np.zeros(spaces.observation))
            continue
        own = given[name] if key is None else given[name][key]
        one = np.asarray(own)
        if one.shape != shape or one.dtype.kind not in "biuf":
            raise ValueError(
                f"the observation of agent {name!r} of {name_of(environment)} {at(time)} is {_kind(own)}, of shape "
                f"{one.shape}, but its observation_space is a Box of shape {shape}; make them agree."
            )
        if not np.isfinite(one).all():
            raise ValueError(
                f"the observation of agent {name!r} of {name_of(environment)} {at(time)} contains "
                f"{one[~np.isfinite(one)].flat[0]}; return finite numbers."
            )
        seen.append(spaces.padded(one))
    return np.stack(seen)


def _reward(environment: Environment, name: Any, reward: Any, time: int) -> float:
    """Returns a reward as a number."""
    value = np.asarray(reward)
    if value.size != 1 or value.dtype.kind not in "biuf" or not np.isfinite(value).all():
        raise ValueError(
            f"the reward of agent {name!r} of {name_of(environment)} {at(time)} is {reward!r}; return a single finite "
            "number."
        )
    return float(value.item())


def _listed(names: list) -> str:
    return ", ".join(map(repr, names))


def _kind(given: Any) -> str:
    """Describes a value in words."""
    if isinstance(given, tuple):
        return f"a tuple of {len(given)}"
    return "None" if given is None else f"one of type {type(given).__name__}"
