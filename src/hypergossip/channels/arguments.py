"""Checks the arguments of channels; every message names the class, the argument and the values that are possible."""

import math
from numbers import Integral, Real
from typing import Any


def probability(part: Any, name: str) -> None:
    """Raises ValueError unless an argument is a probability.

    Args:
        part: The stage.
        name: The argument's name.
    """
    value = number(part, name)
    if not 0 <= value <= 1:
        raise ValueError(f"{type(part).__name__}: {name} is {value!r}; give a probability from 0 to 1.")


def number(part: Any, name: str, least: float | int | None = None, above: float | int | None = None) -> float:
    """Returns an argument, or raises ValueError unless it is a finite number in its range.

    Args:
        part: The stage.
        name: The argument's name.
        least: The smallest possible value, or None.
        above: The value that it must exceed, or None.
    """
    value = getattr(part, name)
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{type(part).__name__}: {name} is {value!r}; give a number, such as 0.1.")
    if least is not None and value < least:
        raise ValueError(f"{type(part).__name__}: {name} is {value!r}; it must be at least {least:g}.")
    if above is not None and value <= above:
        raise ValueError(f"{type(part).__name__}: {name} is {value!r}; it must be above {above:g}.")
    return float(value)


def whole(part: Any, name: str, least: int, most: int | None = None) -> None:
    """Raises ValueError unless an argument is a whole number in its range.

    Args:
        part: The stage.
        name: The argument's name.
        least: The smallest possible value.
        most: The largest possible value, or None.
    """
    value = getattr(part, name)
    known = isinstance(value, Integral) and not isinstance(value, bool)
    if not known or int(value) < least or (most and int(value) > most):
        wanted = f"from {least} to {most}" if most else f"of at least {least}"
        raise ValueError(f"{type(part).__name__}: {name} is {value!r}; give a whole number {wanted}.")


def choice(part: Any, name: str, values: tuple[Any, ...]) -> None:
    """Raises ValueError unless an argument is one of some values.

    Args:
        part: The stage.
        name: The argument's name.
        values: The possible values.
    """
    value = getattr(part, name)
    if value not in values:
        shown = ", ".join(map(repr, values))
        raise ValueError(f"{type(part).__name__}: {name} is {value!r}; choose one of {shown}.")


def flag(part: Any, name: str) -> None:
    """Raises ValueError unless an argument is True or False.

    Args:
        part: The stage.
        name: The argument's name.
    """
    value = getattr(part, name)
    if not isinstance(value, bool):
        raise ValueError(f"{type(part).__name__}: {name} is {value!r}; give True or False.")
