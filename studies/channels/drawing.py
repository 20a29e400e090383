"""The figures: distances against rounds, laws, and distances against bytes."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from hypergossip.figures import style
from hypergossip.figures.axes import Scale, marker_rows
from hypergossip.figures.histories import spread
from studies.channels.cases import Case
from studies.channels.laws import Law
from studies.channels.setting import METHODS

DISTANCE = r"mean$_i$ $|x_i-x^*|^2$"
PANEL = (3.4, 2.35)  # inches
INDEX = {name: index for index, name in enumerate(METHODS)}
INDEX |= {"stochastic": 0, "nearest": 1}
LABELS = {"stochastic": "random rounding", "nearest": "nearest"}
STEPS = (1, 2, 2.5, 5, 10)
NARROW = 2.6  # inches, of a panel in a row of three


def curves(case: Case, found: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]], law: Law | None) -> Figure:
    """Returns the figure of a channel.

    Args:
        case: Its panels.
        found: Panel -> method -> rounds and distances, (looks,) and (looks, seeds).
        law: The law in a panel of its own, or None.
    """
    count = len(case.panels) + (law is not None)
    rows = math.ceil(count / case.columns)
    width = PANEL[0] if case.columns == 2 else NARROW
    figure = style.blank(case.columns * width, rows * PANEL[1] + 0.35)
    cells = figure.add_gridspec(rows, case.columns)
    for place, (name, panel) in enumerate(case.panels.items()):
        axes = figure.add_subplot(cells[place // case.columns, place % case.columns])
        end = max(int(rounds[-1]) for rounds, _ in found[name].values())
        for method, (rounds, distances) in found[name].items():
            _line(axes, rounds, distances, method, Scale(False, 0, end))
        _distance_axis(axes, panel.limits)
        axes.set_title(panel.title)
        axes.set_xlim(0, 1.015 * end)
        axes.set_xlabel("rounds")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
        if place % case.columns == 0:
            axes.set_ylabel(DISTANCE)
    if law is not None:
        place = len(case.panels)
        _law(figure.add_subplot(cells[place // case.columns, place % case.columns]), law)
    handles = [_handle(name, name) for name in METHODS]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), handlelength=2.0, columnspacing=1.2)
    return figure


def _line(axes: Axes, x: np.ndarray, values: np.ndarray, name: str, scale: Scale) -> None:
    """Draws the median over the seeds and their band; a run that has diverged has no line from there on."""
    with np.errstate(over="ignore", invalid="ignore"):
        median, low, high = spread(np.where(values < 1e30, values, np.nan))
    mark = style.mark(INDEX[name])
    axes.plot(x, median, color=mark.colour, zorder=3)
    if values.shape[1] > 1:
        axes.fill_between(x, low, high, color=mark.colour, alpha=0.18, linewidth=0, zorder=2)
    known = np.flatnonzero(np.isfinite(median))
    chosen = known[marker_rows(x[known], scale, INDEX[name], len(METHODS))]
    axes.plot(x[chosen], median[chosen], mark.marker, color=mark.colour, markeredgecolor="white", zorder=4)


def _distance_axis(axes: Axes, limits: tuple[float, float]) -> None:
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(LogLocator(numticks=8))
    axes.yaxis.set_minor_locator(NullLocator())


def _law(axes: Axes, law: Law) -> None:
    """Draws means over the runs, and the law dashed."""
    points = law.x.size < 10
    for name, values in law.measured.items():
        mark = style.mark(INDEX[name])
        label = LABELS.get(name, name)
        axes.plot(law.x, values, mark.marker if points else "-", color=mark.colour, label=label, zorder=3)
        if not points:
            kept = (values > 0) & (law.x > 0)
            chosen = np.flatnonzero(kept)[marker_rows(law.x[kept], Scale(False, 0, law.x[-1]), INDEX[name], 5)]
            axes.plot(law.x[chosen], values[chosen], mark.marker, color=mark.colour, markeredgecolor="white", zorder=4)
        if name in law.derived:
            axes.plot(law.x, law.derived[name], "--", color=style.INK, linewidth=1.0, zorder=5)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=7))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    kept = np.concatenate([v[law.x >= 0.04 * law.x[-1]] for v in law.measured.values()])
    axes.set_ylim(0.3 * kept[kept > 0].min(), 4 * kept.max())
    axes.set_xlim(0 if not points else 0.5, 1.015 * law.x[-1] if not points else law.x[-1] + 0.5)
    axes.set_title(law.title)
    axes.set_xlabel(law.x_label)
    axes.set_ylabel(law.y_label)
    axes.xaxis.set_major_locator(MaxNLocator(5 if not points else 7, steps=STEPS))
    if set(law.measured) - set(METHODS):
        handles = [_handle(name, LABELS[name]) for name in law.measured]
        axes.legend(handles=handles, loc="lower right", handlelength=2.0)


def _handle(name: str, label: str) -> Line2D:
    mark = style.mark(INDEX[name])
    return Line2D([], [], color=mark.colour, marker=mark.marker, markeredgecolor="white", label=label)


def costs(found: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]) -> Figure:
    """Returns the figure of distances against bytes.

    Args:
        found: Method -> code -> bytes that an agent has sent and distances, each (looks,).
    """
    figure = style.blank(2 * PANEL[0], PANEL[1] + 0.45)
    cells = figure.add_gridspec(1, len(found))
    first: Axes | None = None
    for place, (method, codes) in enumerate(found.items()):
        axes = figure.add_subplot(cells[0, place], sharey=first)
        first = first or axes
        for index, (code, (sent, distances)) in enumerate(codes.items()):
            mark = style.mark(index)
            kilobytes = sent[1:] / 1000
            axes.plot(kilobytes, distances[1:], color=mark.colour, label=code, zorder=3)
            shown = Scale(True, 10.0, float(kilobytes[-1]))
            chosen = marker_rows(kilobytes, shown, index, len(codes))
            axes.plot(
                kilobytes[chosen],
                distances[1:][chosen],
                mark.marker,
                color=mark.colour,
                markeredgecolor="white",
                zorder=4,
            )
        axes.set_xscale("log")
        axes.set_xlim(left=5.0)
        axes.xaxis.set_minor_locator(NullLocator())
        _distance_axis(axes, (1e-33, 1e3))
        axes.set_title(method)
        axes.set_xlabel("kB sent by an agent")
        if place:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(DISTANCE)
            handles = [
                Line2D([], [], color=m.colour, marker=m.marker, markeredgecolor="white", label=code)
                for code, m in zip(codes, map(style.mark, range(len(codes))), strict=True)
            ]
            figure.legend(handles=handles, loc="outside upper center", ncols=len(codes), columnspacing=1.2)
    return figure
