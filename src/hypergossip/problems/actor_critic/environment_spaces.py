"""The spaces of an environment's agents, which are the same or padded, and masks of the actions that are allowed."""

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic.environment_actions import ActionSpaces, action_spaces_of, grouped
from hypergossip.problems.actor_critic.parallel import Environment, pettingzoo_modules

MASKS = ("action_mask", "action_masks", "avail_actions", "legal_actions")  # keys in an info or an observation


class Spaces(NamedTuple):
    """The spaces of all agents.

    Attributes:
        acting: The actions.
        shapes: The shape of every agent's observation.
        observation: The shape of an observation in the game; with unequal observations the smallest that holds all.
        inner: The key of every agent's observation in a Dict with a mask, or None.
        mask: The key of every agent's mask in this Dict, or None.
    """

    acting: ActionSpaces
    shapes: list[tuple[int, ...]]
    observation: tuple[int, ...]
    inner: list
    mask: list

    @property
    def masked(self) -> bool:
        """Whether some agents have fewer actions than others, or masks in their observations."""
        return not self.acting.own.all() or any(key is not None for key in self.mask)

    def padded(self, observation: np.ndarray) -> np.ndarray:
        """Returns an agent's observation followed by zeros in every axis."""
        if observation.shape == self.observation:
            return observation
        if observation.ndim != len(self.observation):
            observation = observation.ravel()
        missing = [(0, large - small) for large, small in zip(self.observation, observation.shape, strict=True)]
        return np.pad(observation, missing)


def spaces_of(environment: Environment, names: list, pad: bool) -> Spaces:
    """Returns the spaces of all agents.

    Args:
        environment: The environment.
        names: The names of its agents.
        pad: Whether spaces may differ.

    Raises:
        ValueError: If the spaces are of another kind, or differ and may not.
    """
    spaces = pettingzoo_modules()[1]
    acting = action_spaces_of(names, [environment.action_space(name) for name in names], pad)
    sees, inner, mask = _without_masks(names, [environment.observation_space(name) for name in names])
    if not all(isinstance(see, spaces.Box) for see in sees):
        raise ValueError(
            f"the observation spaces are {grouped(names, sees)}; a game needs environments in which all agents "
            "observe a Box of the same shape, or with pad=True of any shape. A wrapper can flatten the observations."
        )
    shapes = [see.shape for see in sees]
    if not pad and len(set(shapes)) > 1:
        raise ValueError(
            f"the observation spaces are {grouped(names, sees)}, but a game needs a Box of the same shape for "
            "all agents; give pad=True, which completes the observations with zeros."
        )
    return Spaces(acting, shapes, _common(shapes), inner, mask)


def _common(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Returns the smallest shape that holds arrays of all these shapes, flattened if their axes differ in number."""
    if len({len(shape) for shape in shapes}) > 1:
        return (max(map(prod, shapes)),)
    return tuple(map(max, zip(*shapes, strict=True)))


def _without_masks(names: list, sees: list) -> tuple[list, list, list]:
    """Returns observation spaces without their masks, and the keys of observations and masks in a Dict."""
    spaces, parts = pettingzoo_modules()[1], []
    for name, see in zip(names, sees, strict=True):
        keys = list(see.spaces) if isinstance(see, spaces.Dict) else []
        if not (masks := [key for key in keys if key in MASKS]):
            parts.append((see, None, None))
            continue
        others = [key for key in keys if key not in MASKS]
        if len(masks) > 1 or len(others) != 1:
            raise ValueError(
                f"the observation of agent {name} has the keys {', '.join(map(str, keys))}; a game needs one "
                "Box and one mask of the allowed actions, such as observation and action_mask. Use a wrapper that "
                "joins the others."
            )
        parts.append((see.spaces[others[0]], others[0], masks[0]))
    first, second, third = zip(*parts, strict=True)
    return list(first), list(second), list(third)


def mask_in(info: Any) -> Any:
    """Returns the mask of actions in an agent's info, or None."""
    if not isinstance(info, Mapping):
        return None
    return next((info[key] for key in MASKS if info.get(key) is not None), None)


def has_masks(infos: Any) -> bool:
    """Returns whether any agent's info has a mask."""
    return isinstance(infos, Mapping) and any(mask_in(info) is not None for info in infos.values())
