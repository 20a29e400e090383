"""Checks of users' functions: whether they are functions, and can be called with the intended arguments."""

import inspect
import re
from collections.abc import Mapping
from functools import partial
from typing import Any


def check_function(function: Any, name: str, arguments: tuple[str, ...]) -> None:
    """Refuses an object that is not a function of these arguments.

    Args:
        function: The user's object.
        name: Its name in messages.
        arguments: The names of the positional arguments with which it will be called.

    Raises:
        ValueError: If it cannot be called in this way.
    """
    called = f"{name}({', '.join(arguments)})"
    if not callable(function):
        raise ValueError(f"{name} is of type {type(function).__name__}, not a function; it will be called as {called}.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise ValueError(
            f"{name} will be called as {called}, but the function has the arguments {signature}: {error}; give a "
            f"function of these {len(arguments)} arguments in this order."
        ) from None


def check_functions(functions: Any, name: str, arguments: tuple[str, ...]) -> None:
    """Refuses an object that is not a dict of functions of these arguments by name.

    Args:
        functions: The user's object; None for no functions.
        name: Its name in messages.
        arguments: The names of the positional arguments with which each function will be called.

    Raises:
        ValueError: If they cannot be called in this way.
    """
    if functions is None:
        return
    if not isinstance(functions, Mapping) or not all(isinstance(key, str) for key in functions):
        raise ValueError(
            f"{name} is of type {type(functions).__name__}; give a dict of functions by name, "
            f'{{"name": function({", ".join(arguments)})}}.'
        )
    for key, function in functions.items():
        check_function(function, f"{name}[{key!r}]", arguments)


def own_function(function: Any) -> Any:
    """Returns a bound method of a mutable object as a function that is not equal to any other.

    Compiled programs are cached by the functions in them. Two bound methods of one object are equal even if the object
    has changed in between.

    Args:
        function: The user's function.
    """
    if not inspect.ismethod(function):
        return function
    parameters = getattr(type(function.__self__), "__dataclass_params__", None)
    fixed = isinstance(function.__self__, tuple) or (parameters is not None and parameters.frozen)
    return function if fixed else partial(function)


def without_addresses(text: str) -> str:
    """Returns the description of an object without memory addresses, which differ from process to process.

    Args:
        text: The description.
    """
    return re.sub(r" at 0x[0-9a-f]+", "", text)
