"""Figures of histories and networks, on Matplotlib's figure objects alone: no window, no global state."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, LogFormatterSciNotation, LogLocator, MaxNLocator, NullLocator

from hypergossip.networks.network import Network
from hypergossip.report import network_picture, style
from hypergossip.report.histories import ERRORS, by_seed, check, observations, spread, spread_in_words

LABELS = {
    "round": "communication rounds",
    "samples": "samples per agent",
    "metric": r"metric $M_t$",
    "stationarity": r"stationarity $\|\nabla\ell(\bar x)\|^2$",
    "consensus_error": r"consensus error $\Sigma_i\|x_i-\bar x\|^2$",
    "lower_error": r"lower error $\Sigma_i\|y_i^*(x_i)-y_i\|^2$",
    "lower_consensus_error": r"lower consensus $\Sigma_i\|y_i-\bar y\|^2$",
}
MARKS = 7  # markers on a line
UNLIKE_BUDGETS = 20  # from this ratio of samples between methods on, their axis is logarithmic
START = 0.1  # the share of a run that may leave a linear axis
CROWDED = 3  # from so many times the later range on
LEAST_DECADES = 0.8  # on a logarithmic axis: room for two ticks
WIDE_RANGE = 100  # from this ratio on, a positive observation is drawn on a logarithmic axis


class Curve(NamedTuple):
    """One method's line and band, each (rows,).

    Attributes:
        x: Rounds or samples; the median over the seeds.
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


def convergence(histories: dict[str, pd.DataFrame], path: Path | str) -> Path:
    """Writes a figure of the metric against rounds and samples, and of its parts against rounds.

    Args:
        histories: Method -> history, one row a round (and seed).
        path: Ends in .png, .pdf or .svg.

    Returns:
        The path.

    Raises:
        ValueError: If there is nothing to draw, a history lacks a column, or the path's ending is not known.
    """
    return style.write(convergence_figure(histories), path)


def comparison(histories: dict[str, pd.DataFrame], network: Network, path: Path | str, title: str = "") -> Path:
    """Writes the figure of a comparison: metric against rounds and samples, own observations, and the network.

    Args:
        histories: Method -> history, one row a round (and seed).
        network: On which the methods ran.
        path: Ends in .png, .pdf or .svg.
        title: Above the figure.

    Returns:
        The path.

    Raises:
        ValueError: If there is nothing to draw, a history lacks a column, or the path's ending is not known.
    """
    return style.write(comparison_figure(histories, network, title), path)


def network(network: Network, path: Path | str) -> Path:
    """Writes a picture of a network.

    Args:
        network: The network.
        path: Ends in .png, .pdf or .svg.

    Returns:
        The path.

    Raises:
        ValueError: If the path's ending is not known.
    """
    return style.write(network_figure(network), path)


def convergence_figure(histories: dict[str, pd.DataFrame]) -> Figure:
    """Returns the figure that `convergence` writes: two panels of the metric above one for each of its parts."""
    check(histories)
    parts = [part for part in ERRORS[1:] if any(part in history for history in histories.values())]
    with style.look():
        figure = style.blank(3 * style.PANEL[0], 2.2 * style.PANEL[1])
        cells = figure.add_gridspec(2, 2 * len(parts))
        rounds = figure.add_subplot(cells[0, : len(parts)])
        samples = figure.add_subplot(cells[0, len(parts) :], sharey=rounds)
        _panel(rounds, histories, "metric", "round")
        _panel(samples, histories, "metric", "samples")
        _read_from_the_left(samples)
        for place, part in enumerate(parts):
            _panel(figure.add_subplot(cells[1, 2 * place : 2 * place + 2]), histories, part, "round")
        _name_methods(figure, histories)
    return figure


def comparison_figure(histories: dict[str, pd.DataFrame], network: Network, title: str = "") -> Figure:
    """Returns the figure that `comparison` writes: panels two abreast, and the network in the place that is left."""
    check(histories)
    drawn = [("metric", "round"), ("metric", "samples")]
    drawn += [(name, "round") for name in observations(histories.values())]
    rows = math.ceil(len(drawn) / 2)
    beside = len(drawn) % 2 == 0  # no cell is left: the network has one in a column of its own
    with style.look():
        figure = style.blank((3 if beside else 2) * style.PANEL[0], rows * style.PANEL[1] + 0.6)
        cells = figure.add_gridspec(rows, 3 if beside else 2)
        rounds, samples, *_ = (figure.add_subplot(cells[place // 2, place % 2]) for place in range(len(drawn)))
        samples.sharey(rounds)
        for axes, (column, against) in zip(figure.axes, drawn, strict=True):
            _panel(axes, histories, column, against)
        _read_from_the_left(samples)
        network_picture.draw(network, figure.add_subplot(cells[0, 2] if beside else cells[-1, 1]))
        _name_methods(figure, histories, title, cells[1:, 2] if beside and rows > 1 else None)
    return figure


def network_figure(network: Network) -> Figure:
    """Returns the figure that `network` writes."""
    with style.look():
        figure = style.blank(4.6, 3.8)
        network_picture.draw(network, figure.add_subplot())
    return figure


def curve(history: pd.DataFrame, column: str, against: str) -> Curve:
    """Returns a history's line and band.

    Args:
        history: One row a round (and seed).
        column: What is drawn up.
        against: What is drawn along: "round" or "samples".
    """
    values = by_seed(history, column)
    along = values.index if against == "round" else by_seed(history, against).median(axis=1)
    numbers = values.to_numpy(np.float64)
    if column in ERRORS and (started := (numbers > 0).any(axis=1)).any():
        # Agents that start alike: the line begins where there is an error.
        numbers = np.where(np.arange(len(numbers))[:, None] < started.argmax(), np.nan, numbers)
    x = along.to_numpy(np.float64)
    known = np.isfinite(x)
    return Curve(x[known], *spread(numbers[known]), values.shape[1])


def _panel(axes: Axes, histories: dict[str, pd.DataFrame], column: str, against: str) -> None:
    places = {name: place for place, name in enumerate(histories) if column in histories[name]}
    drawn = {name: curve(histories[name], column, against) for name in places}
    curves = {name: line for name, line in drawn.items() if line.x.size}
    axes.set_xlabel(LABELS[against])
    axes.set_ylabel(LABELS.get(column, column.replace("_", " ")))
    _scale_along(axes, list(curves.values()))
    # The first method is drawn last: what is compared stays on top of what it is compared with.
    for name in reversed(curves):
        _draw_curve(axes, name, curves[name], places[name], len(histories))
    _scale_up(axes, list(curves.values()), column)


def _draw_curve(axes: Axes, name: str, line: Curve, place: int, methods: int) -> None:
    mark = style.mark(place)
    axes.plot(line.x, line.median, label=name, color=mark.colour, linestyle=mark.dashes, zorder=3)
    if line.seeds > 1:
        axes.fill_between(line.x, line.low, line.high, color=mark.colour, alpha=0.18, linewidth=0, zorder=2)
    # Markers lie above every line and are staggered, so that lines which coincide can still be told apart.
    begin, end = axes.transData.transform([(x, 1.0) for x in axes.get_xlim()])[:, 0]
    wanted = begin + (end - begin) * (np.arange(MARKS) + (place + 1) / (methods + 1)) / MARKS
    across = axes.transData.transform(np.stack([line.x, np.ones_like(line.x)], axis=1))[:, 0]
    rows = np.flatnonzero(np.isfinite(across))
    chosen = np.unique([rows[np.abs(across[rows] - target).argmin()] for target in wanted]) if rows.size else rows
    axes.plot(
        line.x[chosen],
        line.median[chosen],
        color=mark.colour,
        marker=mark.marker,
        linestyle="none",
        markeredgecolor="white",
        zorder=4,
    )


def _scale_along(axes: Axes, curves: list[Curve]) -> None:
    ends = [end for line in curves if (end := float(line.x.max())) > 0]
    right = 1.015 * max(ends, default=1.0)  # no marker is cut in half
    if ends and right >= UNLIKE_BUDGETS * min(ends):
        axes.set_xscale("log", nonpositive="mask")
        positive = np.concatenate([line.x[line.x > 0] for line in curves])
        axes.set_xlim(float(positive.min()), 1.2 * right)
        axes.xaxis.set_major_locator(LogLocator(numticks=7))
        axes.xaxis.set_minor_locator(NullLocator())
        return
    axes.set_xlim(0, right)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if right >= 10_000 else FuncFormatter(lambda x, _: f"{x:g}"))


def _scale_up(axes: Axes, curves: list[Curve], column: str) -> None:
    values = _finite_values(curves)
    positive = values[values > 0]
    wide = positive.size and positive.size == values.size and positive.max() >= WIDE_RANGE * positive.min()
    if not (wide or (column in ERRORS and positive.size)):
        _leave_out_the_start(axes, curves)
        return
    # A zero (round-off) has no place on this axis: the line runs out at its foot.
    axes.set_yscale("log", nonpositive="clip")
    low, high = (math.log10(max(float(end), 1e-300)) for end in (positive.min(), positive.max()))
    margin = max(0.03 * (high - low), (LEAST_DECADES - (high - low)) / 2)
    axes.set_ylim(10 ** (low - margin), 10 ** (high + margin))
    narrow = high - low < 2  # the powers of ten alone would be too few ticks
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,), numticks=7))
    axes.yaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
    axes.yaxis.set_minor_locator(NullLocator())


def _leave_out_the_start(axes: Axes, curves: list[Curve]) -> None:
    """Lets the first rounds run out of a linear axis where they would press everything later into a thin strip."""
    whole, later = _finite_values(curves), _finite_values(curves, START)
    if not later.size:
        return
    low, high = float(later.min()), float(later.max())
    if 0 < CROWDED * (high - low) < whole.max() - whole.min():
        axes.set_ylim(low - 0.2 * (high - low), high + 0.2 * (high - low))


def _finite_values(curves: list[Curve], begin: float = 0.0) -> np.ndarray:
    """Returns every finite number of lines and bands after so large a share of the way along, (values,)."""
    kept = [np.stack([line.low, line.median, line.high])[:, line.x >= begin * line.x.max()] for line in curves]
    values = np.concatenate([part.ravel() for part in kept]) if kept else np.empty(0)
    return values[np.isfinite(values)]


def _read_from_the_left(axes: Axes) -> None:
    """Takes the labels off an axis that its left neighbour shares."""
    axes.set_ylabel("")
    axes.tick_params(labelleft=False)


def _name_methods(
    figure: Figure, histories: dict[str, pd.DataFrame], title: str = "", cell: SubplotSpec | None = None
) -> None:
    """Adds the legend, in a cell that is free or else above the figure, the title above it, and what the bands are."""
    lines = [
        Line2D([], [], color=shown.colour, linestyle=shown.dashes, marker=shown.marker, markeredgecolor="white")
        for shown in map(style.mark, range(len(histories)))
    ]
    if sentence := spread_in_words(histories):
        figure.supxlabel(sentence, fontsize=style.SMALL, color=style.FAINT)
    if cell is None:
        # Layouts make room for a legend or for a title above a figure, not for both: the title is the legend's.
        legend = figure.legend(
            lines, list(histories), loc="outside upper center", ncols=min(len(histories), 5), title=title or None
        )
        legend.get_title().set_fontsize(style.TITLE)
        return
    if title:
        figure.suptitle(title)
    free = figure.add_subplot(cell)
    style.without_frame(free)
    free.legend(lines, list(histories), loc="center", labelspacing=0.9, fontsize=style.TITLE)
