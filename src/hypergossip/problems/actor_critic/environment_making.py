"""Checks a user's function that makes environments, and the environments that it makes."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from hypergossip.problems.actor_critic.parallel import Environment, pettingzoo_modules

NEEDED = ("possible_agents", "reset", "step", "observation_space", "action_space")


PARALLEL = ("from_parallel", "a parallel environment", "simple_spread_v3.parallel_env(N=3)")
TUPLES = ("from_tuples", "a gymnasium environment", 'gymnasium.make("Foraging-8x8-2p-1f-v3")')


def checked_maker(make: Any, kind: tuple[str, str, str] = PARALLEL) -> Callable[[], Environment]:
    """Returns the function that makes environments, if it can be called without arguments.

    Args:
        make: The user's function.
        kind: The name of the function that takes it, what it makes, and an example, for messages.

    Raises:
        ValueError: If it is not a function, or needs arguments.
    """
    takes, environment, example = kind
    if not callable(make):
        given = "a module" if inspect.ismodule(make) else f"one of type {type(make).__name__}"
        raise ValueError(
            f"{takes} takes a function that makes {environment}, but was given {given}; write `lambda: ...` before the "
            f"call that makes it, such as lambda: {example}."
        )
    if needed := _needed(make):
        name = getattr(make, "__name__", type(make).__name__)
        raise ValueError(
            f"the function that makes the environment, {name}, needs {' and '.join(needed)}, but {takes} calls it "
            f"without arguments; write lambda: {name}({', '.join(f'{one}=...' for one in needed)})."
        )
    return make


def _needed(make: Callable) -> list[str]:
    """Returns the names of the arguments that a function needs, and none if it has no signature."""
    with suppress(TypeError, ValueError):  # some functions written in C have no signature
        optional = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
        parameters = inspect.signature(make).parameters.values()
        return [one.name for one in parameters if one.default is one.empty and one.kind not in optional]
    return []


def make_one(make: Callable[[], Environment]) -> Environment:
    """Returns a parallel environment, made by a user's function.

    Raises:
        ValueError: If the function makes another kind of object.
    """
    made = make()
    pettingzoo, _ = pettingzoo_modules()
    takes = "from_parallel takes a function that makes a parallel environment of PettingZoo, but this function "
    if made is None:
        raise ValueError(f"{takes}returns None; let it return the environment.")
    if isinstance(made, pettingzoo.AECEnv):
        raise ValueError(
            f"{takes}makes a turn-based environment, {name_of(made)}, whose agents move one after the other; use "
            "parallel_env instead of env, or pettingzoo.utils.aec_to_parallel if the rules allow simultaneous moves."
        )
    if _is_single(made):
        raise ValueError(
            f"{takes}makes the gymnasium environment {name_of(made)}, of a single agent; write it as a ParallelEnv, "
            "in which every answer is a dict with an entry for each agent."
        )
    if callable(made) and not hasattr(type(made), "step"):
        raise ValueError(f"{takes}returns {getattr(made, '__name__', made)!r} without calling it; add parentheses.")
    if missing := [name for name in NEEDED if not hasattr(made, name)]:
        raise ValueError(f"{takes}makes one of type {type(made).__name__}, which has no {' and no '.join(missing)}.")
    return made


def _is_single(made: Any) -> bool:
    import gymnasium

    return isinstance(made, gymnasium.Env | gymnasium.vector.VectorEnv)


def name_of(environment: Environment) -> str:
    """Returns the name of an environment, or of its type."""
    named = getattr(environment, "metadata", None)
    name = named.get("name") if isinstance(named, dict) else None
    return name if isinstance(name, str) else type(getattr(environment, "unwrapped", environment)).__name__


def names_of(environment: Environment) -> list:
    """Returns the names of the agents of an environment.

    Raises:
        ValueError: If there are no agents, or two agents have the same name.
    """
    names = list(environment.possible_agents)
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"possible_agents of {name_of(environment)} is {names}; a game needs environments in which it "
            "names every agent exactly once, from the beginning."
        )
    return names


def checked_whole(whole: Any) -> None:
    """Checks the argument for the global state.

    Raises:
        ValueError: If it is neither None nor a function.
    """
    if whole is not None and not callable(whole):
        raise ValueError(
            f"whole is {whole!r}; give a function of an environment, such as lambda environment: environment.state(), "
            "or omit it to use all agents' observations."
        )


def read_whole(environment: Environment, whole: Callable[[Environment], Any], shape: tuple | None) -> np.ndarray:
    """Returns the global state of an environment.

    Args:
        environment: The environment.
        whole: The user's function of an environment.
        shape: The earlier shape of the state; None at the first call.

    Raises:
        ValueError: If the function fails, or does not return an array of numbers of the same shape.
    """
    name = name_of(environment)
    try:
        state = np.asarray(whole(environment))
    except Exception as error:
        reason = f": {error}" if str(error) else ""
        raise ValueError(
            f"whole, the global state of {name}, raised {type(error).__name__}{reason}; if an environment has no "
            "state(), omit whole, which uses all agents' observations."
        ) from error
    if state.dtype.kind not in "biuf":
        raise ValueError(f"whole returns type {state.dtype} for {name}; let it return an array of numbers.")
    if not np.isfinite(state).all():
        raise ValueError(f"whole returns {state[~np.isfinite(state)].flat[0]} for {name}; return finite numbers.")
    if shape is not None and state.shape != shape:
        raise ValueError(
            f"whole returns the shape {state.shape} for {name}, but returned {shape} before; the shape must not change."
        )
    return state
