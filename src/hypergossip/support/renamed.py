"""Deprecated names of arguments."""

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def renamed_arguments(**present: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Lets a function be called with earlier names of its arguments, with a `DeprecationWarning`.

    Args:
        present: Earlier name -> current name. The function's attribute `renamed` also holds them.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def called(*arguments: P.args, **options: P.kwargs) -> T:
            for earlier in present.keys() & options.keys():
                name = present[earlier]
                if name in options:
                    raise TypeError(f"{function.__name__} got both {earlier}, an earlier name, and {name}.")
                warnings.warn(
                    f"the argument {earlier} of {function.__name__} is now called {name}; "
                    "the earlier name will be removed.",
                    DeprecationWarning,
                    stacklevel=2,
                )
                options[name] = options.pop(earlier)
            return function(*arguments, **options)

        called.__dict__["renamed"] = present
        return called

    return decorate
