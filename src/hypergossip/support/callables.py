"""Functions that users give: are they functions, and can they be called with what they will be given?"""

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any


def check_function(function: Any, name: str, arguments: tuple[str, ...]) -> None:
    """Refuses what is no function, or a function of other arguments.

    Args:
        function: What the user gave.
        name: What it is called.
        arguments: What it will be called with, by position.

    Raises:
        ValueError: If it cannot be called so.
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
            f"{name} will be called as {called}, and the function has the arguments {signature}: {error}; give it "
            f"{len(arguments)} in this order."
        ) from None


def check_functions(functions: Any, name: str, arguments: tuple[str, ...]) -> None:
    """Refuses what is no dict of functions by name, or has a function of other arguments.

    Args:
        functions: What the user gave; None for no functions.
        name: What they are called.
        arguments: What each will be called with, by position.

    Raises:
        ValueError: If they cannot be called so.
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
    """Returns a method of an object that may change as a function that equals no other.

    Compiled programs are found again by the functions within, and two methods of one object are equal, whatever it
    holds by now.

    Args:
        function: What a user gave.
    """
    if not inspect.ismethod(function):
        return function
    parameters = getattr(type(function.__self__), "__dataclass_params__", None)
    fixed = isinstance(function.__self__, tuple) or (parameters is not None and parameters.frozen)
    return function if fixed else partial(function)
