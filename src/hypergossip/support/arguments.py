"""Checks of numbers and seeds given by users."""

from typing import Any

import numpy as np

LARGEST_SEED = 2**32 - 1  # a key holds 32 bits of a seed, so a larger seed would lose bits


def whole_number(name: str, value: Any, least: int) -> int:
    """Returns a user's whole number.

    Args:
        name: Its name in the message.
        value: The user's value.
        least: The smallest allowed value.

    Raises:
        ValueError: If it is not a whole number, or is below the least.
    """
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    finite = number and (isinstance(value, int) or np.isfinite(value))  # np.isfinite fails for large ints
    if not finite or value < least or value != int(value):
        raise ValueError(f"{name} is {value!r}; give a whole number, at least {least}.")
    return int(value)


def check_numbers(**values: Any) -> None:
    """Raises ValueError if one of these named arguments is not a real number."""
    for name, value in values.items():
        if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}, of type {type(value).__name__}; give a number.")


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
