"""Steps for each leaf: a pytree prefix of x0 or y0 is matched with the variable and becomes a vector."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from math import prod
from typing import Any

import jax
import numpy as np

from hypergossip.core.hyperparameter_checks import check_static
from hypergossip.core.schedules import LeafValues, SquaredStep, dotted, leaf_name
from hypergossip.core.space import Space

# Hyper-parameters that multiply vectors of one level, entry by entry, in every method and estimator that has them.
LEVELS = {
    "upper_step": "upper",
    "upper_momentum": "upper",
    "lower_step": "lower",
    "lower_momentum": "lower",
    "adjoint_step": "lower",
    "adjoint_momentum": "lower",
}
NUMBERS = (int, float, np.number, np.ndarray, jax.Array)


def fitted(algorithm: Any, upper: Space, lower: Space, swept: bool = False) -> Any:
    """Returns an algorithm, or an estimator, whose steps for each leaf become vectors when they are called.

    An algorithm without such steps is returned unchanged.

    Args:
        algorithm: The algorithm.
        upper: The space of x.
        lower: The space of y.
        swept: Whether its numbers have a leading axis (runs,).

    Raises:
        ValueError: If a hyper-parameter is not a number, or a prefix does not fit the starting point.
    """
    check_static(algorithm)
    check_numbers(algorithm)
    fit = _fit(algorithm, {"upper": upper, "lower": lower}, swept)
    if has_leaves(getattr(fit, "upper_step", None), swept):
        _check_followers(fit)
    return fit


def check_numbers(algorithm: Any) -> None:
    """Raises ValueError if a hyper-parameter is neither a number nor a pytree of numbers."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(algorithm):
        if not isinstance(leaf, NUMBERS):
            raise ValueError(
                f"{type(algorithm).__name__}{jax.tree_util.keystr(path)} is {leaf!r}, not a number. A schedule is a "
                "number, PowerDecay, or your own function of the round as jax.tree_util.Partial(function)."
            )


def has_leaves(step: Any, swept: bool = False) -> bool:
    """Returns whether a fitted step has more than one value in a round."""
    return isinstance(step, LeafValues) or (isinstance(step, NUMBERS) and np.ndim(step) > swept)


def _fit(part: Any, spaces: Mapping[str, Space], swept: bool) -> Any:
    """Fits the steps of an algorithm, and those of its estimator."""
    if not is_dataclass(part) or isinstance(part, type):
        return part
    changed: dict[str, Any] = {}
    for field in fields(part):
        value, name = getattr(part, field.name), f"{type(part).__name__}: {field.name}"
        if field.name in LEVELS:
            new = _leaf_values(value, name, LEVELS[field.name], spaces, swept)
        elif isinstance(value, dict | list | tuple) and type(part).__module__.startswith("hypergossip."):
            raise ValueError(
                f"{name} is {value!r}, but it must be one number for all leaves; a value for each leaf is possible for "
                f"{', '.join(other for other in LEVELS if hasattr(part, other)) or 'nothing here'}."
            )
        else:
            new = _fit(value, spaces, swept)
        if new is not value:
            changed[field.name] = new
    return replace(part, **changed) if changed else part


def _leaf_values(step: Any, name: str, level: str, spaces: Mapping[str, Space], swept: bool) -> Any:
    """Returns a step unchanged if it has one value, and as `LeafValues` if it is a pytree prefix."""
    space = spaces[level]
    if isinstance(step, LeafValues):
        return step
    if isinstance(step, NUMBERS):
        shape = np.shape(step)[swept:]
        if prod(shape) == 1 or shape == (space.size,):
            return step
    leaves = jax.tree.unflatten(space.structure, range(len(space.shapes)))
    if _is_value(step, leaves) and not isinstance(step, NUMBERS):
        return step
    names, values, sizes = [], [], []
    for path, value, covered in _walk(step, leaves, (), name, "x0" if level == "upper" else "y0"):
        shapes = [space.shapes[leaf] for leaf in covered]
        if isinstance(value, NUMBERS):
            shape = np.shape(value)[swept:]
            if prod(shape) != 1 and shapes != [shape]:
                here = dotted(name, leaf_name(path))
                raise ValueError(
                    f"{here} is an array of shape {shape} for {'a leaf' if len(shapes) == 1 else 'leaves'} of shape "
                    f"{', '.join(map(str, shapes))}; give one number, or an array of the shape of one leaf."
                )
        names.append(leaf_name(path))
        values.append(value)
        sizes.append(sum(map(prod, shapes)))
    return LeafValues(tuple(values), tuple(sizes), tuple(names))


def _is_value(step: Any, leaves: Any) -> bool:
    """Returns whether this is a number or a schedule, not a tree of them. A user's tree may be callable."""
    return isinstance(step, (*NUMBERS, SquaredStep)) or (callable(step) and type(step) is not type(leaves))


def _walk(step: Any, leaves: Any, path: tuple, name: str, start: str) -> Iterator[tuple[tuple, Any, list[int]]]:
    """Traverses a prefix in the order of the flat vector.

    Nodes are matched by the names of their children and not by their type, so that the tables and arrays of a file fit
    named tuples and tuples as well.

    Args:
        step: The prefix.
        leaves: The part of the variable that it covers, with the index of each leaf.
        path: The path of the current node.
        name: The method and the step, for the messages.
        start: "x0" or "y0", for the messages.

    Yields:
        The path, the number or schedule, and the indices of the leaves to which it applies.
    """
    here = dotted(name, leaf_name(path))
    if _is_value(step, leaves):
        yield path, step, jax.tree.leaves(leaves)
        return
    given, wanted = None if step is None else _children(step), _children(leaves)
    if given is None:
        raise ValueError(f"{here} is {step!r}, not a number; give a number, or a schedule such as PowerDecay.")
    if wanted is None:
        what = f"{leaf_name(path)!r} is a single array of {start}" if path else f"{start} is a single array"
        raise ValueError(f"{here} is {step!r}, but {what}; give one number or one schedule for it.")
    wanted = {key: inner for key, inner in wanted.items() if jax.tree.leaves(inner[1])}  # not the None of a user's tree
    unknown = [key for key, inner in given.items() if key not in wanted and inner[1] is not None]
    lacking = [key for key in wanted if key not in given]
    if unknown or lacking:
        inside = dotted(start, leaf_name(path))
        mismatch = f"has a value for {unknown[0]!r}" if unknown else f"has no value for {lacking[0]!r}"
        raise ValueError(
            f"{here} {mismatch}, and the leaves of {inside} are {', '.join(wanted)}; give every leaf a number or a "
            "schedule, which is PowerDecay, or {scale, offset, power} in a file."
        )
    for key, (entry, inner) in wanted.items():
        yield from _walk(given[key][1], inner, (*path, entry), name, start)


def _children(tree: Any) -> dict[str, tuple[Any, Any]] | None:
    """Returns the children of a node, name -> (entry of the path, child), or None if the tree is a leaf."""
    pairs = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda node: node is not tree)
    if any(not path for path, _ in pairs):
        return None
    return {leaf_name(path): (path[0], child) for path, child in pairs}


def _check_followers(algorithm: Any) -> None:
    """Raises ValueError if a momentum whose shape is not that of x follows an upper step with several values."""
    for field in fields(algorithm):
        value = getattr(algorithm, field.name)
        rules = value.values if isinstance(value, LeafValues) else (value,)
        if LEVELS.get(field.name) != "upper" and any(isinstance(rule, SquaredStep) for rule in rules):
            raise ValueError(
                f"{type(algorithm).__name__}: {field.name} is SquaredStep, which follows the upper step, but the "
                f"upper step has a value for each leaf of x0 and not a single one; give {field.name} as a number or "
                "PowerDecay."
            )
