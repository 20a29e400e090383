"""Modules that other packages import by an earlier name."""

import importlib
import warnings
from types import ModuleType


def moved(old: str, new: str) -> ModuleType:
    """Returns the module with its current name, and warns that the earlier name is deprecated.

    Args:
        old: The name by which it was imported.
        new: Its current name.
    """
    warnings.warn(f"{old} is now {new}; the earlier name will be removed.", DeprecationWarning, stacklevel=3)
    return importlib.import_module(new)
