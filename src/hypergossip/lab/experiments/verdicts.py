"""What the runs say of the paper's claims: medians over the seeds compared, with intervals by resampling the seeds."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hypergossip.figures.histories import LAST_FIFTH, means_from
from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

RESAMPLES, LEVEL = 10_000, 0.95
LEAST_SEEDS = 5  # of a verdict: medians of fewer seeds say little, and their intervals less
MET, NOT_MET, UNDECIDED, NOT_JUDGED = "met", "not met", "inconclusive", "not judged"

Histories = Mapping[str, pd.DataFrame]  # label -> history with a seed column


class Finding(NamedTuple):
    """One claim, measured.

    Attributes:
        case: The title of the case, or of the group of cases.
        claim: In words.
        ratio: Measured; or the difference.
        low: The lower end of its interval (`LEVEL`); NaN where there are too few seeds to resample.
        high: The upper end.
        verdict: `MET` or `NOT_MET` where the whole interval says so; `UNDECIDED` where the bound lies within it;
            `NOT_JUDGED` in a quick run, with fewer than `LEAST_SEEDS` seeds, and where there is no interval.
        measure: "ratio" or "difference".
        ours: Is it a bound of ours, and not a claim of the paper?
    """

    case: str
    claim: str
    ratio: float
    low: float
    high: float
    verdict: str
    measure: str = "ratio"
    ours: bool = False


def words(column: str) -> str:
    """Returns a column of the history in words."""
    if column.startswith("weight_"):  # of the groups of hyper-cleaning
        return f"mean weight of {column.removeprefix('weight_')} samples"
    return column.replace("_", " ").replace("metric", "M_t")


def last(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns each seed's value at its last round, (seeds,)."""
    return means_from(history, column, 1.0)


def late(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns each seed's mean over the last fifth of its rounds, (seeds,)."""
    return means_from(history, column, LAST_FIFTH)


def throughout(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns each seed's mean over all its rows, (seeds,)."""
    return means_from(history, column, 0.0)


def ratio(
    one: np.ndarray, other: np.ndarray, compare: Callable[[Any, Any], Any] = operator.truediv
) -> tuple[float, float, float]:
    """Returns the ratio of two medians over the seeds, and its interval.

    The seeds are drawn with replacement, alike for both: equal seeds are equal samples, so the two are paired.

    Args:
        one: (seeds,).
        other: (seeds,), of the same seeds.
        compare: Another measure of two medians, as `operator.sub`.

    Returns:
        The ratio, and the ends of its interval; NaN where there are fewer than three seeds.
    """
    return _resampled(np.stack([one, other]), lambda medians: compare(medians[0], medians[1]))


def _resampled(lines: np.ndarray, measure: Callable[[np.ndarray], Any]) -> tuple[float, float, float]:
    """A measure of the lines' medians over the seeds, (lines, seeds) -> (lines, ...), and its interval."""
    seeds = lines.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):  # of a rival that ends at 0, there is no ratio
        value = float(measure(np.median(lines, axis=1)))
        if seeds < 3:
            return value, float("nan"), float("nan")
        drawn = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
        low, high = np.quantile(measure(np.median(lines[:, drawn], axis=2)), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return value, float(low), float(high)


def _verdict(found: tuple[float, float, float], seeds: int, bound: float, largest: bool = False) -> str:
    if seeds < LEAST_SEEDS or np.isnan(found).any():
        return NOT_JUDGED
    kept = {bool(end >= bound if largest else end <= bound) for end in found[1:]}
    return UNDECIDED if len(kept) == 2 else MET if True in kept else NOT_MET


def of_claim(claim: Claim, case: Case, histories: Histories) -> Finding | None:
    """Returns what a case says of a claim; None where one of the two methods has no history."""
    if claim.method not in histories or claim.rival not in histories:
        return None
    measured = throughout if claim.whole else late if claim.largest else last
    compare = operator.sub if claim.difference else operator.truediv
    one, other = (measured(histories[label], claim.column) for label in (claim.method, claim.rival))
    found = ratio(one, other, compare)
    bound = _beyond(claim) if claim.difference else _times(claim)
    when = "over the last fifth of the rounds" if claim.largest else "at the end"
    when = "over the whole run" if claim.whole else when
    text = f"{words(claim.column)} of {claim.method} {when} is {bound} that of {claim.rival}"
    verdict = _verdict(found, len(one), claim.bound, claim.largest)
    measure = "difference" if claim.difference else "ratio"
    return Finding(case.full_title, text, *found, verdict, measure, claim.ours)


def _times(claim: Claim) -> str:
    """The words for a bound on a ratio, before "that of the rival"."""
    side = "at least" if claim.largest else "at most"
    known = {1.0: "no smaller than" if claim.largest else "no larger than", 1 / 3: f"{side} a third of"}
    return known.get(claim.bound, f"{side} {claim.bound:.3g} times")


def _beyond(claim: Claim) -> str:
    """Likewise on a difference."""
    if not claim.bound:
        return "no smaller than" if claim.largest else "no larger than"
    side = "at least" if claim.largest else "at most"
    return f"{side} {abs(claim.bound):.3g} {'above' if claim.bound > 0 else 'below'}"


def alike(group: str, column: str, within: float, lines: Mapping[str, np.ndarray]) -> Finding:
    """Returns whether lines are alike: the largest median over the smallest.

    Args:
        group: What the cases have in common.
        column: Of the histories.
        within: The ratio may exceed one by so much.
        lines: Title of a case -> (seeds,) values.
    """
    # Which line is the largest is drawn anew with the seeds, or the interval would reach below one.
    values = np.stack(list(lines.values()))
    found = _resampled(values, lambda medians: medians.max(axis=0) / medians.min(axis=0))
    names, percent = ", ".join(lines), f"{100 * within:.0f} %"
    text = f"the mean of {words(column)} over the last fifth of the rounds differs by at most {percent} between {names}"
    verdict = _verdict(found, values.shape[1], 1 + within)
    return Finding(group, text, *found, verdict, ours=True)  # papers say "hardly" and no number


def findings(experiment: Reproduction, histories: Mapping[str, Histories], quick: bool = False) -> list[Finding]:
    """Returns what was measured of every claim.

    Args:
        experiment: The experiment.
        histories: Name of a case -> label -> history.
        quick: Are they of a quick run, whose rounds are too few to judge a claim by, however many its seeds?
    """
    found = []
    for case in experiment.cases:
        for claim in experiment.claims:
            if claim.cases and case.name not in claim.cases:
                continue
            if finding := of_claim(claim, case, histories[case.name]):
                found.append(finding)
    if experiment.alike is not None:
        for group, cases in experiment.groups().items():
            for label in experiment.methods or experiment.stated:
                lines = {
                    case.title: late(histories[case.name][label], experiment.compared)
                    for case in cases
                    if label in histories[case.name]
                }
                if len(lines) > 1:
                    found.append(alike(group or experiment.title, experiment.compared, experiment.alike, lines))
    return [one._replace(verdict=NOT_JUDGED) for one in found] if quick else found
