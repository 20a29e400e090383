"""Checks of numbers, flags, names and seeds given by users."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

LARGEST_SEED = 2**32 - 1  # a key holds 32 bits of a seed, so a larger seed would lose bits


def is_number(value: Any) -> bool:
    """Returns whether a user's `value` is a real number of Python or NumPy. True and False are none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def whole_number(name: str, value: Any, least: int, most: int | None = None, advice: str | None = None) -> int:
    """Returns a user's whole number.

    Args:
        name: Its name in the message.
        value: The user's value.
        least: The smallest allowed value.
        most: The largest allowed value, or None.
        advice: What the message advises; None states the range.

    Raises:
        ValueError: If it is not a whole number, or is not in this range.
    """
    finite = is_number(value) and (isinstance(value, int) or np.isfinite(value))  # np.isfinite fails for large ints
    if not finite or value < least or (most is not None and value > most) or value != int(value):
        wanted = f", at least {least}" if most is None else f" from {least} to {most}"
        raise ValueError(f"{name} is {value!r}; {advice or f'give a whole number{wanted}'}.")
    return int(value)


def as_float(value: Any) -> float:
    """Returns a user's `value` as a finite number, and NaN if it is none. An array without axes is taken as well."""
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if not is_number(value) and not (kind in ("i", "u", "f") and np.ndim(value) == 0):
        return np.nan
    try:
        number = float(value)
    except OverflowError:  # of an int beyond the largest float
        return np.nan
    return number if np.isfinite(number) else np.nan


def real_number(name: str, value: Any, advice: str, possible: Callable[[float], bool] = lambda _: True) -> float:
    """Returns a user's real number.

    Args:
        name: Its name in the message.
        value: The user's value.
        advice: What the message advises.
        possible: Whether a finite number is allowed.

    Raises:
        ValueError: If it is not a finite number, or is not allowed.
    """
    number = as_float(value)
    if np.isnan(number) or not possible(number):
        raise ValueError(f"{name} is {value!r}; {advice}.")
    return number


def positive_number(name: str, value: Any, advice: str) -> float:
    """Returns a user's real number if it is finite and positive.

    Args:
        name: Its name in the message.
        value: The user's value.
        advice: What the message advises.

    Raises:
        ValueError: If it is not such a number.
    """
    return real_number(name, value, advice, lambda number: number > 0)


def check_numbers(**values: Any) -> None:
    """Raises ValueError if one of these named arguments is not a real number."""
    for name, value in values.items():
        if not is_number(value):
            raise ValueError(f"{name} is {value!r}, of type {type(value).__name__}; give a number.")


def flag(name: str, value: Any) -> bool:
    """Returns a user's True or False.

    Args:
        name: Its name in the message.
        value: The user's value.

    Raises:
        ValueError: If it is neither, such as the text "false", which Python takes for true.
    """
    if not isinstance(value, bool | np.bool_):
        quoted = ", without quotation marks" if isinstance(value, str) else ""
        raise ValueError(f"{name} is {value!r}; give True or False{quoted}.")
    return bool(value)


def choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Returns a user's choice of a name.

    Args:
        name: The name of the argument in the message.
        value: The user's value.
        choices: The names that can be chosen.

    Raises:
        ValueError: If it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {described(value)}; choose one of {', '.join(choices)}.")
    return value


def described(value: Any) -> str:
    """Describes a user's `value` for a message: the value itself if it is short, and its type otherwise."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, str | bool | int | float):
        return repr(value)
    return f"of type {type(value).__name__}"


def seed_number(value: Any, seeds: int = 1, name: str = "seed") -> int:
    """Returns the seed of a JAX key, or the first of several consecutive seeds.

    Args:
        value: The user's value.
        seeds: The number of consecutive seeds: seed, seed + 1, ...
        name: Its name in the message.

    Raises:
        ValueError: If it is not a whole number from 0 to 2**32 - 1, or the last of several seeds is larger.
    """
    seed = whole_number(name, value, 0)
    last = seed + seeds - 1
    if last > LARGEST_SEED:
        several = f", and the last of {seeds} is {last}" if seeds > 1 else ""
        raise ValueError(
            f"{name} is {seed}{several}; a seed is a whole number from 0 to {LARGEST_SEED}, below 2**32. Draw one by "
            "secrets.randbits(32), or make one of a longer number by "
            "int(numpy.random.SeedSequence(number).generate_state(1)[0])."
        )
    return seed
