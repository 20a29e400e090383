"""A point near those that are measured, where the lower level is solved beforehand."""

from typing import Any, NamedTuple

import numpy as np

from hypergossip.core.problem import Problem
from hypergossip.engines.engine import Session
from hypergossip.metrics.linear_systems import Reference
from hypergossip.metrics.reference import ReferenceInverse, ReferenceSolution, ReferenceStart
from hypergossip.support.float64 import in_float64


class ReferencePoint(NamedTuple):
    """A point of one run, near those that are measured, where the lower level is solved.

    Attributes:
        x: Every agent's x, (agents, p).
        reference: Every agent's `Reference`, with leaves (agents, ...).
    """

    x: Any
    reference: Reference


def make_reference_point(
    session: Session, problem: Problem, points: Any, earlier: ReferencePoint | None
) -> ReferencePoint:
    """Solves the lower level at the first run's point.

    Args:
        session: The session.
        problem: The problem.
        points: The agents' points, from the session's `join`.
        earlier: An earlier one, from which the search starts.
    """
    x, y = points.x[0], points.y[0]
    spaces = problem.upper, problem.lower
    unsolved = ReferenceStart(ReferenceInverse(*spaces).possible)
    start = session.compute(unsolved, x, y) if earlier is None else earlier.reference
    solution = session.compute(ReferenceSolution(*spaces), x, y, start)
    return _with_inverse(session, problem, x, solution)


def saved_reference_point(
    session: Session, reference_point: ReferencePoint | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the point and its lower solution as host arrays; the inverse is computed anew from them."""
    return None if reference_point is None else session.to_host((reference_point.x, reference_point.reference.y))


def restored_reference_point(
    session: Session, problem: Problem, saved: tuple[np.ndarray, np.ndarray] | None
) -> ReferencePoint | None:
    """Returns a saved point on the devices of the session, with the same bits as before."""
    if saved is None:
        return None
    with in_float64():
        x, y = (leaf[0] for leaf in session.put(tuple(array[None] for array in saved)))
    return _with_inverse(session, problem, x, y)


def _with_inverse(session: Session, problem: Problem, x: Any, y: Any) -> ReferencePoint:
    inverse = ReferenceInverse(problem.upper, problem.lower)
    return ReferencePoint(x, Reference(y, session.compute(inverse, x, y) if inverse.possible else None))
