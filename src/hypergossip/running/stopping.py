"""When a run ends before its rounds are over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Stop:
    """Ends a run as soon as one of its conditions holds; None never does.

    The metric and the samples are looked at in the rows of the history, the time after every chunk of rounds.

    Args:
        metric: A tolerance on M_t, in every run of several seeds.
        seconds: Compiled running time, compilation and observation apart.
        samples: Samples drawn per agent.
        function: A function of a row (a dict: column -> number, or array over seeds where there are `seeds`), true to
            stop.
    """

    metric: float | int | None = None
    seconds: float | int | None = None
    samples: float | int | None = None
    function: Callable[[Row], Any] | None = None

    def at_row(self, row: Row) -> bool:
        """Does this row of the history end the run?

        Raises:
            ValueError: If the function returned an array of several values, as a comparison of a column over seeds is.
        """
        return bool(
            (self.metric is not None and np.all(np.asarray(row["metric"]) <= self.metric))
            or (self.samples is not None and np.all(np.asarray(row["samples"]) >= self.samples))
            or (self.function is not None and _verdict(self.function(row)))
        )

    def at_time(self, seconds: float) -> bool:
        """Is the time over?"""
        return self.seconds is not None and seconds >= self.seconds


def _verdict(value: Any) -> bool:
    """Returns what a user's function has decided."""
    shape = getattr(value, "shape", ())
    if np.prod(shape) != 1:
        raise ValueError(
            f"stop: the function returned an array of shape {tuple(shape)}, since a row has one value a seed; return "
            "one truth, by .all() or .any(), as in lambda row: (row['metric'] < 1e-3).all()."
        )
    return bool(value)


def plain_row(row: Mapping[str, np.ndarray], seeded: bool) -> dict[str, Any]:
    """Returns a row of the history as a user's function gets it, a dict of its own that it may change.

    Args:
        row: Column -> (runs,).
        seeded: Were seeds asked for? Values are arrays over them then, and Python's own numbers otherwise.
    """
    return {name: np.array(values) if seeded else values[0].item() for name, values in row.items()}


def read_stop(stop: Any) -> Stop:
    """Returns a `Stop` from what `solve` takes: a Stop, a tolerance on the metric, a function of a row, or None.

    Raises:
        ValueError: If it is none of these.
    """
    if stop is None:
        return Stop()
    if isinstance(stop, Stop):
        return stop
    if isinstance(stop, int | float | np.number) and not isinstance(stop, bool):
        return Stop(metric=float(stop))
    if callable(stop):
        return Stop(function=stop)
    raise ValueError(
        f"stop is {stop!r}; give a tolerance on the metric, a function of a row, or "
        "hypergossip.Stop(metric=..., seconds=..., samples=...)."
    )
