"""The environments that a user's function makes: what it gives is looked at once, and what is no such is refused."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic.parallel import Environment, pettingzoo_modules

NEEDED = ("possible_agents", "reset", "step", "observation_space", "action_space")
MASKS = ("action_mask", "action_masks", "avail_actions", "legal_actions")  # in an info, or beside an observation


class Spaces(NamedTuple):
    """What all agents have in common.

    Attributes:
        first_action: The number of the first action.
        actions: How many there are.
        observation: The shape of an observation.
    """

    first_action: int
    actions: int
    observation: tuple[int, ...]


def checked_maker(make: Any) -> Callable[[], Environment]:
    """Returns what was given to make environments, if it can be called without arguments.

    Raises:
        ValueError: If it is no function, or one that needs arguments.
    """
    if not callable(make):
        given = "a module" if inspect.ismodule(make) else f"one of type {type(make).__name__}"
        raise ValueError(
            f"from_parallel takes a function that makes a parallel environment, and was given {given}; write `lambda: "
            "...` before the call that makes it, such as lambda: simple_spread_v3.parallel_env(N=3)."
        )
    if needed := _needed(make):
        name = getattr(make, "__name__", type(make).__name__)
        raise ValueError(
            f"the function that makes the environment, {name}, needs {' and '.join(needed)}, and from_parallel calls "
            f"it without arguments; write lambda: {name}({', '.join(f'{one}=...' for one in needed)})."
        )
    return make


def _needed(make: Callable) -> list[str]:
    """The arguments that a function needs; none where it does not tell."""
    with suppress(TypeError, ValueError):  # as some functions written in C do not
        optional = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
        parameters = inspect.signature(make).parameters.values()
        return [one.name for one in parameters if one.default is one.empty and one.kind not in optional]
    return []


def make_one(make: Callable[[], Environment]) -> Environment:
    """Returns a parallel environment, made by a user's function.

    Raises:
        ValueError: If the function makes something else.
    """
    made = make()
    pettingzoo, _ = pettingzoo_modules()
    takes = "from_parallel takes a function that makes a parallel environment of PettingZoo, and this one "
    if made is None:
        raise ValueError(f"{takes}returns None; let it return the environment.")
    if isinstance(made, pettingzoo.AECEnv):
        raise ValueError(
            f"{takes}makes a turn-based environment, {name_of(made)}, whose agents move one after the other; use "
            "parallel_env in place of env, or pettingzoo.utils.aec_to_parallel where the rules allow moves at once."
        )
    if _is_single(made):
        raise ValueError(
            f"{takes}makes the gymnasium environment {name_of(made)}, of a single agent; write it as a ParallelEnv, "
            "with every answer a dict by agent."
        )
    if callable(made) and not hasattr(type(made), "step"):
        raise ValueError(f"{takes}returns {getattr(made, '__name__', made)!r} without calling it; add parentheses.")
    if lacking := [name for name in NEEDED if not hasattr(made, name)]:
        raise ValueError(f"{takes}makes one of type {type(made).__name__}, which has no {' and no '.join(lacking)}.")
    return made


def _is_single(made: Any) -> bool:
    import gymnasium

    return isinstance(made, gymnasium.Env | gymnasium.vector.VectorEnv)


def name_of(environment: Environment) -> str:
    """Returns an environment's own name, or its type's."""
    named = getattr(environment, "metadata", None)
    name = named.get("name") if isinstance(named, dict) else None
    return name if isinstance(name, str) else type(getattr(environment, "unwrapped", environment)).__name__


def names_of(environment: Environment) -> list:
    """Returns the names of the agents of an environment.

    Raises:
        ValueError: If there are none, or two of one name.
    """
    names = list(environment.possible_agents)
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"possible_agents of {name_of(environment)} is {names}; from_parallel takes environments that name every "
            "agent there, from the beginning and once."
        )
    return names


def spaces_of(environment: Environment, names: list) -> Spaces:
    """Returns the spaces that all agents have in common.

    Raises:
        ValueError: If they have none in common, or if actions are masked.
    """
    spaces = pettingzoo_modules()[1]
    acts, sees = (
        [environment.action_space(name) for name in names],
        [environment.observation_space(name) for name in names],
    )
    if not all(isinstance(act, spaces.Discrete) and act == acts[0] for act in acts):
        raise ValueError(
            f"the action spaces are {', '.join(map(str, acts))}; from_parallel takes environments in which all agents "
            "have the same Discrete actions. Many have an option for that, or a wrapper can bring it about."
        )
    for name, see in zip(names, sees, strict=True):
        if isinstance(see, spaces.Dict):
            refuse_masks(name, see.spaces, "observation")
    if not all(isinstance(see, spaces.Box) and see.shape == sees[0].shape for see in sees):
        raise ValueError(
            f"the observation spaces are {', '.join(map(str, sees))}; from_parallel takes environments in which all "
            "agents see a Box of the same shape. A wrapper can flatten and pad them."
        )
    return Spaces(int(acts[0].start), int(acts[0].n), sees[0].shape)


def refuse_masks(agent: Any, keys: Any, where: str) -> None:
    """Refuses a mask of the actions that are allowed.

    Args:
        agent: Whose.
        keys: Of its info, or of the parts of its observation.
        where: "info" or "observation".

    Raises:
        ValueError: If there is one among the keys.
    """
    if masks := [mask for mask in MASKS if mask in keys]:
        raise ValueError(
            f"the {where} of agent {agent!r} has {masks[0]!r}, a mask of the actions that are allowed; from_parallel "
            "does not honour it, and policies would draw forbidden actions, so let a wrapper take a forbidden action "
            "for an allowed one (such as doing nothing) and leave the mask out."
        )


def checked_whole(whole: Any) -> None:
    """Refuses what is given as the global state, and is no function.

    Raises:
        ValueError: If it is none.
    """
    if whole is not None and not callable(whole):
        raise ValueError(
            f"whole is {whole!r}; give a function of an environment, such as lambda environment: environment.state(), "
            "or leave it out for everybody's observations."
        )


def read_whole(environment: Environment, whole: Callable[[Environment], Any], shape: tuple | None) -> np.ndarray:
    """Returns the global state of an environment.

    Args:
        environment: The environment.
        whole: A user's function of it.
        shape: That it had before; None at first.

    Raises:
        ValueError: If it has none, or one that is no array of numbers or of another shape.
    """
    name = name_of(environment)
    try:
        state = np.asarray(whole(environment))
    except Exception as error:
        told = f": {error}" if str(error) else ""
        raise ValueError(
            f"whole, the global state of {name}, ended with {type(error).__name__}{told}; where an environment has no "
            "state(), leave whole out, which takes everybody's observations, one after the other."
        ) from error
    if state.dtype.kind not in "biuf":
        raise ValueError(f"whole returns for {name} no numbers, but type {state.dtype}; let it return an array.")
    if shape is not None and state.shape != shape:
        raise ValueError(f"whole returns for {name} the shape {state.shape}, and {shape} before; it has to stay.")
    return state
