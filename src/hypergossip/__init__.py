"""Decentralized bilevel optimization over peer-to-peer networks.

The names below are the library; everything is imported on first use, so that ``import hypergossip`` costs little
more than ``import jax``.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hypergossip import data as data
    from hypergossip import metrics as metrics
    from hypergossip import networks as networks
    from hypergossip import problems as problems
    from hypergossip.algorithms import *
    from hypergossip.check import check_hypergradient as check_hypergradient
    from hypergossip.checkpoint import CheckpointError as CheckpointError
    from hypergossip.engines import Debug as Debug
    from hypergossip.engines import DebugError as DebugError
    from hypergossip.engines import Sharded as Sharded
    from hypergossip.engines import Simulated as Simulated
    from hypergossip.hypergradients import *
    from hypergossip.loop import NotFinite as NotFinite
    from hypergossip.metrics.selection import MeasurementWarning as MeasurementWarning
    from hypergossip.preflight import PreflightWarning as PreflightWarning
    from hypergossip.problem import Problem as Problem
    from hypergossip.result import Result as Result
    from hypergossip.result import load as load
    from hypergossip.schedules import Constant as Constant
    from hypergossip.schedules import PowerDecay as PowerDecay
    from hypergossip.schedules import SquaredStep as SquaredStep
    from hypergossip.solver import Interrupted as Interrupted
    from hypergossip.solver import solve as solve
    from hypergossip.stop import Stop as Stop
    from hypergossip.tuning import Tuning as Tuning
    from hypergossip.tuning import tune as tune

_FOLDERS = ("hypergossip.algorithms", "hypergossip.hypergradients")  # every class that they list is a name here
_PLACES = {
    "hypergossip.check": ("check_hypergradient",),
    "hypergossip.checkpoint": ("CheckpointError",),
    "hypergossip.engines": ("Debug", "DebugError", "Sharded", "Simulated"),
    "hypergossip.loop": ("NotFinite",),
    "hypergossip.metrics.selection": ("MeasurementWarning",),
    "hypergossip.preflight": ("PreflightWarning",),
    "hypergossip.problem": ("Problem",),
    "hypergossip.result": ("Result", "load"),
    "hypergossip.schedules": ("Constant", "PowerDecay", "SquaredStep"),
    "hypergossip.solver": ("Interrupted", "solve"),
    "hypergossip.stop": ("Stop",),
    "hypergossip.tuning": ("Tuning", "tune"),
}
_MODULES = ("data", "metrics", "networks", "problems")
_WHERE = {name: place for place, names in _PLACES.items() for name in names}


def _listed() -> dict[str, str]:
    """Returns where every method and every estimator is."""
    folders = [importlib.import_module(folder) for folder in _FOLDERS]
    return {name: folder.__name__ for folder in folders for name in vars(folder) if name[0].isupper()}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"hypergossip.{name}")
    if name == "__all__":
        return sorted([*_WHERE, *_listed(), *_MODULES])
    where = _WHERE.get(name) or (_listed().get(name) if name[0].isupper() else None)
    if where is None:
        raise AttributeError(f"module 'hypergossip' has no attribute {name!r}")
    value = getattr(importlib.import_module(where), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __getattr__("__all__")
