"""Draws M_t of every method against rounds and samples, a row of panels a group, names at the lines' ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from hypergossip.figures import style
from hypergossip.figures.axes import LABELS, curve
from hypergossip.figures.histories import spread_description

NAME_HEIGHT = 0.052  # of a panel: the least distance between two names
MARK_EVERY = 4  # rows


def write(groups: Mapping[str, Mapping[str, pd.DataFrame]], path: Path) -> Path:
    """Writes the figure.

    Args:
        groups: Title -> method -> history.
        path: Ends in .png, .pdf or .svg.
    """
    with style.look():
        figure = style.blank(4 * style.PANEL[0], len(groups) * 1.6 * style.PANEL[1])
        panels = figure.subplots(len(groups), 2, squeeze=False)
        for row, (title, histories) in zip(panels, groups.items(), strict=True):
            for axes, against in zip(row, ("round", "samples"), strict=True):
                _panel(axes, histories, against)
            row[0].set_title(title)
            row[0].set_ylabel(LABELS["metric"])
        everyone = {name: history for histories in groups.values() for name, history in histories.items()}
        if sentence := spread_description(everyone):
            figure.supxlabel(sentence, fontsize=style.SMALL, color=style.FAINT)
    return style.write(figure, path)


def _panel(axes: Axes, histories: Mapping[str, pd.DataFrame], against: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(LABELS[against])
    ends = {}
    for place, (name, history) in enumerate(histories.items()):
        line = curve(history, "metric", against)
        seen = (line.x > 0) & np.isfinite(line.median)
        if not seen.any():
            continue
        x, mark = line.x[seen], style.mark(place)
        axes.plot(x, line.median[seen], color=mark.colour, linestyle=mark.dashes, linewidth=1.2, zorder=3)
        if line.seeds > 1:
            axes.fill_between(x, line.low[seen], line.high[seen], color=mark.colour, alpha=0.12, linewidth=0, zorder=2)
        marked = slice(place % MARK_EVERY, None, MARK_EVERY)  # staggered, to tell lines apart that coincide
        axes.plot(
            x[marked],
            line.median[seen][marked],
            color=mark.colour,
            marker=mark.marker,
            markersize=4,
            markeredgecolor="white",
            linestyle="none",
            zorder=4,
        )
        ends[name] = (float(x[-1]), float(line.median[seen][-1]), mark)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_minor_locator(NullLocator())
    _name(axes, ends)


def _name(axes: Axes, ends: Mapping[str, tuple[float, float, Any]]) -> None:
    """Writes the names in a column to the right, as high as their lines end, and joins each to its end."""
    if not ends:
        return
    axes.margins(x=0.01)
    across = lambda x, y: axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
    places = {name: across(x, y) for name, (x, y, _) in ends.items()}
    for name, height in zip(
        order := sorted(places, key=lambda name: places[name][1]), apart([places[n][1] for n in order]), strict=True
    ):
        x, y, mark = ends[name]
        axes.plot([x], [y], marker="o", markersize=2.5, color=mark.colour, zorder=4)
        axes.annotate(
            name,
            xy=(x, y),
            xycoords="data",
            xytext=(1.06, height),
            textcoords="axes fraction",
            color=mark.colour,
            fontsize=style.SMALL,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": mark.colour,
                "linewidth": 0.5,
                "linestyle": mark.dashes,
                "alpha": 0.6,
            },
        )


def apart(heights: list[float], least: float = NAME_HEIGHT) -> np.ndarray:
    """Moves ascending heights so far apart that names do not touch, and as little as that takes.

    Clusters that overlap are merged, and each is spread around the mean of its members.
    """
    clusters: list[list[float]] = []
    for height in heights:
        clusters.append([height])
        while len(clusters) > 1 and _top(clusters[-2], least) + least > _bottom(clusters[-1], least):
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    spread = [_bottom(cluster, least) + least * np.arange(len(cluster)) for cluster in clusters]
    return np.concatenate(spread) if spread else np.empty(0)


def _bottom(cluster: list[float], least: float) -> float:
    return float(np.mean(cluster)) - least * (len(cluster) - 1) / 2


def _top(cluster: list[float], least: float) -> float:
    return float(np.mean(cluster)) + least * (len(cluster) - 1) / 2
