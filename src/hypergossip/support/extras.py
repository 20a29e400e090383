"""Optional packages: an error with the installation command if a package of an extra is missing."""

import importlib
from importlib.util import find_spec
from typing import Any


class MissingExtra(ModuleNotFoundError):
    """An optional package is needed but not installed."""


def require(module: str, extra: str, purpose: str) -> Any:
    """Imports a module of an optional package.

    Args:
        module: Its full name.
        extra: The extra of hypergossip that installs it.
        purpose: What needs it, as the beginning of the message.

    Raises:
        MissingExtra: If it, or a package that it depends on, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(_message(purpose, error.name or module, extra), name=error.name) from error


def check_installed(extra: str, purpose: str, *packages: str) -> None:
    """Raises an error if a package is missing, without importing any.

    Args:
        extra: The extra of hypergossip that installs them.
        purpose: What needs them, as the beginning of the message.
        packages: Their import names.

    Raises:
        MissingExtra: If one is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingExtra(_message(purpose, missing[0], extra), name=missing[0])


def _message(purpose: str, package: str, extra: str) -> str:
    return f"{purpose} needs {package}, which is not installed: pip install 'hypergossip[{extra}]'."
