"""The spaces of an environment's agents, which have to be the same, and masks of the actions that are allowed."""

from typing import Any, NamedTuple

from hypergossip.problems.actor_critic.parallel import Environment, pettingzoo_modules

MASKS = ("action_mask", "action_masks", "avail_actions", "legal_actions")  # keys in an info or an observation


class Spaces(NamedTuple):
    """The spaces that all agents have in common.

    Attributes:
        first_action: The number of the first action.
        actions: The number of actions.
        observation: The shape of an observation.
    """

    first_action: int
    actions: int
    observation: tuple[int, ...]


def spaces_of(environment: Environment, names: list) -> Spaces:
    """Returns the spaces that all agents have in common.

    Raises:
        ValueError: If the agents have different spaces, or actions are masked.
    """
    spaces = pettingzoo_modules()[1]
    acts, sees = (
        [environment.action_space(name) for name in names],
        [environment.observation_space(name) for name in names],
    )
    if not all(isinstance(act, spaces.Discrete) and act == acts[0] for act in acts):
        raise ValueError(
            f"the action spaces are {grouped(names, acts)}; from_parallel needs environments in which all agents "
            "have the same Discrete actions. Many environments have an option for this; otherwise use a wrapper."
        )
    for name, see in zip(names, sees, strict=True):
        if isinstance(see, spaces.Dict):
            refuse_masks(name, see.spaces, "observation")
    if not all(isinstance(see, spaces.Box) and see.shape == sees[0].shape for see in sees):
        raise ValueError(
            f"the observation spaces are {grouped(names, sees)}; from_parallel needs environments in which all "
            "agents observe a Box of the same shape. A wrapper can flatten and pad the observations."
        )
    return Spaces(int(acts[0].start), int(acts[0].n), sees[0].shape)


def refuse_masks(agent: Any, keys: Any, where: str) -> None:
    """Refuses a mask of the actions that are allowed.

    Args:
        agent: The name of the agent.
        keys: The keys of its info or of its observation.
        where: "info" or "observation".

    Raises:
        ValueError: If one of the keys is that of a mask.
    """
    if masks := [mask for mask in MASKS if mask in keys]:
        raise ValueError(
            f"the {where} of agent {agent!r} has {masks[0]!r}, a mask of the actions that are allowed; from_parallel "
            "does not support masks, and policies would draw forbidden actions. Use a wrapper that maps forbidden "
            "actions to allowed ones (such as doing nothing) and exposes no mask."
        )


def grouped(names: list, spaces: list) -> str:
    """Describes the agents' spaces in words, with one entry for all agents that have the same.

    Args:
        names: The names of the agents.
        spaces: Their spaces, in the same order.
    """
    groups: dict[str, list] = {}
    for name, space in zip(names, spaces, strict=True):
        groups.setdefault(_described(space), []).append(name)
    return ", ".join(f"{space} for {_some(group)}" for space, group in groups.items())


def _described(space: Any) -> str:
    """Returns a space in words, a Box without its bounds, which can be long arrays."""
    if isinstance(space, pettingzoo_modules()[1].Box):
        return f"a Box of shape {space.shape}"
    text = " ".join(str(space).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _some(names: list) -> str:
    """Names a group of agents."""
    return str(names[0]) if len(names) == 1 else f"{len(names)} agents such as {names[0]}"
