"""The action spaces of an environment's agents, all discrete or all continuous, and how actions are handed to it."""

from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic.parallel import pettingzoo_modules


class ActionSpaces(NamedTuple):
    """The action spaces of all agents.

    Continuous actions of the game are in units of half the width of an agent's Box, around its middle. Coordinates that
    are not bounded on both sides keep the environment's units.

    Attributes:
        spaces: Every agent's space, all Discrete or all a Box.
        counts: The number of every agent's actions, or of coordinates of its actions.
        units: The middle of every agent's Box and half its width, each (coordinates,); None for discrete actions.
    """

    spaces: list
    counts: list[int]
    units: list[tuple[np.ndarray, np.ndarray]] | None

    @property
    def continuous(self) -> bool:
        """Whether the actions are continuous."""
        return self.units is not None

    @property
    def actions(self) -> int:
        """The largest number of actions, or of coordinates."""
        return max(self.counts)

    @property
    def own(self) -> np.ndarray:
        """Whether each agent has each action or coordinate of the game, (agents, actions)."""
        return np.arange(self.actions) < np.array(self.counts)[:, None]

    @property
    def absent(self) -> np.ndarray:
        """The mask of an agent that does not play, (actions,): its first action only, or no coordinate."""
        return (np.arange(self.actions) == 0) & (not self.continuous)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest continuous actions of the game, 0 for missing coordinates, (agents, actions)."""
        ends = np.zeros((2, len(self.spaces), self.actions))
        for i, (space, (middle, half)) in enumerate(zip(self.spaces, self.units or (), strict=True)):
            for end, edge in zip(ends, (space.low, space.high), strict=True):
                end[i, : len(middle)] = (edge - middle) / half
        return ends[0], ends[1]

    def handed(self, agent: int, action: Any) -> Any:
        """Returns an action as the environment takes it.

        Args:
            agent: The number of the agent.
            action: The game's action: a whole number from 0, or an array (actions,), which is clipped to the Box.
        """
        if not self.continuous:
            return int(self.spaces[agent].start) + int(action)
        return self.handed_together(agent, np.asarray(action))

    def handed_together(self, agent: int, actions: np.ndarray) -> np.ndarray:
        """Returns several actions as environments take them.

        Args:
            agent: The number of the agent.
            actions: The game's actions, (...), or (..., actions) if continuous.
        """
        space = self.spaces[agent]
        if self.units is None:
            return int(space.start) + actions
        middle, half = self.units[agent]
        own = middle + half * actions[..., : len(middle)].astype(float)
        return np.clip(own, space.low, space.high).astype(space.dtype)

    def trial(self, allowed: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Returns actions by which an environment is tried.

        Args:
            allowed: Whether each action (or coordinate) is allowed, (agents, actions).
            shift: A whole number for each agent, which chooses its action, (agents,).
        """
        if self.continuous:
            return np.where(allowed, np.sin(1 + shift[:, None] + np.arange(self.actions)), 0.0)
        choices = [np.flatnonzero(each) for each in allowed]
        return np.array([choice[one % len(choice)] for choice, one in zip(choices, shift, strict=True)])


def _units(space: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the middle of a Box and half its width, (coordinates,); 0 and 1 where a bound is missing."""
    low, high = (np.asarray(edge, float) for edge in (space.low, space.high))
    bounded = (np.maximum(-low, high) < np.finfo(np.float32).max / 2) & (low < high)  # many use the largest float
    low, high = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
    return (low + high) / 2, (high - low) / 2


def action_spaces_of(names: list, acts: list, pad: bool) -> ActionSpaces:
    """Returns the action spaces of all agents.

    Args:
        names: The names of the agents.
        acts: Their action spaces, in the same order.
        pad: Whether spaces may differ.

    Raises:
        ValueError: If the spaces are of another kind, of two kinds, or differ and may not.
    """
    spaces = pettingzoo_modules()[1]
    boxes = [isinstance(act, spaces.Box) and len(act.shape) == 1 and act.dtype.kind == "f" for act in acts]
    kinds = [isinstance(act, spaces.Discrete) or box for act, box in zip(acts, boxes, strict=True)]
    if not all(kinds):
        raise ValueError(
            f"the action spaces are {grouped(names, acts)}; a game needs environments in which all agents have "
            "the same Discrete actions or the same Box of floats with one axis, or with pad=True any of one kind. Many "
            "environments have an option for this; otherwise use a wrapper."
        )
    if any(boxes) and not all(boxes):
        raise ValueError(
            f"the action spaces are {grouped(names, acts)}, but a game cannot mix discrete and continuous "
            "actions; use a wrapper that gives all agents a Box, or all agents Discrete actions."
        )
    if not pad and not all(act == acts[0] for act in acts):
        what, how = ("Discrete actions", "completes them with actions of probability 0")
        if all(boxes):
            what, how = ("Box of actions", "scales each to its bounds and completes them with coordinates of no effect")
        raise ValueError(
            f"the action spaces are {grouped(names, acts, bounds=True)}, but a game needs the same {what} for "
            f"all agents; give pad=True, which {how}."
        )
    if all(boxes):
        return ActionSpaces(acts, [act.shape[0] for act in acts], [_units(act) for act in acts])
    return ActionSpaces(acts, [int(act.n) for act in acts], None)


def grouped(names: list, spaces: list, bounds: bool = False) -> str:
    """Describes the agents' spaces in words, with one entry for all agents that have the same.

    Args:
        names: The names of the agents.
        spaces: Their spaces, in the same order.
        bounds: Whether to include the bounds of a Box, which can be long arrays.
    """
    groups: dict[str, list] = {}
    for name, space in zip(names, spaces, strict=True):
        groups.setdefault(_described(space, bounds), []).append(name)
    return ", ".join(f"{space} for {_some(group)}" for space, group in groups.items())


def _described(space: Any, bounds: bool) -> str:
    """Returns a space in words."""
    if isinstance(space, pettingzoo_modules()[1].Box) and not bounds:
        return f"a Box of shape {space.shape}"
    text = " ".join(str(space).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _some(names: list) -> str:
    """Names a group of agents."""
    return str(names[0]) if len(names) == 1 else f"{len(names)} agents such as {names[0]}"
