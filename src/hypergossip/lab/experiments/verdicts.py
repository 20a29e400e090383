"""Verdicts on the claims: comparisons of medians over the seeds, with bootstrap intervals over the seeds."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hypergossip.figures.histories import LAST_FIFTH, means_from
from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

RESAMPLES, LEVEL = 10_000, 0.95
LEAST_SEEDS = 5  # for a verdict: medians and intervals of fewer seeds are too uncertain
MET, NOT_MET, UNDECIDED, NOT_JUDGED = "met", "not met", "inconclusive", "not judged"

Histories = Mapping[str, pd.DataFrame]  # label -> history with a seed column


class MeasuredClaim(NamedTuple):
    """One claim with its measurement.

    Attributes:
        case: The title of the case, or of the group of cases.
        claim: The claim as a sentence.
        ratio: The measured ratio or difference.
        low: The lower end of its interval (`LEVEL`); NaN with too few seeds for a bootstrap.
        high: The upper end.
        verdict: `MET` or `NOT_MET` if the whole interval supports it, `UNDECIDED` if the bound is in the interval, and
            `NOT_JUDGED` in a quick run, with fewer than `LEAST_SEEDS` seeds, or without an interval.
        measure: "ratio" or "difference".
        ours: Whether this is our own bound and not a claim of the paper.
    """

    case: str
    claim: str
    ratio: float
    low: float
    high: float
    verdict: str
    measure: str = "ratio"
    ours: bool = False


def column_label(column: str) -> str:
    """Returns the name of a `column` of the history for a text."""
    if column.startswith("weight_"):  # a group of samples in hyper-cleaning
        return f"mean weight of {column.removeprefix('weight_')} samples"
    return column.replace("_", " ").replace("metric", "M_t")


def last(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns the value of each seed at its last round, (seeds,)."""
    return means_from(history, column, 1.0)


def late(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns the mean of each seed over the last fifth of its rounds, (seeds,)."""
    return means_from(history, column, LAST_FIFTH)


def throughout(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns the mean of each seed over all its rows, (seeds,)."""
    return means_from(history, column, 0.0)


def ratio(
    one: np.ndarray, other: np.ndarray, compare: Callable[[Any, Any], Any] = operator.truediv
) -> tuple[float, float, float]:
    """Returns the ratio of two medians over the seeds, and its bootstrap interval.

    The bootstrap is paired: it draws the same seeds for both, since methods with the same seed draw the same samples.

    Args:
        one: (seeds,).
        other: (seeds,), for the same seeds.
        compare: Another measure of two medians, such as `operator.sub`.

    Returns:
        The ratio and the ends of its interval, which are NaN with fewer than three seeds.
    """
    return _bootstrap(np.stack([one, other]), lambda medians: compare(medians[0], medians[1]))


def _bootstrap(lines: np.ndarray, measure: Callable[[np.ndarray], Any]) -> tuple[float, float, float]:
    """Returns a measure of the medians over the seeds, (lines, seeds) -> (lines, ...), and its interval."""
    seeds = lines.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):  # a rival at 0 has no ratio
        value = float(measure(np.median(lines, axis=1)))
        if seeds < 3:
            return value, float("nan"), float("nan")
        drawn = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
        low, high = np.quantile(measure(np.median(lines[:, drawn], axis=2)), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return value, float(low), float(high)


def _verdict(measured: tuple[float, float, float], seeds: int, bound: float, largest: bool = False) -> str:
    if seeds < LEAST_SEEDS or np.isnan(measured).any():
        return NOT_JUDGED
    kept = {bool(end >= bound if largest else end <= bound) for end in measured[1:]}
    return UNDECIDED if len(kept) == 2 else MET if True in kept else NOT_MET


def of_claim(claim: Claim, case: Case, histories: Histories) -> MeasuredClaim | None:
    """Returns the measurement of a claim in one case, or None if one of the two methods has no history."""
    if claim.method not in histories or claim.rival not in histories:
        return None
    values = throughout if claim.whole else late if claim.largest else last
    compare = operator.sub if claim.difference else operator.truediv
    one, other = (values(histories[label], claim.column) for label in (claim.method, claim.rival))
    measured = ratio(one, other, compare)
    column = column_label(claim.column)
    span = "whole run" if claim.whole else "last fifth of the rounds"
    quantity = f"final {column}" if values is last else f"mean {column} over the {span}"
    text = f"{claim.method}'s {quantity} is {_bound(claim)} {claim.rival}'s"
    verdict = _verdict(measured, len(one), claim.bound, claim.largest)
    measure = "difference" if claim.difference else "ratio"
    return MeasuredClaim(case.full_title, text, *measured, verdict, measure, claim.ours)


def _bound(claim: Claim) -> str:
    """Returns the words for the bound of a claim, which stand before the name of the rival."""
    side = "at least" if claim.largest else "at most"
    if claim.bound == (0.0 if claim.difference else 1.0):
        return f"no {'smaller' if claim.largest else 'larger'} than"
    if claim.difference:
        return f"{side} {abs(claim.bound):.3g} {'above' if claim.bound > 0 else 'below'}"
    return f"{side} a third of" if claim.bound == 1 / 3 else f"{side} {claim.bound:.3g} times"


def cases_agree(group: str, column: str, within: float, lines: Mapping[str, np.ndarray]) -> MeasuredClaim:
    """Returns whether the lines of several cases agree within a bound: the largest median over the smallest.

    Args:
        group: What the cases have in common.
        column: The column of the histories.
        within: How far the ratio may exceed one.
        lines: Title of a case -> (seeds,) values.
    """
    # Every bootstrap sample has its own largest line; with a fixed one the interval would reach below one.
    values = np.stack(list(lines.values()))
    measured = _bootstrap(values, lambda medians: medians.max(axis=0) / medians.min(axis=0))
    titles = list(lines)
    names = f"{', '.join(titles[:-1])} and {titles[-1]}"
    quantity = f"mean {column_label(column)} over the last fifth of the rounds"
    text = f"the {quantity} differs by at most {100 * within:.0f} % between {names}"
    verdict = _verdict(measured, values.shape[1], 1 + within)
    return MeasuredClaim(group, text, *measured, verdict, ours=True)  # the papers give no number


def verdicts(experiment: Reproduction, histories: Mapping[str, Histories], quick: bool = False) -> list[MeasuredClaim]:
    """Returns all claims of an experiment with their measurements.

    Args:
        experiment: The experiment.
        histories: Name of a case -> label -> history.
        quick: Whether the run was quick, and hence too short for a verdict with any number of seeds.
    """
    measured = []
    for case in experiment.cases:
        for claim in experiment.claims:
            if claim.cases and case.name not in claim.cases:
                continue
            # A claim about the compared column is about that of the case.
            about = case.compared if case.compared and claim.column == experiment.compared else claim.column
            if one := of_claim(claim._replace(column=about), case, histories[case.name]):
                measured.append(one)
    if experiment.cases_agree_within is not None:
        for group, cases in experiment.groups().items():
            for label in experiment.methods or experiment.stated:
                lines = {
                    case.title: late(histories[case.name][label], experiment.compared)
                    for case in cases
                    if label in histories[case.name]
                }
                if len(lines) > 1:
                    title = group or experiment.title
                    measured.append(cases_agree(title, experiment.compared, experiment.cases_agree_within, lines))
    return [one._replace(verdict=NOT_JUDGED) for one in measured] if quick else measured
