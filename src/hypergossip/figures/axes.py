"""One panel of a figure: what its lines and bands are, how its axes are scaled, and how it is drawn."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, FuncFormatter, LogFormatterSciNotation, LogLocator, MaxNLocator, NullLocator

from hypergossip.figures import style
from hypergossip.figures.histories import ERRORS, RETURN, by_seed, spread

LABELS = {
    "round": "communication rounds",
    "samples": "samples per agent",
    "exchanges": "communication rounds",
    "return": "return, mean over the agents",
    "metric": r"metric $M_t$",
    "stationarity": r"stationarity $\|\nabla\ell(\bar x)\|^2$",
    "consensus_error": r"consensus error $\Sigma_i\|x_i-\bar x\|^2$",
    "lower_error": r"lower error $\Sigma_i\|y_i^*(x_i)-y_i\|^2$",
    "lower_consensus_error": r"lower consensus $\Sigma_i\|y_i-\bar y\|^2$",
}
MARKS = 7  # markers on a line
UNLIKE_BUDGETS = 20  # from this ratio of samples between methods on, their axis is logarithmic
LINEAR = ("return",)  # whatever it ranges over
START = 0.1  # the share of a run that may leave a linear axis
CROWDED = 3  # from so many times the later range on
LEAST_DECADES = 0.8  # on a logarithmic axis: room for two ticks
FARTHEST = 150.0  # the largest power of ten that an axis shows, of a run that diverges
ROUND_OFF = 1e-20  # of the largest error: what the average of equal numbers is off by, squared, lies far below
WIDE_RANGE = 100  # from this ratio on, a positive observation is drawn on a logarithmic axis


class Curve(NamedTuple):
    """One method's line and band, each (rows,).

    Attributes:
        x: Rounds, samples or exchanges; the median over the seeds.
        median: The line.
        low: The band's lower edge.
        high: Its upper edge.
        seeds: How many seeds; with one there is no band.
    """

    x: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int


class Scale(NamedTuple):
    """How an axis is scaled.

    Attributes:
        logarithmic: Or linear.
        low: Its one end.
        high: Its other end.
    """

    logarithmic: bool
    low: float
    high: float


def curve(history: pd.DataFrame, column: str, against: str) -> Curve:
    """Returns a history's line and band.

    Args:
        history: One row a round (and seed).
        column: What is drawn up.
        against: What is drawn along: "round", "samples" or "exchanges".
    """
    values = by_seed(history, column)
    along = values.index if against == "round" else by_seed(history, against).median(axis=1)
    numbers = values.to_numpy(np.float64)
    least = ROUND_OFF * numbers[np.isfinite(numbers)].max(initial=0.0)
    if column in ERRORS and (started := (numbers > least).any(axis=1)).any():
        # Agents that start alike: the line begins where there is an error, and not the round-off of their average.
        numbers = np.where(np.arange(len(numbers))[:, None] < started.argmax(), np.nan, numbers)
    x = along.to_numpy(np.float64)
    known = np.isfinite(x)
    return Curve(x[known], *spread(numbers[known]), values.shape[1])


def curves(histories: Mapping[str, pd.DataFrame], column: str, against: str) -> dict[str, Curve]:
    """Returns the lines of every method that has the column, as `curve` does."""
    drawn = {name: curve(history, column, against) for name, history in histories.items() if column in history}
    return {name: line for name, line in drawn.items() if line.x.size}


def label_along(histories: Mapping[str, pd.DataFrame], against: str) -> str:
    """Returns what the axis along is called: the samples of a game are steps of its environment."""
    if against == "samples" and any(RETURN in history for history in histories.values()):
        return "environment steps"
    return LABELS[against]


def along(lines: Sequence[Curve]) -> Scale:
    """Returns how the axis along is scaled: logarithmic where the methods' budgets are unlike."""
    ends = [end for line in lines if (end := float(line.x.max())) > 0]
    right = 1.015 * max(ends, default=1.0)  # no marker is cut in half
    if ends and right >= UNLIKE_BUDGETS * min(ends):
        positive = np.concatenate([line.x[line.x > 0] for line in lines])
        return Scale(True, float(positive.min()), 1.2 * right)
    return Scale(False, 0.0, right)


def up(lines: Sequence[Curve], column: str) -> Scale:
    """Returns how the axis up is scaled: logarithmic for errors, and for what is positive and ranges widely.

    Args:
        lines: All that is drawn.
        column: What is drawn.
    """
    values = _finite_values(lines)
    positive = values[values > 0]
    wide = positive.size and positive.size == values.size and positive.max() >= WIDE_RANGE * positive.min()
    wide = wide and column not in LINEAR
    if not (wide or (column in ERRORS and positive.size)):
        return _linear(lines)
    low, high = (math.log10(max(float(end), 1e-300)) for end in (positive.min(), positive.max()))
    margin = max(0.03 * (high - low), (LEAST_DECADES - (high - low)) / 2)
    # Ticks beyond the last one that is seen are computed too, and must not overflow.
    low, high = max(min(low - margin, FARTHEST - 1), -FARTHEST), min(max(high + margin, 1 - FARTHEST), FARTHEST)
    return Scale(True, 10**low, 10**high)


def marked(x: np.ndarray, scale: Scale, place: int, methods: int) -> np.ndarray:
    """Returns the rows of a line that bear a marker: staggered, so that lines which coincide can still be told apart.

    Args:
        x: Where the rows lie along, (rows,).
        scale: Of the axis along.
        place: The method's place.
        methods: How many there are.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        begin, end = np.log(scale[1:]) if scale.logarithmic else scale[1:]
        across = np.log(x) if scale.logarithmic else x
    rows = np.flatnonzero(np.isfinite(across))
    wanted = begin + (end - begin) * (np.arange(MARKS) + (place + 1) / (methods + 1)) / MARKS
    return np.unique([rows[np.abs(across[rows] - target).argmin()] for target in wanted]) if rows.size else rows


def draw(
    axes: Axes, lines: Mapping[str, Curve], places: Mapping[str, int], column: str, scales: tuple[Scale, Scale]
) -> None:
    """Draws lines and bands.

    Args:
        axes: Where to draw.
        lines: Method -> its curve; the first is drawn last, so that what is compared stays on top.
        places: Every method of the figure, with the place that decides its colour.
        column: What is drawn up, for the label.
        scales: Of the axis along and of the axis up.
    """
    axes.set_ylabel(LABELS.get(column, column.replace("_", " ")))
    _scale_along(axes, scales[0])
    for name in reversed(list(lines)):
        _draw_curve(axes, name, lines[name], places[name], 1 + max(places.values()), scales[0])
    _scale_up(axes, scales[1])


def _draw_curve(axes: Axes, name: str, line: Curve, place: int, methods: int, along: Scale) -> None:
    mark = style.mark(place)
    axes.plot(line.x, line.median, label=name, color=mark.colour, linestyle=mark.dashes, zorder=3)
    if line.seeds > 1:
        axes.fill_between(line.x, line.low, line.high, color=mark.colour, alpha=0.18, linewidth=0, zorder=2)
    # Markers lie above every line.
    chosen = marked(line.x, along, place, methods)
    axes.plot(
        line.x[chosen],
        line.median[chosen],
        color=mark.colour,
        marker=mark.marker,
        linestyle="none",
        markeredgecolor="white",
        zorder=4,
    )


def _scale_along(axes: Axes, scale: Scale) -> None:
    if scale.logarithmic:
        axes.set_xscale("log", nonpositive="mask")
        axes.set_xlim(scale.low, scale.high)
        axes.xaxis.set_major_locator(LogLocator(numticks=7))
        axes.xaxis.set_minor_locator(NullLocator())
        return
    axes.set_xlim(scale.low, scale.high)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=True))
    large = scale.high >= 10_000
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if large else FuncFormatter(lambda x, _: f"{x:g}"))


def _scale_up(axes: Axes, scale: Scale) -> None:
    axes.set_ylim(scale.low, scale.high)  # first: Matplotlib would overflow on the range of a run that diverges
    if scale.logarithmic:
        # A zero (round-off) has no place on this axis: the line runs out at its foot.
        axes.set_yscale("log", nonpositive="clip")
        narrow = scale.high < 100 * scale.low  # the powers of ten alone would be too few ticks
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,), numticks=7))
        axes.yaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
        axes.yaxis.set_minor_locator(NullLocator())


def _linear(lines: Sequence[Curve]) -> Scale:
    """Lets the first rounds run out of a linear axis where they would press everything later into a thin strip."""
    whole, later = _finite_values(lines), _finite_values(lines, START)
    if not whole.size:
        return Scale(False, 0.0, 1.0)
    low, high = float(whole.min()), float(whole.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    if later.size and 0 < CROWDED * float(np.ptp(later)) < high - low:
        low, high = float(later.min()), float(later.max())
        margin = 0.2 * (high - low)
    return Scale(False, low - margin, high + margin)


def _finite_values(lines: Sequence[Curve], begin: float = 0.0) -> np.ndarray:
    """Returns every finite number of lines and bands after so large a share of the way along, (values,)."""
    kept = [np.stack([line.low, line.median, line.high])[:, line.x >= begin * line.x.max()] for line in lines]
    values = np.concatenate([part.ravel() for part in kept]) if kept else np.empty(0)
    return values[np.isfinite(values)]
