"""Selects the columns of the history."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypergossip.core.collective import Program
from hypergossip.core.problem import Problem
from hypergossip.metrics.effort import SOLVED, Effort
from hypergossip.metrics.observations import observing
from hypergossip.metrics.stationarity import Metrics, MetricsProgram
from hypergossip.metrics.together import Disagreement, DisagreementProgram

Named = tuple[tuple[str, Callable[..., Any]], ...]


class MeasurementWarning(UserWarning):
    """A quantity could not be measured; its columns are NaN."""


class Measured(NamedTuple):
    """The quantities that a row contains in addition to the costs.

    Attributes:
        metrics: Names in `Metrics`, or in `Disagreement` if the problem has no losses.
        observe: The problem's observations of one agent, names and functions.
        together: The problem's observations of the whole network, names and functions.
    """

    metrics: tuple[str, ...]
    observe: Named
    together: Named

    @property
    def names(self) -> list[str]:
        """The names of the measured quantities, in the order of the columns."""
        return [*self.metrics, *(name for name, _ in self.observe), *(name for name, _ in self.together)]


def metrics_program(measured: Measured, problem: Problem, effort: Effort) -> Program | None:
    """Returns the agents' program that measures the metrics, or None if there are none to measure.

    Args:
        measured: The quantities to measure.
        problem: The problem.
        effort: How they are computed.
    """
    spaces = problem.upper, problem.lower
    if not measured.metrics:
        return None
    if not problem.losses:
        return DisagreementProgram(measured.metrics, *spaces)
    twice, at_once = problem.twice_differentiable, effort.at_once
    return MetricsProgram(measured.metrics, *spaces, twice, effort.refined, at_once, effort.eliminate)


def observations_program(measured: Measured, problem: Problem) -> Program | None:
    """Returns the agents' program that measures the problem's observations of one agent, or None if it has none."""
    return observing(measured.observe, problem.upper, problem.lower) if measured.observe else None


def read_measure(measure: Any, problem: Problem) -> Measured:
    """Returns the quantities to measure.

    Args:
        measure: True for all columns, False for the problem's own observations only, or the names of columns.
        problem: The problem.

    Raises:
        ValueError: If the problem has no column of one of the names.
    """
    there = list(Metrics._fields if problem.losses else Disagreement._fields)
    if not any(problem.lower.shared):
        there.remove("lower_consensus_error")
    own = tuple(problem.observe.items()), tuple(problem.together.items())
    if isinstance(measure, bool):
        return Measured(tuple(there) if measure else (), *own)
    names = (measure,) if isinstance(measure, str) else tuple(measure) if isinstance(measure, tuple | list) else None
    known = [*there, *problem.observe, *problem.together]
    wrong = [measure] if names is None else [name for name in names if name not in known]
    if names is None or wrong:
        raise ValueError(
            f"measure: {wrong[0]!r} is not measured here; give True, False, or names among {', '.join(known)}."
        )
    if problem.losses and SOLVED & set(names):
        names = (*names, "relative_residual")
    return Measured(
        tuple(name for name in there if name in names),
        *(tuple((name, function) for name, function in level if name in names) for level in own),
    )
