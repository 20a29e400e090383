"""tune: runs every point of a grid of hyperparameters with every seed in one compiled call."""

import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from hypergossip.core.algorithm import Algorithm
from hypergossip.core.declarations import is_static
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.problem import Problem
from hypergossip.engines import Simulated
from hypergossip.engines.engine import Engine
from hypergossip.metrics.selection import MeasurementWarning, read_measure
from hypergossip.networks.pairing import paired
from hypergossip.running.argument_types import check_kinds
from hypergossip.running.preflight import PreflightWarning, concerns, facts
from hypergossip.running.rows import add_row, measured
from hypergossip.running.run import begin
from hypergossip.support.arguments import seed_number, whole_number
from hypergossip.support.callbacks import own_errors

LOOKS = (0.8, 0.9, 1.0)  # fractions of the rounds; the score is their mean, so that one lucky round does not win
COLUMNS = ("score", "best_seed", "worst_seed", "diverged", "note")  # of a table, in addition to the hyperparameters


class Tuning(NamedTuple):
    """The result of `tune`.

    Attributes:
        best: The algorithm with the best hyperparameters of the grid.
        table: One row per point of the grid, best first: its values, `score` (the median over seeds), `best_seed`,
            `worst_seed`, `diverged` (the number of seeds with non-finite scores) and `note` (why a point was refused).
    """

    best: Any
    table: pd.DataFrame


def tune(
    algorithm: Algorithm,
    problem: Problem,
    network: Any,
    *,
    grid: Mapping[str, Any],
    rounds: int,
    seeds: int = 3,
    seed: int = 1_000_000,
    score: str = "metric",
    largest: bool = False,
    extend: int = 0,
    known: pd.DataFrame | None = None,
    engine: Engine | None = None,
) -> Tuning:
    """Runs every point of a grid with separate seeds, all at once, and returns the best point and the whole table.

    If the best point is at an end of an axis, the optimum may be beyond it, and a comparison would favour the methods
    whose good steps are within the grid. `extend` enlarges the grid by the same rule for every method.

    Args:
        algorithm: The algorithm; it keeps the values that the grid does not name.
        problem: The problem.
        network: The network, paired with the problem as by `solve`.
        grid: Hyperparameter -> values. A dot leads to a part or to a leaf: "lower_step.scale",
            "hypergradient.lipschitz", or "upper_step.c" of a step with a value for each leaf.
        rounds: The number of rounds of every run.
        seeds: The number of runs per point.
        seed: The first seed, all below 2**32. It is far from the seeds of a report, so that no method is tuned on the
            runs that evaluate it.
        score: A column of the history, averaged over the rounds at 80, 90 and 100 % of the run.
        largest: Whether the largest score is the best, as for an accuracy, and not the smallest.
        extend: How often the grid may grow. While the best value of an axis of positive numbers is at its end, the axis
            gets another value there, by the ratio of its last two, with every value of the other axes.
        known: The table of an earlier call for the same runs over another grid; its points are not run again.
        engine: The engine; None uses `Simulated()`.

    Returns:
        The best algorithm and the table.

    Raises:
        ValueError: If an argument has the wrong type, the grid names something that does not exist or cannot be swept,
            or every point diverged.
    """
    check_kinds(algorithm, problem, network, engine)
    rounds, seeds = whole_number("rounds", rounds, 1), whole_number("seeds", seeds, 1)
    seed, extend = seed_number(seed, seeds), whole_number("extend", extend, 0)
    axes = _axes(grid)
    network = paired(problem, network)
    plan = _Plan(algorithm, problem, network, rounds, seeds, seed, score, largest, engine or Simulated())
    if known is not None and (absent := {*axes, *COLUMNS} - {*known}):
        raise ValueError(f"known has no column {', '.join(sorted(absent))}; give the table of an earlier call of tune.")
    table = _scored(plan, axes, known)
    for _ in range(extend):
        if (wider := beyond(axes, table.iloc[0])) is None:
            break
        axes, table = wider, _scored(plan, wider, table if known is None else pd.concat([table, known]))
    winner = table.iloc[0]
    _warn_of_edges(axes, winner)
    return Tuning(with_values(algorithm, {name: winner[name] for name in axes}), table)


def _axes(grid: Any) -> dict[str, list[float]]:
    """Returns the grid, hyperparameter -> values, with all values as numbers."""
    example = 'grid={"upper_step": [0.03, 0.1, 0.3]}'
    if not isinstance(grid, Mapping):
        raise ValueError(
            f"the grid is of type {type(grid).__name__}; give a dict with a list of values, as in {example}."
        )
    axes = {}
    for name, values in grid.items():
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            raise ValueError(f"the grid has {values!r} for {name!r}; give a list of values, as in {example}.")
        axes[name] = []
        for value in values:
            try:
                axes[name].append(float(value))
            except (TypeError, ValueError):
                raise ValueError(
                    f"the grid has the value {value!r} for {name!r}; give numbers, as in {example}, and use a dot for "
                    'a part or a leaf, as in "upper_step.scale".'
                ) from None
    if not axes or not all(axes.values()):
        raise ValueError(f"the grid is empty; give values, as in {example}.")
    return axes


def beyond(grid: Mapping[str, Sequence[float]], best: Any) -> dict[str, list[float]] | None:
    """Returns the grid with another value beyond an end at which the best point lies, or None if there is no such end.

    Args:
        grid: Hyperparameter -> values.
        best: Hyperparameter -> its best value.
    """
    for name, values in grid.items():
        ordered = sorted(set(values))
        if len(ordered) < 2 or ordered[0] <= 0 or best[name] not in (ordered[0], ordered[-1]):
            continue
        end, beside = ordered[:2] if best[name] == ordered[0] else ordered[:-3:-1]
        grown = {axis: list(tried) for axis, tried in grid.items()}
        return grown | {name: [*grown[name], end * (end / beside)]}
    return None


class _Plan(NamedTuple):
    """The settings that determine the score of a point."""

    algorithm: Algorithm
    problem: Problem
    network: Any
    rounds: int
    seeds: int
    seed: int
    score: str
    largest: bool
    engine: Engine


def _scored(plan: _Plan, grid: Mapping[str, list[float]], known: pd.DataFrame | None) -> pd.DataFrame:
    """Returns the table of a grid, best first; the points that are not known are run at once."""
    points = list(itertools.product(*grid.values()))
    there = {} if known is None else {tuple(row[name] for name in grid): row for row in known.to_dict("records")}
    missing = [point for point in points if point not in there]
    rows = {**there, **dict(zip(missing, _run(plan, grid, missing), strict=True))} if missing else there
    table = pd.DataFrame([rows[point] for point in points])
    table = table.sort_values("score", ascending=not plan.largest, kind="stable").reset_index(drop=True)
    if not np.isfinite(table["score"].iloc[0]):
        if all(table["note"] != ""):
            raise ValueError(f"every point of the grid is refused; the first point: {rows[points[0]]['note']}")
        raise ValueError(
            f"every point of the grid diverged, or its {plan.score} could not be measured. Tune again with smaller "
            "steps (a tenth). If the lower level is not strongly convex, use a score that does not depend on its "
            "solution, such as upper_loss."
        )
    return table


def _run(plan: _Plan, grid: Mapping[str, list[float]], points: list[tuple]) -> list[dict[str, Any]]:
    """Runs points of the grid and returns one row for each."""
    candidates = [with_values(plan.algorithm, dict(zip(grid, point, strict=True))) for point in points]
    about = facts(plan.problem, plan.network)
    notes = [_refusal(candidate, plan.problem, about) for candidate in candidates]
    runs = [(k, s) for k, note in enumerate(notes) if not note for s in range(plan.seed, plan.seed + plan.seeds)]
    with own_errors(plan.problem.oracles):
        scores = _score(plan, [candidates[k] for k, _ in runs], [s for _, s in runs]) if runs else np.zeros(0)
    return _rows(grid, points, notes, runs, scores, plan.largest)


def _score(plan: _Plan, candidates: list[Algorithm], numbers: list[int]) -> np.ndarray:
    """Returns the score of every run."""
    swept = jax.tree.map(lambda *leaves: jnp.asarray(leaves, jnp.result_type(float)), *candidates)
    columns = read_measure(True, plan.problem).names
    names = (plan.score,) if plan.score in columns else ()  # the other columns are not needed
    arguments = plan.engine, swept, True, plan.problem, plan.network, np.array(numbers), plan.seeds
    (run, carry), scores = begin(*arguments, measure=names), []
    with closing(run.session):
        for look in LOOKS:
            last = max(carry.round, round(look * plan.rounds))
            carry = carry._replace(state=run.session.advance(carry.state, carry.round, last)[0], round=last)
            with warnings.catch_warnings(action="ignore", category=MeasurementWarning):  # some points diverge
                row = measured(run, add_row(run, carry)).rows[-1]
            if plan.score not in row:
                there = ", ".join(dict.fromkeys([*columns, *row]))
                raise ValueError(f"score is {plan.score!r}, not a column of the history; choose one of {there}.")
            scores.append(row[plan.score])
    return np.mean(scores, axis=0)


def with_values(part: Any, values: Mapping[str, Any]) -> Any:
    """Returns an algorithm (or a part of one) with other hyperparameters.

    Args:
        part: The algorithm.
        values: Hyperparameter -> number; a dot leads to a part, as in a grid of `tune`.

    Raises:
        ValueError: If a name does not exist or cannot be swept.
    """
    for path, value in values.items():
        part = _with_value(part, path.split("."), value, path)
    return part


def _with_value(part: Any, path: list[str], value: Any, whole: str) -> Any:
    name, rest = path[0], path[1:]
    there = _parts(part)
    if name not in there:
        raise ValueError(
            f"the grid names {whole!r}, but {type(part).__name__} has no {name!r}; "
            f"it has {', '.join(there) or 'no parts'}."
        )
    old = there[name]
    if rest:
        return _replaced(part, name, _with_value(old, rest, value, whole))
    if is_dataclass(part) and is_static(part, name):
        raise ValueError(f"{whole!r} shapes the compiled program and cannot be swept; call tune once for each value.")
    if not isinstance(old, int | float | np.number):
        inside = ", ".join(f"{whole}.{inner}" for inner in _parts(old)) or "nothing"
        raise ValueError(f"{whole!r} is {type(old).__name__} and not a number; sweep {inside} instead.")
    return _replaced(part, name, float(value))


def _parts(part: Any) -> dict[str, Any]:
    """Returns the names that a grid may use inside a part: fields, or the leaves of a step with a value for each."""
    if is_dataclass(part) and not isinstance(part, type):
        return {field.name: getattr(part, field.name) for field in fields(part)}
    if isinstance(part, Mapping):
        return {str(key): inner for key, inner in part.items()}
    if isinstance(part, list | tuple):
        return dict(zip(getattr(part, "_fields", map(str, range(len(part)))), part, strict=True))
    return {}


def _replaced(part: Any, name: str, value: Any) -> Any:
    """Returns a part with one of its own parts replaced."""
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{name: value})
    if isinstance(part, Mapping):
        return {key: value if str(key) == name else inner for key, inner in part.items()}
    new = [value if other == name else inner for other, inner in _parts(part).items()]
    make: Any = type(part)
    return make(*new) if hasattr(part, "_fields") else make(new)


def _refusal(algorithm: Algorithm, problem: Problem, known: Any) -> str:
    try:
        concerns(fitted(algorithm, problem.upper, problem.lower), known)
    except ValueError as error:
        return str(error)
    return ""


def _rows(grid: Any, points: list, notes: list, runs: list, scores: np.ndarray, largest: bool) -> list[dict[str, Any]]:
    worst = -np.inf if largest else np.inf
    rows = []
    for k, (point, note) in enumerate(zip(points, notes, strict=True)):
        own = np.array([score for (owner, _), score in zip(runs, scores, strict=True) if owner == k] or [worst])
        finite = np.where(np.isfinite(own), own, worst)
        ordered = np.sort(finite)[::-1] if largest else np.sort(finite)
        found = (np.median(finite), ordered[0], ordered[-1], int((~np.isfinite(own)).sum()), note)
        rows.append(dict(zip((*grid, *COLUMNS), (*point, *found), strict=True)))
    return rows


def _warn_of_edges(grid: Mapping[str, Any], winner: Any) -> None:
    for name, values in grid.items():
        if len(values) > 2 and winner[name] in (min(values), max(values)):
            end = "largest" if winner[name] == max(values) else "smallest"
            warnings.warn(
                f"tune: the best {name}, {winner[name]:.3g}, is the {end} of the grid, and the optimum may be beyond "
                "it; widen the grid, or let it grow with extend.",
                PreflightWarning,
                stacklevel=3,
            )
