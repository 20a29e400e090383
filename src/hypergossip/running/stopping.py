"""Rules that end a run before its last round."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hypergossip.core.problem import Problem
from hypergossip.support.arguments import check_numbers

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Stop:
    """Ends a run as soon as one of its conditions holds; a condition of None never holds.

    The metric and the samples are checked in every row of the history, the time after every chunk of rounds.

    Args:
        metric: A tolerance on M_t, which all seeds must reach.
        seconds: The compiled running time in seconds, without compilation and observation.
        samples: The number of samples drawn per agent.
        function: A function of a row that returns true to stop. A row is a dict from column to number, or to an array
            over the seeds if `seeds` is given.

    Raises:
        ValueError: If a limit is not a number, or not a finite one from 0 on: such a rule would never hold, or at once.
    """

    metric: float | int | None = None
    seconds: float | int | None = None
    samples: float | int | None = None
    function: Callable[[Row], Any] | None = None

    def __post_init__(self) -> None:
        """Checks the limits."""
        for name in ("metric", "seconds", "samples"):
            value = getattr(self, name)
            if value is None:
                continue
            check_numbers(**{f"stop: {name}": value})
            if not 0 <= value < math.inf:
                raise ValueError(
                    f"stop: {name} is {value!r}, so that the rule would never hold, or at once; give a finite "
                    "number, at least 0, or leave the rule out."
                )

    @property
    def read_rows(self) -> bool:
        """Whether a condition depends on the rows of the history."""
        return not (self.metric is None and self.samples is None and self.function is None)

    def at_row(self, row: Row) -> bool:
        """Returns whether this row of the history ends the run.

        Raises:
            ValueError: If the function returned an array of several values, such as a comparison over the seeds.
        """
        return bool(
            (self.metric is not None and np.all(np.asarray(row["metric"]) <= self.metric))
            or (self.samples is not None and np.all(np.asarray(row["samples"]) >= self.samples))
            or (self.function is not None and _decision(self.function(row)))
        )

    def at_time(self, seconds: float) -> bool:
        """Returns whether the time limit is reached."""
        return self.seconds is not None and seconds >= self.seconds


def _decision(value: Any) -> bool:
    """Returns the decision of a user's function as a bool."""
    shape = getattr(value, "shape", ())
    if np.prod(shape) != 1:
        raise ValueError(
            f"stop: the function returned an array of shape {tuple(shape)}, because a row has one value per seed; "
            "return a single bool with .all() or .any(), as in lambda row: (row['metric'] < 1e-3).all()."
        )
    return bool(value)


def plain_row(row: Mapping[str, np.ndarray], seeded: bool) -> dict[str, Any]:
    """Returns a copy of a row of the history for a user's function, which may change it.

    Args:
        row: Column -> (runs,).
        seeded: Whether `seeds` was given. Values are then arrays over the seeds, and Python numbers otherwise.
    """
    return {name: np.array(values) if seeded else values[0].item() for name, values in row.items()}


def read_stop(stop: Any) -> Stop:
    """Returns a `Stop` from a Stop, a tolerance on the metric, a function of a row, or None.

    Raises:
        ValueError: If the argument is none of these.
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


def check_measurable(rules: Stop, problem: Problem) -> None:
    """Raises ValueError if a rule is a tolerance on M_t and the problem has none.

    Args:
        rules: The rules.
        problem: The problem.
    """
    if rules.metric is not None and not problem.losses:
        raise ValueError(
            "stop: this problem has no losses and therefore no M_t; stop by seconds, samples or a function of a row."
        )
