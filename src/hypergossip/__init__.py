"""Decentralized bilevel optimization over peer-to-peer networks.

The names below are the library; everything is imported on first use, so that ``import hypergossip`` costs little
more than ``import jax``.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hypergossip import data, metrics, networks, problems
    from hypergossip.algorithms import (
        ALSET,
        BSA,
        CAC,
        DAC,
        DSGD,
        GTSGD,
        MDAC,
        MRBO,
        MSGD,
        RSVRB,
        SOBA,
        TTSA,
        AIDBiO,
        Diamond,
        DifMAML,
        Interact,
        ITDBiO,
        Slam,
        SlamTracked,
        Stable,
        StocBiO,
        Sustain,
        SVRInteract,
        VRBiAdam,
    )
    from hypergossip.check import check_hypergradient
    from hypergossip.checkpoint import CheckpointError
    from hypergossip.engines import Debug, DebugError, Sharded, Simulated
    from hypergossip.hypergradients import (
        ConjugateGradient,
        Direct,
        Exact,
        HessianFree,
        MiniBatchNeumann,
        Neumann,
        TruncatedNeumann,
        Unrolled,
    )
    from hypergossip.loop import NotFinite
    from hypergossip.metrics.selection import MeasurementWarning
    from hypergossip.preflight import PreflightWarning
    from hypergossip.problem import Problem
    from hypergossip.result import Result, load
    from hypergossip.schedules import Constant, PowerDecay, SquaredStep
    from hypergossip.solver import Interrupted, solve
    from hypergossip.stop import Stop
    from hypergossip.tuning import Tuning, tune

_PLACES = {
    "hypergossip.algorithms": (
        "ALSET",
        "BSA",
        "CAC",
        "DAC",
        "DSGD",
        "GTSGD",
        "MDAC",
        "MRBO",
        "MSGD",
        "RSVRB",
        "SOBA",
        "TTSA",
        "AIDBiO",
        "Diamond",
        "DifMAML",
        "ITDBiO",
        "Interact",
        "SVRInteract",
        "Slam",
        "SlamTracked",
        "Stable",
        "StocBiO",
        "Sustain",
        "VRBiAdam",
    ),
    "hypergossip.check": ("check_hypergradient",),
    "hypergossip.checkpoint": ("CheckpointError",),
    "hypergossip.engines": ("Debug", "DebugError", "Sharded", "Simulated"),
    "hypergossip.hypergradients": (
        "ConjugateGradient",
        "Direct",
        "Exact",
        "HessianFree",
        "MiniBatchNeumann",
        "Neumann",
        "TruncatedNeumann",
        "Unrolled",
    ),
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

__all__ = [
    "ALSET",
    "BSA",
    "CAC",
    "DAC",
    "DSGD",
    "GTSGD",
    "MDAC",
    "MRBO",
    "MSGD",
    "RSVRB",
    "SOBA",
    "TTSA",
    "AIDBiO",
    "CheckpointError",
    "ConjugateGradient",
    "Constant",
    "Debug",
    "DebugError",
    "Diamond",
    "DifMAML",
    "Direct",
    "Exact",
    "HessianFree",
    "ITDBiO",
    "Interact",
    "Interrupted",
    "MeasurementWarning",
    "MiniBatchNeumann",
    "Neumann",
    "NotFinite",
    "PowerDecay",
    "PreflightWarning",
    "Problem",
    "Result",
    "SVRInteract",
    "Sharded",
    "Simulated",
    "Slam",
    "SlamTracked",
    "SquaredStep",
    "Stable",
    "StocBiO",
    "Stop",
    "Sustain",
    "TruncatedNeumann",
    "Tuning",
    "Unrolled",
    "VRBiAdam",
    "check_hypergradient",
    "data",
    "load",
    "metrics",
    "networks",
    "problems",
    "solve",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"hypergossip.{name}")
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'hypergossip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
