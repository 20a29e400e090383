"""Modules that other people's packages import by an earlier name."""

import importlib
import warnings
from types import ModuleType


def moved(old: str, new: str) -> ModuleType:
    """Returns the module under its present name, and warns of the earlier one.

    Args:
        old: The name by which it was imported.
        new: The name that it has.
    """
    warnings.warn(f"{old} is now {new}; the earlier name will be removed.", DeprecationWarning, stacklevel=3)
    return importlib.import_module(new)
