"""Measures rows of the history, several together where nothing depends on them before the next rounds."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from hypergossip.channels.requirements import ChannelWarning
from hypergossip.metrics import ledger
from hypergossip.metrics.effort import Effort
from hypergossip.metrics.lower_solution import REACHED
from hypergossip.metrics.selection import MeasurementWarning, metrics_program, observations_program
from hypergossip.metrics.together import observations_together
from hypergossip.running.reference_point import ReferencePoint, make_reference_point
from hypergossip.running.run import Run, RunState, Unmeasured

DIVERGED = 1e30  # entries of x or y beyond this are on their way to infinity
CONSERVED = "conserved"  # a column of the history under a channel
GROWN = 1e-2  # the size of a conserved sum, relative to that of its terms, above which there is a warning
ACCURATE = 1e-8  # the relative residual above which a refined solution is replaced by one in float64 throughout


def add_row(run: Run, carry: RunState) -> RunState:
    """Adds a row for the current state, and measures it with those before it as soon as they are a whole group.

    The groups consist of the rows 0 to k-1, k to 2k-1, and so on, so that an interruption within a group does not
    affect which rows are measured with which reference, and every row is computed in its own place of the group.
    """
    points, together = run.session.join([carry.state]), _conserved(run, carry)
    if run.measured.together:
        together |= run.session.observe_together(points, partial(observations_together, run.measured.together))
    row = Unmeasured(carry.round, carry.seconds, carry.cost, points, together)
    carry = carry._replace(unmeasured=(*carry.unmeasured, row))
    return measured(run, carry) if _rows(carry) % run.effort.rows == 0 else carry


def _conserved(run: Run, carry: RunState) -> dict[str, np.ndarray]:
    """Returns the size of the sum that the method keeps at zero, under a channel, and warns when it grows."""
    found = run.session.conserved(carry.state)
    if found is None:
        return {}
    sizes, scale = found
    earlier = [row[CONSERVED] for row in carry.rows] + [row.together[CONSERVED] for row in carry.unmeasured]
    grown = sizes > GROWN * scale
    if grown.any() and not any((one > GROWN * scale).any() for one in earlier):
        warnings.warn(
            f"round {carry.round}: the sum over the network that {run.name} keeps at zero has grown to "
            f"{float(sizes.max()):.2g} (its terms to {float(scale.max()):.2g}). The channel changes it, and the agents "
            "are going to a wrong point; see the column conserved, and docs/channels.md for the remedy.",
            ChannelWarning,
            stacklevel=4,
        )
    return {CONSERVED: sizes}


def last_round(carry: RunState) -> int | None:
    """Returns the round of the last row, or None if there are no rows."""
    if carry.unmeasured:
        return carry.unmeasured[-1].round
    return int(carry.rows[-1]["round"][0]) if carry.rows else None


def measured(run: Run, carry: RunState) -> RunState:
    """Returns the state with all its rows measured."""
    if not carry.unmeasured:
        return carry
    waiting, size, runs = carry.unmeasured, run.effort.rows, len(run.numbers)
    place = (_rows(carry) - len(waiting)) % size
    if run.effort.reference and place == 0 and _is_new_reference(len(carry.rows) // size):
        here = make_reference_point(run.session, run.problem, waiting[0].points, carry.reference_point)
        carry = carry._replace(reference_point=here)
    states = [row.points for row in waiting]
    before, behind = [states[0]] * place, [states[0]] * (size - place - len(states))
    points = run.session.join([*before, *states, *behind])
    found = _metrics(run, points, carry.reference_point)
    if (program := observations_program(run.measured, run.problem)) is not None:
        found |= run.session.observe(points, program)
    for k, row in enumerate(waiting, place):
        own = {name: values[k * runs : (k + 1) * runs] for name, values in found.items()}
        carry = carry._replace(rows=(*carry.rows, _row(run, carry, row, own | row.together)))
    return carry._replace(unmeasured=())


def _rows(carry: RunState) -> int:
    return len(carry.rows) + len(carry.unmeasured)


def _is_new_reference(group: int) -> bool:
    """Returns whether a reference is computed before this group: less and less often, as the iterates slow down."""
    return group & (group - 1) == 0


def _metrics(run: Run, points: Any, reference_point: ReferencePoint | None) -> dict[str, np.ndarray]:
    """Returns the metrics of points, name -> (points,)."""
    program = metrics_program(run.measured, run.problem, run.effort)
    if program is None:
        return {}
    if not run.effort.refined:
        return run.session.observe(points, program)
    found = run.session.observe(points, program, () if reference_point is None else reference_point.reference)
    inaccurate = ~(found["relative_residual"] <= ACCURATE)
    precisely = metrics_program(run.measured, run.problem, Effort())
    if inaccurate.any() and precisely is not None:
        precise = run.session.observe(points, precisely)
        found = {name: np.where(inaccurate, precise[name], values) for name, values in found.items()}
    return found


def _row(run: Run, carry: RunState, at: Unmeasured, found: dict[str, Any]) -> dict[str, np.ndarray]:
    """Returns a row of the history for every run, column -> (runs,).

    Raises:
        ValueError: If one of the problem's own observations has the name of a column.
    """
    costs = ledger.columns(at.cost, run.sent.until(at.round))
    row = {"seed": run.numbers, "round": at.round, "seconds": at.seconds}
    metrics, names = run.measured.metrics, run.measured.names
    if taken := {*row, *costs, *metrics} & {*names[len(metrics) :]}:
        raise ValueError(
            f"observe: {', '.join(sorted(taken))} is already a column of the history; choose another name."
        )
    _warn_of_residuals(run, carry.rows, at, found)
    shown = {name: found[name] for name in (*metrics, *({CONSERVED} & found.keys()))}
    row |= shown | costs | {name: found[name] for name in names}  # existing columns keep their positions
    return {name: np.broadcast_to(np.asarray(value), len(run.numbers)) for name, value in row.items()}


def _warn_of_residuals(run: Run, earlier: Sequence[dict[str, Any]], at: Unmeasured, row: dict[str, Any]) -> None:
    """Issues a warning in the first row in which a quantity could not be measured."""
    reached = lambda row: np.asarray(row.get("relative_residual", 0.0)) <= REACHED
    if np.all(reached(row)) or not all(np.all(reached(row)) for row in earlier):
        return
    # A run that diverges ends with an error message, so it needs no warning.
    unsolved = run.session.bounded(at.points, DIVERGED) & ~reached(row)
    if unsolved.any():
        worst = float(np.max(row["relative_residual"][unsolved]))
        warnings.warn(
            f"round {at.round}: the lower solution y* or the adjoint was not reached (relative residual "
            f"{worst:.2g}, required {REACHED:g}), so what depends on it is NaN in this row. The lower level is "
            "probably not strongly convex at the iterates, or not smooth. The column relative_residual shows how well "
            "it was solved in every row.",
            MeasurementWarning,
            stacklevel=6,
        )
