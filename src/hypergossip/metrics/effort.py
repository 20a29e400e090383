"""How the metrics of a run are computed: in float64 throughout, or faster for problems with much data."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from hypergossip.core.agent_data.axis import is_packed, take_agents
from hypergossip.core.agent_data.blocks import agents_at_a_time
from hypergossip.core.collective import RUNS_AT_ONCE
from hypergossip.core.problem import Problem
from hypergossip.support.float64 import calls_python, to_float32

SOLVED = {"stationarity", "lower_error", "metric"}  # the metrics that require y*
MUCH_DATA = 3_000_000  # entries of all agents' data, times the runs; with less, compiling takes longer than it saves
MUCH_OF_AGENT = 20_000  # entries of an agent's data on average; with less, a product costs no more than its overhead
POINTS_AT_ONCE = 20  # a product with a matrix of data takes much less time for each of so many points than for one
ROWS_AT_ONCE = 8
MANY_AGENTS, FEW_UNKNOWNS = 10_000, 8  # from so many agents (times runs), with at most so many unknowns of each
POINTS_BYTES = 512e6  # for the intermediate results of these points


class Effort(NamedTuple):
    """How metrics are computed.

    Attributes:
        refined: Whether linear systems are solved in float32 and refined in float64 (`metrics.linear_systems`).
        reference: Whether these systems are solved from a `Reference` and with its inverse.
        rows: The number of rows of the history that are measured together.
        at_once: The largest number of points (rows times runs) that are computed side by side.
        eliminate: Whether every agent's linear systems are solved by elimination.
    """

    refined: bool = False
    reference: bool = False
    rows: int = 1
    at_once: int = RUNS_AT_ONCE
    eliminate: bool = False


def choose_effort(problem: Problem, metrics: Iterable[str], runs: int, swept: bool, at_once: bool) -> Effort:
    """Returns how the metrics of a run are computed.

    Args:
        problem: The problem.
        metrics: The names of the metrics.
        runs: The number of runs that are measured together.
        swept: Whether the runs differ in more than their seeds, so that no reference is near all of them.
        at_once: Whether each row is needed before the next rounds.
    """
    if not SOLVED & {*metrics}:
        return Effort()
    entries = sum(np.size(leaf) for leaf in jax.tree.leaves(problem.oracles))
    smooth = problem.losses and problem.twice_differentiable and not calls_python(problem.oracles)
    if not smooth or entries * runs < MUCH_DATA or entries < MUCH_OF_AGENT * problem.agents:
        many = problem.agents * runs >= MANY_AGENTS and problem.y0.size <= FEW_UNKNOWNS
        return Effort(eliminate=smooth and many and not any(problem.lower.shared) and not is_packed(problem.oracles))
    try:
        point = bytes_of_point(problem)
    except Exception:  # a loss that refuses float32, for example because it contains numbers in float64
        return Effort()
    points = int(max(1, min(POINTS_AT_ONCE, POINTS_BYTES // max(point, 1))))
    rows = 1 if at_once else max(1, min(ROWS_AT_ONCE, points // runs))
    return Effort(True, not swept, rows, points)


def bytes_of_point(problem: Problem) -> float:
    """Estimates the memory of the intermediate results of one point, for the agents that are computed side by side.

    Args:
        problem: The problem. Its product with d2yy g is traced in float32.
    """
    agents = 1 if is_packed(problem.oracles) else agents_at_a_time(problem.oracles) or problem.agents
    agent, x, y = to_float32((take_agents(problem.oracles, 0).full, problem.x0, problem.y0))
    product = lambda x, y, v: agent.hessian_product(x, y, jax.random.key(0))(v)
    return agents * 8.0 * _entries(jax.make_jaxpr(product)(x, y, y).jaxpr)


def _entries(program: Any) -> int:
    """Returns the number of entries of all results of a program's operations."""
    count = 0
    for operation in program.eqns:
        inner = [value.jaxpr for value in operation.params.values() if hasattr(value, "jaxpr")]
        count += sum(map(_entries, inner)) or sum(int(np.prod(v.aval.shape)) for v in operation.outvars)
    return count
