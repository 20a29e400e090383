"""Reads, checks and converts a user's data and starting points, agent by agent and leaf by leaf."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.agent_data.leaves import in_range, is_one_leaf, is_text, out_of_range, read_leaf

Tree = Any

INSIDE = " A list inside a pytree is several leaves; for separate agents give a list with one pytree for each agent."
ROWS = " A list of arrays is several leaves; to make one array of these rows, write np.stack(rows)."
MOST_NAMED = 6  # the largest number of leaves that a message lists
LISTED = " If its keys are agents, give a list with one pytree for each agent: list(data.values())."


def read_data(data: Tree, name: str) -> list[Tree]:
    """Returns one pytree of NumPy arrays for each agent, leaves (samples, ...). Only the numbers of samples may differ.

    Args:
        data: A pytree, leaves (agents, samples, ...); or a list with one pytree for each agent, leaves (samples, ...).
            A list of numbers in it is an array.
        name: Its name: "upper_data" or "lower_data".

    Raises:
        ValueError: If a leaf is not an array of finite numbers that JAX can hold, or the agents do not match.
    """
    _refuse_other_collections(data, name)
    if isinstance(data, list):
        agents, structure = _read_list(data, name)
    else:
        agents, structure = _read_stacked(data, name)
    return [jax.tree.unflatten(structure, agent) for agent in agents]


def refuse_different_numbers_of_agents(upper: tuple[Tree, list[Tree]], lower: tuple[Tree, list[Tree]]) -> None:
    """Raises ValueError if the two levels have different numbers of agents.

    Args:
        upper: The data of the level as the user gave them, and as `read_data` returns them.
        lower: Likewise.
    """
    counts = {"upper_data": len(upper[1]), "lower_data": len(lower[1])}
    if len(set(counts.values())) == 1:
        return
    # A tuple is a pytree, such as (support, query), unless the other level shows that it has one entry for each agent.
    for name, (given, _), (other, rows) in (("upper_data", upper, lower), ("lower_data", lower, upper)):
        agents = {len(rows), len(other) if _is_tuple_of_trees(other) else len(rows)}
        if _is_tuple_of_trees(given) and len(given) in agents:
            raise ValueError(name + _of_tuple(given))
    raise ValueError(
        f"upper_data has {counts['upper_data']} agents and lower_data {counts['lower_data']}; "
        "the first axis of every leaf (or the list) runs over the agents and must be the same in both."
    )


def count_rows(agent: Tree, name: str = "data", i: int = 0) -> int:
    """Returns an agent's number of samples.

    Args:
        agent: The agent's pytree of arrays, leaves (samples, ...).
        name: The name of its level, for the error message.
        i: The agent's number, for the error message.

    Raises:
        ValueError: If its leaves have different numbers of samples.
    """
    leaves = jax.tree.leaves(agent)
    if len({leaf.shape[0] for leaf in leaves}) != 1:
        lengths = _describe_lengths([leaf.shape[0] for leaf in leaves], _Names(name, agent, is_leaf=None))
        raise ValueError(
            f"{name}, agent {i}: the leaves have different numbers of samples ({lengths}); there must be "
            f"one label for each row of features.{ROWS if _has_list(agent) else ''}"
        )
    return leaves[0].shape[0]


def read_start(tree: Tree, name: str) -> Tree:
    """Returns a starting point as a pytree of JAX's arrays, its floating leaves in the default precision.

    Args:
        tree: The user's tree. `Space.of` checks whether its leaves are floating and finite.
        name: Its name: "x0" or "y0".

    Raises:
        ValueError: If a leaf is not an array of real numbers, or exceeds the range that JAX can hold.
    """
    leaves, structure = jax.tree.flatten(tree)
    names = _Names(name, tree, is_leaf=None)

    def read(k: int, leaf: Any) -> np.ndarray | jax.Array:
        if is_text(leaf):
            raise ValueError(
                f"{names(k)} is text, but a starting point holds numbers; keep text and options in the loss."
            )
        array = read_leaf(leaf, partial(names, k))
        if array.dtype.kind == "c":
            raise ValueError(f"{names(k)} is complex; give the real and the imaginary part as two leaves.")
        if array.dtype.kind == "f" and np.isfinite(array).all() and not in_range(array):
            raise ValueError(f"{names(k)} {out_of_range(array)}")
        return leaf if isinstance(leaf, jax.Array) else array

    return to_default_floating(jax.tree.unflatten(structure, [read(k, leaf) for k, leaf in enumerate(leaves)]))


def to_default_floating(tree: Tree) -> Tree:
    """Casts floating leaves to JAX's default floating type, so that one switch controls the precision.

    Args:
        tree: A pytree of arrays. Integers stay integers, and complex numbers get the complex type of that precision.
    """
    default = jnp.result_type(float)

    def cast(leaf: Any) -> Any:
        array = np.asarray(leaf) if not isinstance(leaf, jax.Array) else leaf
        return jnp.asarray(array, default) if jnp.issubdtype(array.dtype, jnp.floating) else jnp.asarray(array)

    return jax.tree.map(cast, tree)


class _Names:
    """The names of a pytree's leaves for error messages, computed on demand.

    Attributes:
        name: The name of the pytree.
        tree: The pytree.
        is_leaf: The predicate with which it is flattened.
    """

    def __init__(self, name: str, tree: Tree, is_leaf: Any = is_one_leaf) -> None:
        self.name, self.tree, self.is_leaf = name, tree, is_leaf

    def __call__(self, k: int, agent: int | None = None) -> str:
        """Returns the name of leaf k, such as "upper_data['id'], agent 3"."""
        path, _ = jax.tree_util.tree_leaves_with_path(self.tree, is_leaf=self.is_leaf)[k]
        return f"{self.name}{jax.tree_util.keystr(path)}" + ("" if agent is None else f", agent {agent}")


def _read_stacked(data: Tree, name: str) -> tuple[list[list[np.ndarray]], Any]:
    """Reads leaves (agents, samples, ...), and returns every agent's leaves and the structure."""
    given, structure = jax.tree.flatten(data, is_leaf=is_one_leaf)
    names = _Names(name, data)
    leaves = [read_leaf(leaf, partial(names, k)) for k, leaf in enumerate(given)]
    if not leaves:
        raise ValueError(f"{name} has no arrays; give at least one.")
    lengths = [leaf.shape[0] if leaf.ndim else 0 for leaf in leaves]
    sizes = set(lengths)
    if _is_tuple_of_trees(data) and (len(sizes) != 1 or any(leaf.ndim < 2 for leaf in leaves)):
        raise ValueError(name + _of_tuple(data))
    if len(sizes) != 1:
        raise ValueError(
            f"{name}: the leaves have {sorted(sizes)} agents ({_describe_lengths(lengths, names)}); every leaf needs "
            "the shape (agents, samples, ...)."
            + (LISTED if isinstance(data, dict) and _one_structure(data.values()) else "")
        )
    agents = sizes.pop()
    if not agents:
        raise ValueError(f"{names(0)}: shape {leaves[0].shape} has no agents; give (agents, samples, ...).")
    for k, leaf in enumerate(leaves):
        if leaf.ndim < 2 or not leaf.shape[1]:
            inside = isinstance(data, dict) and any(isinstance(value, list) for value in data.values())
            raise ValueError(
                f"{names(k, 0)}: shape {leaf.shape[1:]} has no samples; every agent needs at least one."
                + (INSIDE if inside else "")
            )
        if not in_range(leaf):
            i = next(i for i, own in enumerate(leaf) if not in_range(own))
            raise ValueError(f"{names(k, i)} {out_of_range(leaf[i])}")
    return [[leaf[i] for leaf in leaves] for i in range(agents)], structure


def _read_list(data: list[Tree], name: str) -> tuple[list[list[np.ndarray]], Any]:
    """Reads one pytree for each agent, and returns every agent's leaves and their structure."""
    if not data:
        raise ValueError(f"{name}: no agents; give at least one.")
    flat = [jax.tree.flatten(agent, is_leaf=is_one_leaf) for agent in data]
    structure = flat[0][1]
    agents = []
    for i, (given, own) in enumerate(flat):
        names = _Names(name, data[i])
        agents.append([read_leaf(leaf, partial(names, k, i)) for k, leaf in enumerate(given)])
        if not given:
            raise ValueError(f"{name}, agent {i}: no arrays; give every agent at least one.")
        if own != structure:
            raise ValueError(
                f"{name}: the pytrees of agents 0 and {i} have different structures; give every agent the same keys."
                + (ROWS if _has_list(data[i]) else "")
            )
        for k, leaf in enumerate(agents[-1]):
            if leaf.ndim == 0 or leaf.shape[0] == 0:
                raise ValueError(f"{names(k, i)}: shape {leaf.shape} has no samples; every agent needs at least one.")
            if not in_range(leaf):
                raise ValueError(f"{names(k, i)} {out_of_range(leaf)}")
    names = _Names(name, data[0])
    columns = [_in_one_type([agent[k] for agent in agents], partial(names, k)) for k in range(len(agents[0]))]
    return [list(leaves) for leaves in zip(*columns, strict=True)], structure


def _in_one_type(leaves: list[np.ndarray], name: Callable[[], str]) -> list[np.ndarray]:
    """Returns the same leaf of every agent in one type; raises ValueError if their samples have different shapes."""
    for i, leaf in enumerate(leaves):
        if leaf.shape[1:] != leaves[0].shape[1:]:
            raise ValueError(
                f"{name()}: a sample of agent {i} has shape {leaf.shape[1:]}, but one of agent 0 has "
                f"{leaves[0].shape[1:]}; the numbers of samples may differ, but all samples must have one shape."
            )
    types = {leaf.dtype for leaf in leaves}
    if len(types) == 1:
        return leaves
    common = np.result_type(*types)
    if common.kind == "f" and all(dtype.kind in "iu" for dtype in types):
        raise ValueError(f"{name()}: agents hold {' and '.join(sorted(map(str, types)))}; give all of them one type.")
    return [leaf.astype(common) for leaf in leaves]


def _refuse_other_collections(data: Any, name: str) -> None:
    """Raises ValueError for collections of agents that would be mistaken for a pytree with leaves (agents, ...)."""
    if isinstance(data, Iterator):
        raise ValueError(
            f"{name} is an iterator, which can be read only once; give a list with one pytree for each agent."
        )
    if isinstance(data, dict) and data and all(isinstance(key, int | np.integer) for key in data):
        raise ValueError(
            f"{name} is a dict whose keys are numbers; for one pytree for each agent give a list, such as "
            "list(data.values()), and for leaves (agents, samples, ...) use strings as keys."
        )


def _is_tuple_of_trees(data: Any) -> bool:
    """Returns whether it is a tuple of pytrees of one structure: one for each agent, or such as (support, query)."""
    return type(data) is tuple and _one_structure(data)


def _of_tuple(data: tuple[Tree, ...]) -> str:
    """Returns what to do with a tuple of one pytree for each agent, as the end of a sentence."""
    return (
        f" is a tuple of {len(data)} pytrees of one structure whose leaves are not (agents, samples, ...) for the same "
        "agents; for one pytree for each agent give a list, list(data)."
    )


def _has_list(tree: Tree) -> bool:
    """Returns whether a pytree contains a list of several leaves."""
    several = lambda node: type(node) is list and not is_one_leaf(node)
    return any(map(several, jax.tree.leaves(tree, is_leaf=lambda node: several(node) or is_one_leaf(node))))


def _describe_lengths(lengths: list[int], names: _Names) -> str:
    """Returns text such as "upper_data['a'] 5, upper_data['t'] 6"; of many leaves, only one of each length."""
    shown = range(len(lengths))
    if len(lengths) > MOST_NAMED:
        shown = sorted(lengths.index(length) for length in set(lengths))[:MOST_NAMED]
    return ", ".join(f"{names(k)} {lengths[k]}" for k in shown)


def _one_structure(trees: Any) -> bool:
    """Returns whether the trees have one structure, and none of them is a single leaf."""
    structures = {jax.tree.structure(tree, is_leaf=is_one_leaf) for tree in trees}
    return len(trees) > 0 and len(structures) == 1 and not jax.tree_util.treedef_is_leaf(structures.pop())
