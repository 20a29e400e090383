"""Packages that an extra brings: one sentence with the command that installs them, where they are missing."""

import importlib
from importlib.util import find_spec
from typing import Any


class MissingExtra(ModuleNotFoundError):
    """A package that the core does without is needed and not installed."""


def require(module: str, extra: str, purpose: str) -> Any:
    """Imports a module that an extra brings.

    Args:
        module: Its full name.
        extra: The extra of hypergossip that installs it.
        purpose: What needs it, to begin the sentence with.

    Raises:
        MissingExtra: If it, or a package that it needs itself, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(_sentence(purpose, error.name or module, extra), name=error.name) from error


def check_installed(extra: str, purpose: str, *packages: str) -> None:
    """Refuses to go on where a package is missing, without importing any.

    Args:
        extra: The extra of hypergossip that installs them.
        purpose: What needs them, to begin the sentence with.
        packages: Their import names.

    Raises:
        MissingExtra: If one is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingExtra(_sentence(purpose, missing[0], extra), name=missing[0])


def _sentence(purpose: str, package: str, extra: str) -> str:
    return f"{purpose} needs {package}, which is not installed: pip install 'hypergossip[{extra}]'."
