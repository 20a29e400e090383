"""Conversion between a user's pytree of arrays and one flat vector, and which of its entries are shared."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Vector

POINTS = {"upper": "x0", "lower": "y0"}
Share = str | Mapping[str, Any]
SHARES: dict[str, tuple[bool, bool]] = {"upper": (True, False), "lower": (False, True), "both": (True, True)}


@dataclass(frozen=True)
class Space:
    """The shape of one level's variable and the part of it that the network shares.

    It is hashable, so it can be a static part of a compiled program.

    Attributes:
        structure: The pytree's structure.
        shapes: The shape of each leaf.
        shared: For each leaf, whether the network shares it.
    """

    structure: Any
    shapes: tuple[tuple[int, ...], ...]
    shared: tuple[bool, ...]

    @staticmethod
    def of(tree: Any, shared: Any, level: str) -> "Space":
        """Makes the space of a starting point.

        Args:
            tree: The starting point, a pytree of floating arrays.
            shared: A bool, or a pytree of bool whose structure is a prefix of the tree's.
            level: "upper" or "lower", for error messages.

        Raises:
            ValueError: If a leaf is not floating or not finite, or the prefix does not fit.
        """
        leaves, structure = jax.tree.flatten(tree)
        if not leaves:
            raise ValueError(f"the {level} starting point has no arrays; give at least one.")
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            where = f"{POINTS[level]}{jax.tree_util.keystr(path)}" if path else "the array"
            if not jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating):
                raise ValueError(
                    f"the {level} starting point must be floating: {where} has type {jnp.asarray(leaf).dtype}. "
                    "Write 0.0 for 0, or convert it with .astype(float)."
                )
            if not np.isfinite(leaf).all():
                raise ValueError(
                    f"the {level} starting point holds NaN or infinity, in {where}; start from finite numbers."
                )
        try:
            mask = jax.tree.broadcast(shared, tree)
        except ValueError:
            raise ValueError(
                f"share: the pytree of bool for the {level} level is not a prefix of its starting point, whose "
                f"structure is {structure}."
            ) from None
        flags = jax.tree.leaves(mask)
        if not all(isinstance(flag, bool | np.bool_) for flag in flags):
            raise ValueError(f"share: the {level} level needs True or False for each leaf, not {flags}.")
        return Space(structure, tuple(jnp.shape(leaf) for leaf in leaves), tuple(map(bool, flags)))

    @property
    def paths(self) -> list[str]:
        """The key path of each leaf as a user writes it, such as "['features']", or "" for a single array."""
        numbered = jax.tree.unflatten(self.structure, range(len(self.shapes)))
        return [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(numbered)]

    def entries(self, leaf: int) -> slice:
        """Returns the range of a leaf's entries in the flat vector."""
        start = sum(map(prod, self.shapes[:leaf]))
        return slice(start, start + prod(self.shapes[leaf]))

    @property
    def size(self) -> int:
        """The number of entries of the flat vector."""
        return sum(map(prod, self.shapes))

    @property
    def shared_size(self) -> int:
        """The number of entries that the network shares."""
        return sum(end - start for start, end in self.shared_ranges)

    @property
    def shared_ranges(self) -> tuple[tuple[int, int], ...]:
        """The shared entries as ranges of the flat vector, with adjacent ranges merged."""
        ranges: list[tuple[int, int]] = []
        end = 0
        for shape, flag in zip(self.shapes, self.shared):
            start, end = end, end + prod(shape)
            if flag and ranges and ranges[-1][1] == start:
                ranges[-1] = (ranges[-1][0], end)
            elif flag:
                ranges.append((start, end))
        return tuple(ranges)

    def ravel(self, tree: Any) -> Vector:
        """Returns the tree as one flat vector."""
        return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])

    def ravel_agents(self, tree: Any, agents: int, dtype: Any, name: str) -> Float[np.ndarray, "agents entries"]:
        """Returns a user's tree, leaves (agents, ...), as one flat vector for each agent.

        Args:
            tree: The user's tree.
            agents: The number of agents.
            dtype: The floating type of the result.
            name: Its name in error messages.

        Raises:
            ValueError: If the structure, a shape or a type does not fit, or a value is not finite.
        """
        if jax.tree.structure(tree) != self.structure:
            raise ValueError(
                f"{name} has the structure {jax.tree.structure(tree)}, but the problem's {name} has {self.structure}; "
                "give the same structure, and every leaf with a leading axis of agents."
            )
        rows = []
        for (path, leaf), shape in zip(jax.tree_util.tree_leaves_with_path(tree), self.shapes, strict=True):
            where, wanted = f"{name}{jax.tree_util.keystr(path)}", (agents, *shape)
            if jnp.shape(leaf) != wanted:
                raise ValueError(
                    f"{where} has shape {jnp.shape(leaf)}; give {wanted}, a starting point for every agent. A starting "
                    f"point that all agents have in common is the {name} of the problem."
                )
            array = np.asarray(leaf)
            if not (jnp.issubdtype(array.dtype, jnp.floating) or jnp.issubdtype(array.dtype, jnp.integer)):
                raise ValueError(f"{where} has type {array.dtype}; give real numbers.")
            with np.errstate(over="ignore"):
                array = array.astype(dtype)
            if not np.isfinite(array).all():
                agent = int(np.argwhere(~np.isfinite(array))[0, 0])
                raise ValueError(f"{where} of agent {agent} is NaN or infinite in {dtype}; start from finite numbers.")
            rows.append(array.reshape(agents, -1))
        return np.concatenate(rows, axis=1)

    def unravel(self, vector: Vector) -> Any:
        """Returns the flat vector as the user's tree."""
        leaves, end = [], 0
        for shape in self.shapes:
            start, end = end, end + prod(shape)
            leaves.append(jnp.reshape(vector[start:end], shape))
        return jax.tree.unflatten(self.structure, leaves)

    def select(self, vector: Vector) -> Float[Array, "shared"]:
        """Returns the shared entries of a vector, in order."""
        if all(self.shared):
            return vector
        return jnp.concatenate([vector[:0], *(vector[start:end] for start, end in self.shared_ranges)])

    def replace(self, vector: Vector, entries: Float[Array, "shared"]) -> Vector:
        """Returns the vector with its shared entries replaced, in order."""
        if all(self.shared):
            return entries
        taken = 0
        for start, end in self.shared_ranges:
            vector = vector.at[start:end].set(entries[taken : taken + end - start])
            taken += end - start
        return vector


def read_share(share: Share) -> tuple[Any, Any]:
    """Returns which leaves of the upper and of the lower level are shared.

    Args:
        share: As for `Problem`.

    Raises:
        ValueError: If it is neither a known word nor a mapping with the keys "upper" and "lower".
    """
    if isinstance(share, str) and share in SHARES:
        return SHARES[share]
    if isinstance(share, Mapping) and set(share) <= {"upper", "lower"}:
        return share.get("upper", False), share.get("lower", False)
    raise ValueError(
        f'share is {share!r}; write "upper", "lower", "both", or {{"upper": <bool or pytree of bool>, "lower": ...}}.'
    )
