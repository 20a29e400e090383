"""Draws histories on one pair of axes: lines with bands, the scales of the axes, markers and labels."""

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
    "episode_length": "steps of a test episode",
    "metric": r"metric $M_t$",
    "stationarity": r"stationarity $\|\nabla\ell(\bar x)\|^2$",
    "consensus_error": r"consensus error $\Sigma_i\|x_i-\bar x\|^2$",
    "lower_error": r"lower error $\Sigma_i\|y_i^*(x_i)-y_i\|^2$",
    "lower_consensus_error": r"lower consensus $\Sigma_i\|y_i-\bar y\|^2$",
}
MARKERS_PER_LINE = 7
BUDGET_RATIO = 8  # between the longest and the shortest run; from here on the x axis is logarithmic
ALWAYS_LINEAR = ("return",)
START = 0.1  # a linear y axis may cut off this share of a run at its beginning
START_RATIO = 3  # it does so where the whole range is this many times the range after the start
MIN_DECADES = 0.8  # of a logarithmic axis, so that it has two ticks
MAX_EXPONENT = 150.0  # the largest power of ten on the axis of a run that diverges
ROUND_OFF = 1e-20  # relative to the largest error; the squared round-off of an average lies far below
WIDE_RANGE = 100  # from this ratio on, a positive observation has a logarithmic axis


class Curve(NamedTuple):
    """One method's line and band, each (rows,).

    Attributes:
        x: Rounds, samples or exchanges (the median over the seeds).
        median: The line.
        low: The lower edge of the band.
        high: The upper edge of the band.
        seeds: The number of seeds. There is no band with a single seed.
    """

    x: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int


class Scale(NamedTuple):
    """The scale and the limits of an axis.

    Attributes:
        logarithmic: Whether the axis is logarithmic.
        low: The lower limit.
        high: The upper limit.
    """

    logarithmic: bool
    low: float
    high: float


def curve(history: pd.DataFrame, column: str, against: str) -> Curve:
    """Returns the line and the band of a history.

    Args:
        history: One row per round (and seed).
        column: The column on the y axis.
        against: The column on the x axis: "round", "samples" or "exchanges".
    """
    values = by_seed(history, column)
    rounds_or_costs = values.index if against == "round" else by_seed(history, against).median(axis=1)
    numbers = values.to_numpy(np.float64)
    negligible = ROUND_OFF * numbers[np.isfinite(numbers)].max(initial=0.0)
    if column in ERRORS and (started := (numbers > negligible).any(axis=1)).any():
        # Agents that start at the same point have no consensus error but round-off, which would stretch the axis.
        numbers = np.where(np.arange(len(numbers))[:, None] < started.argmax(), np.nan, numbers)
    x = rounds_or_costs.to_numpy(np.float64)
    known = np.isfinite(x)
    return Curve(x[known], *spread(numbers[known]), values.shape[1])


def curves(histories: Mapping[str, pd.DataFrame], column: str, against: str) -> dict[str, Curve]:
    """Returns the curve of every method whose history has the column; the arguments are those of `curve`."""
    drawn = {name: curve(history, column, against) for name, history in histories.items() if column in history}
    return {name: line for name, line in drawn.items() if line.x.size}


def x_label(histories: Mapping[str, pd.DataFrame], against: str) -> str:
    """Returns the label of the x axis: in a game, samples are steps of the environment."""
    if against == "samples" and any(RETURN in history for history in histories.values()):
        return "environment steps"
    return LABELS[against]


def x_scale(lines: Sequence[Curve]) -> Scale:
    """Returns the scale of the x axis: logarithmic where the budgets of the methods differ widely."""
    ends = [end for line in lines if (end := float(line.x.max())) > 0]
    right = 1.015 * max(ends, default=1.0)  # leaves room for the last marker
    if ends and right >= BUDGET_RATIO * min(ends):
        positive = np.concatenate([line.x[line.x > 0] for line in lines])
        return Scale(True, float(positive.min()), 1.2 * right)
    return Scale(False, 0.0, right)


def y_scale(lines: Sequence[Curve], column: str) -> Scale:
    """Returns the scale of the y axis: logarithmic for errors and for positive values over a wide range.

    Args:
        lines: All curves on the axes.
        column: The column on the y axis.
    """
    values = _finite_values(lines)
    positive = values[values > 0]
    wide = positive.size and positive.size == values.size and positive.max() >= WIDE_RANGE * positive.min()
    wide = wide and column not in ALWAYS_LINEAR
    if not (wide or (column in ERRORS and positive.size)):
        return _linear(lines)
    low, high = (math.log10(max(float(end), 1e-300)) for end in (positive.min(), positive.max()))
    margin = max(0.03 * (high - low), (MIN_DECADES - (high - low)) / 2)
    # Matplotlib also computes ticks beyond the limits, and these must not overflow.
    low, high = (
        max(min(low - margin, MAX_EXPONENT - 1), -MAX_EXPONENT),
        min(max(high + margin, 1 - MAX_EXPONENT), MAX_EXPONENT),
    )
    return Scale(True, 10**low, 10**high)


def marker_rows(x: np.ndarray, scale: Scale, index: int, methods: int) -> np.ndarray:
    """Returns the rows of a line that have a marker, staggered so that coinciding lines stay distinguishable.

    Args:
        x: The x values of the rows, (rows,).
        scale: The scale of the x axis.
        index: The index of the method.
        methods: The number of methods.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        begin, end = np.log(scale[1:]) if scale.logarithmic else scale[1:]
        positions = np.log(x) if scale.logarithmic else x
    rows = np.flatnonzero(np.isfinite(positions))
    targets = begin + (end - begin) * (np.arange(MARKERS_PER_LINE) + (index + 1) / (methods + 1)) / MARKERS_PER_LINE
    return np.unique([rows[np.abs(positions[rows] - target).argmin()] for target in targets]) if rows.size else rows


def draw(
    axes: Axes, lines: Mapping[str, Curve], indices: Mapping[str, int], column: str, scales: tuple[Scale, Scale]
) -> None:
    """Draws lines and bands.

    Args:
        axes: The axes to draw on.
        lines: Method -> its curve. The first is drawn last, so that the method of interest stays on top.
        indices: Every method of the figure with its index, which determines its colour.
        column: The column on the y axis, for the label.
        scales: The scales of the x axis and of the y axis.
    """
    axes.set_ylabel(LABELS.get(column, column.replace("_", " ")))
    _apply_x_scale(axes, scales[0])
    for name in reversed(list(lines)):
        _draw_curve(axes, name, lines[name], indices[name], 1 + max(indices.values()), scales[0])
    _apply_y_scale(axes, scales[1])


def _draw_curve(axes: Axes, name: str, line: Curve, index: int, methods: int, scale: Scale) -> None:
    mark = style.mark(index)
    axes.plot(line.x, line.median, label=name, color=mark.colour, linestyle=mark.dashes, zorder=3)
    if line.seeds > 1:
        axes.fill_between(line.x, line.low, line.high, color=mark.colour, alpha=0.18, linewidth=0, zorder=2)
    # Markers are drawn above every line.
    chosen = marker_rows(line.x, scale, index, methods)
    axes.plot(
        line.x[chosen],
        line.median[chosen],
        color=mark.colour,
        marker=mark.marker,
        linestyle="none",
        markeredgecolor="white",
        zorder=4,
    )


def _apply_x_scale(axes: Axes, scale: Scale) -> None:
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


def _apply_y_scale(axes: Axes, scale: Scale) -> None:
    axes.set_ylim(scale.low, scale.high)  # before the scale: Matplotlib overflows on the range of a diverging run
    if scale.logarithmic:
        # A zero cannot be shown on this axis: the line leaves it at the lower end.
        axes.set_yscale("log", nonpositive="clip")
        narrow = scale.high < 100 * scale.low  # powers of ten alone would give too few ticks
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,), numticks=7))
        axes.yaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
        axes.yaxis.set_minor_locator(NullLocator())


def _linear(lines: Sequence[Curve]) -> Scale:
    """Cuts off the first rounds where they would compress all later values into a small part of the axis."""
    everything, later = _finite_values(lines), _finite_values(lines, START)
    if not everything.size:
        return Scale(False, 0.0, 1.0)
    low, high = float(everything.min()), float(everything.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    if later.size and 0 < START_RATIO * float(np.ptp(later)) < high - low:
        low, high = float(later.min()), float(later.max())
        margin = 0.2 * (high - low)
    return Scale(False, low - margin, high + margin)


def _finite_values(lines: Sequence[Curve], begin: float = 0.0) -> np.ndarray:
    """Returns the finite values of lines and bands beyond a share of the x range, (values,)."""
    kept = [np.stack([line.low, line.median, line.high])[:, line.x >= begin * line.x.max()] for line in lines]
    values = np.concatenate([part.ravel() for part in kept]) if kept else np.empty(0)
    return values[np.isfinite(values)]
