"""Metrics: stationarity, consensus error, lower error, the problem's own observations, and the cost."""

import warnings
from typing import Any

from hypergossip.metrics.ledger import bytes_per_round
from hypergossip.metrics.lower_solution import lower_solution
from hypergossip.metrics.observations import observations
from hypergossip.metrics.stationarity import Metrics, evaluate

__all__ = ["Metrics", "bytes_per_round", "evaluate", "lower_solution", "observations"]
_EARLIER = {"figures": evaluate, "Figures": Metrics}  # the names of version 0.1.0


def __getattr__(name: str) -> Any:
    if name not in _EARLIER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    present = _EARLIER[name]
    warnings.warn(
        f"hypergossip.metrics.{name} is now hypergossip.metrics.{present.__name__}; the earlier name will be removed.",
        DeprecationWarning,
        stacklevel=2,
    )
    return present
