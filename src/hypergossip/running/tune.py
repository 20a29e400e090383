"""tune: runs every point of a grid of hyperparameters with every seed in one compiled call."""

import itertools
import warnings
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from hypergossip.channels.requirements import ChannelWarning, check_channel
from hypergossip.channels.stack import Stack, read_channel
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.preset import generalised
from hypergossip.core.problem import Problem
from hypergossip.engines import Simulated
from hypergossip.engines.engine import Engine
from hypergossip.metrics.selection import MeasurementWarning, read_measure
from hypergossip.networks.pairing import paired
from hypergossip.running.argument_types import check_kinds
from hypergossip.running.grid import axes_of, beyond, with_values
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
    channel: Any = None,
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
        channel: What the messages pass between the agents: a stage of `hypergossip.channels`, or a list of stages from
            the sender outward; None for the ideal channel.

    Returns:
        The best algorithm and the table.

    Raises:
        ValueError: If an argument has the wrong type, the grid names something that does not exist or cannot be swept,
            the algorithm cannot work with the channel, or every point diverged.
    """
    check_kinds(algorithm, problem, network, engine)
    rounds, seeds = whole_number("rounds", rounds, 1), whole_number("seeds", seeds, 1)
    seed, extend = seed_number(seed, seeds), whole_number("extend", extend, 0)
    axes = axes_of(grid)
    network, links = paired(problem, network), read_channel(channel)
    sizes = problem.upper.shared_size, problem.lower.shared_size
    for text in check_channel(type(algorithm).__name__, generalised(algorithm), links, network, sizes):
        warnings.warn(text, ChannelWarning, stacklevel=2)
    plan = _Plan(algorithm, problem, network, rounds, seeds, seed, score, largest, engine or Simulated(), links)
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
    channel: Stack | None


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
    (run, carry), scores = begin(*arguments, measure=names, channel=plan.channel), []
    with closing(run.session):
        for look in LOOKS:
            last = max(carry.round, round(look * plan.rounds))
            carry = carry._replace(state=run.session.advance(carry.state, carry.round, last)[0], round=last)
            with warnings.catch_warnings(action="ignore", category=MeasurementWarning):  # some points diverge
                if look < LOOKS[-1]:  # the last look warns if a conserved sum has grown
                    warnings.simplefilter("ignore", ChannelWarning)
                row = measured(run, add_row(run, carry)).rows[-1]
            if plan.score not in row:
                there = ", ".join(dict.fromkeys([*columns, *row]))
                raise ValueError(f"score is {plan.score!r}, not a column of the history; choose one of {there}.")
            scores.append(row[plan.score])
    return np.mean(scores, axis=0)


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
