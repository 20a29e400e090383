"""What the runs say of the paper's claims: medians over the seeds compared, with intervals by resampling the seeds."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hypergossip.experiments.reproduction import Case, Claim, Reproduction

RESAMPLES, LEVEL = 10_000, 0.95
LAST_FIFTH = 0.8  # of the rounds: what happens after this share of them

Histories = Mapping[str, pd.DataFrame]  # label -> history with a seed column


class Finding(NamedTuple):
    """One claim, measured.

    Attributes:
        case: The title of the case, or of the group of cases.
        claim: In words.
        ratio: Measured; or the difference.
        low: The lower end of its interval (`LEVEL`); NaN where there are too few seeds to resample.
        high: The upper end.
        met: Does it keep to the claim?
        measure: "ratio" or "difference".
    """

    case: str
    claim: str
    ratio: float
    low: float
    high: float
    met: bool
    measure: str = "ratio"


def words(column: str) -> str:
    """Returns a column of the history in words."""
    return column.replace("_", " ").replace("metric", "M_t")


def last(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns each seed's value at its last round, (seeds,)."""
    return _by_seed(history, column, 1.0)


def late(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns each seed's mean over the last fifth of its rounds, (seeds,)."""
    return _by_seed(history, column, LAST_FIFTH)


def throughout(history: pd.DataFrame, column: str) -> np.ndarray:
    """Returns each seed's mean over all its rows, (seeds,)."""
    return _by_seed(history, column, 0.0)


def _by_seed(history: pd.DataFrame, column: str, share: float) -> np.ndarray:
    seeds = [rows for _, rows in history.groupby("seed")]
    return np.array([np.mean(rows.loc[rows["round"] >= share * rows["round"].max(), column]) for rows in seeds])


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
    value = float(compare(np.median(one), np.median(other)))
    if len(one) < 3:
        return value, float("nan"), float("nan")
    drawn = np.random.default_rng(0).integers(len(one), size=(RESAMPLES, len(one)))
    ratios = compare(np.median(one[drawn], axis=1), np.median(other[drawn], axis=1))
    low, high = np.quantile(ratios, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return value, float(low), float(high)


def of_claim(claim: Claim, case: Case, histories: Histories) -> Finding | None:
    """Returns what a case says of a claim; None where one of the two methods has no history."""
    if claim.method not in histories or claim.rival not in histories:
        return None
    measured = throughout if claim.whole else late if claim.largest else last
    compare = operator.sub if claim.difference else operator.truediv
    one, other = (measured(histories[label], claim.column) for label in (claim.method, claim.rival))
    value, low, high = ratio(one, other, compare)
    side = "at least" if claim.largest else "at most"
    bound = f"{side} {_beyond(claim.bound)}that" if claim.difference else f"{side} {claim.bound:.3g} times that"
    when = "over the last fifth of the rounds" if claim.largest else "at the end"
    when = "over the whole run" if claim.whole else when
    text = f"{words(claim.column)} of {claim.method} {when} is {bound} of {claim.rival}"
    met = value >= claim.bound if claim.largest else value <= claim.bound
    return Finding(case.title, text, value, low, high, met, "difference" if claim.difference else "ratio")


def _beyond(bound: float) -> str:
    """The words for a bound on a difference, before "that of the rival"."""
    return f"{abs(bound):.3g} {'above' if bound > 0 else 'below'} " if bound else ""


def alike(group: str, column: str, within: float, lines: Mapping[str, np.ndarray]) -> Finding:
    """Returns whether lines are alike: the largest median over the smallest.

    Args:
        group: What the cases have in common.
        column: Of the histories.
        within: The ratio may exceed one by so much.
        lines: Title of a case -> (seeds,) values.
    """
    ordered = sorted(lines.values(), key=lambda values: float(np.median(values)))
    value, low, high = ratio(ordered[-1], ordered[0])
    names, percent = ", ".join(lines), f"{100 * within:.0f} %"
    text = f"the mean of {words(column)} over the last fifth of the rounds differs by at most {percent} between {names}"
    return Finding(group, text, value, low, high, value <= 1 + within)


def findings(experiment: Reproduction, histories: Mapping[str, Histories]) -> list[Finding]:
    """Returns what was measured of every claim.

    Args:
        experiment: The experiment.
        histories: Name of a case -> label -> history.
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
    return found
