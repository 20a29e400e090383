"""Grids of hyperparameters: their values, their extension beyond an end, and the algorithm at one of their points."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from hypergossip.core.declarations import is_static


def axes_of(grid: Any) -> dict[str, list[float]]:
    """Returns a grid, hyperparameter -> values, with all values as numbers.

    Args:
        grid: The grid as the user gave it.

    Raises:
        ValueError: If it is empty or not of this form.
    """
    example = 'grid={"upper_step": [0.03, 0.1, 0.3]}'
    if not isinstance(grid, Mapping):
        raise ValueError(
            f"the grid is of type {type(grid).__name__}; give a dict with a list of values, as in {example}."
        )
    axes = {}
    for name, values in grid.items():
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            raise ValueError(f"the grid has {values!r} for {name!r}; give a list of values, as in {example}.")
        axes[name] = []
        for value in values:
            try:
                axes[name].append(float(value))
            except (TypeError, ValueError):
                raise ValueError(
                    f"the grid has the value {value!r} for {name!r}; give numbers, as in {example}, and use a dot for "
                    'a part or a leaf, as in "upper_step.scale".'
                ) from None
    if not axes or not all(axes.values()):
        raise ValueError(f"the grid is empty; give values, as in {example}.")
    return axes


def beyond(grid: Mapping[str, Sequence[float]], best: Any) -> dict[str, list[float]] | None:
    """Returns the grid with another value beyond an end at which the best point lies, or None if there is no such end.

    Args:
        grid: Hyperparameter -> values.
        best: Hyperparameter -> its best value.
    """
    for name, values in grid.items():
        ordered = sorted(set(values))
        if len(ordered) < 2 or ordered[0] <= 0 or best[name] not in (ordered[0], ordered[-1]):
            continue
        end, beside = ordered[:2] if best[name] == ordered[0] else ordered[:-3:-1]
        grown = {axis: list(tried) for axis, tried in grid.items()}
        return grown | {name: [*grown[name], end * (end / beside)]}
    return None


def with_values(part: Any, values: Mapping[str, Any]) -> Any:
    """Returns an algorithm (or a part of one) with other hyperparameters.

    Args:
        part: The algorithm.
        values: Hyperparameter -> number; a dot leads to a part, as in a grid of `tune`.

    Raises:
        ValueError: If a name does not exist or cannot be swept.
    """
    for path, value in values.items():
        part = _with_value(part, path.split("."), value, path)
    return part


def _with_value(part: Any, path: list[str], value: Any, whole: str) -> Any:
    name, rest = path[0], path[1:]
    there = _parts(part)
    if name not in there:
        raise ValueError(
            f"the grid names {whole!r}, but {type(part).__name__} has no {name!r}; "
            f"it has {', '.join(there) or 'no parts'}."
        )
    old = there[name]
    if rest:
        return _replaced(part, name, _with_value(old, rest, value, whole))
    if is_dataclass(part) and is_static(part, name):
        raise ValueError(f"{whole!r} shapes the compiled program and cannot be swept; call tune once for each value.")
    if not isinstance(old, int | float | np.number):
        inside = ", ".join(f"{whole}.{inner}" for inner in _parts(old)) or "nothing"
        raise ValueError(f"{whole!r} is {type(old).__name__} and not a number; sweep {inside} instead.")
    return _replaced(part, name, float(value))


def _parts(part: Any) -> dict[str, Any]:
    """Returns the names that a grid may use inside a part: fields, or the leaves of a step with a value for each."""
    if is_dataclass(part) and not isinstance(part, type):
        return {field.name: getattr(part, field.name) for field in fields(part)}
    if isinstance(part, Mapping):
        return {str(key): inner for key, inner in part.items()}
    if isinstance(part, list | tuple):
        return dict(zip(getattr(part, "_fields", map(str, range(len(part)))), part, strict=True))
    return {}


def _replaced(part: Any, name: str, value: Any) -> Any:
    """Returns a part with one of its own parts replaced."""
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{name: value})
    if isinstance(part, Mapping):
        return {key: value if str(key) == name else inner for key, inner in part.items()}
    new = [value if other == name else inner for other, inner in _parts(part).items()]
    make: Any = type(part)
    return make(*new) if hasattr(part, "_fields") else make(new)
