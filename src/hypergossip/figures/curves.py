"""Figures of histories and networks, on Matplotlib's figure objects alone: no window, no global state."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D

from hypergossip.figures import axes as panels
from hypergossip.figures import network as network_picture
from hypergossip.figures import style
from hypergossip.figures.histories import check, errors, leading, observations, rounds_shown, spread_in_words
from hypergossip.networks.network import Network


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
    """Returns the figure that `convergence` writes: two panels of the metric above one for each of its parts.

    Where there is no metric, as in a game, the first observation is in its place, and below are the consensus errors.
    """
    check(histories)
    first, talks = leading(histories.values()), rounds_shown(histories.values())
    parts = errors(histories.values())
    with style.look():
        figure = style.blank(min(3, max(2, len(parts))) * style.PANEL[0], 2.2 * style.PANEL[1])
        cells = figure.add_gridspec(2, 2 * len(parts))
        rounds = figure.add_subplot(cells[0, : len(parts)])
        samples = figure.add_subplot(cells[0, len(parts) :], sharey=rounds)
        _panel(rounds, histories, first, talks)
        _panel(samples, histories, first, "samples")
        read_from_the_left(samples)
        for place, part in enumerate(parts):
            _panel(figure.add_subplot(cells[1, 2 * place : 2 * place + 2]), histories, part, talks)
        _name_methods(figure, histories)
    return figure


def comparison_figure(histories: dict[str, pd.DataFrame], network: Network, title: str = "") -> Figure:
    """Returns the figure that `comparison` writes: panels two abreast, and the network in the place that is left."""
    check(histories)
    first, talks = leading(histories.values()), rounds_shown(histories.values())
    drawn = [(first, talks), (first, "samples")]
    drawn += [(name, talks) for name in observations(histories.values()) if name != first]
    if first != "metric":
        drawn += [(name, talks) for name in errors(histories.values(), seen=True)]
    rows = math.ceil(len(drawn) / 2)
    beside = len(drawn) % 2 == 0  # no cell is left: the network has one in a column of its own
    with style.look():
        figure = style.blank((3 if beside else 2) * style.PANEL[0], rows * style.PANEL[1] + 0.6)
        cells = figure.add_gridspec(rows, 3 if beside else 2)
        rounds, samples, *_ = (figure.add_subplot(cells[place // 2, place % 2]) for place in range(len(drawn)))
        samples.sharey(rounds)
        for axes, (column, against) in zip(figure.axes, drawn, strict=True):
            _panel(axes, histories, column, against)
        read_from_the_left(samples)
        network_picture.draw(network, figure.add_subplot(cells[0, 2] if beside else cells[-1, 1]))
        _name_methods(figure, histories, title, cells[1:, 2] if beside and rows > 1 else None)
    return figure


def network_figure(network: Network) -> Figure:
    """Returns the figure that `network` writes."""
    with style.look():
        figure = style.blank(4.6, 3.8)
        network_picture.draw(network, figure.add_subplot())
    return figure


def legend_lines(places: Sequence[int]) -> list[Line2D]:
    """Returns what a legend shows for the methods in these places of a comparison."""
    return [
        Line2D([], [], color=shown.colour, linestyle=shown.dashes, marker=shown.marker, markeredgecolor="white")
        for shown in map(style.mark, places)
    ]


def _panel(axes: Axes, histories: dict[str, pd.DataFrame], column: str, against: str) -> None:
    lines = panels.curves(histories, column, against)
    scales = panels.along(list(lines.values())), panels.up(list(lines.values()), column)
    axes.set_xlabel(panels.label_along(histories, against))
    panels.draw(axes, lines, {name: place for place, name in enumerate(histories)}, column, scales)


def read_from_the_left(axes: Axes) -> None:
    """Takes the labels off an axis that its left neighbour shares."""
    axes.set_ylabel("")
    axes.tick_params(labelleft=False)


def _name_methods(
    figure: Figure, histories: dict[str, pd.DataFrame], title: str = "", cell: SubplotSpec | None = None
) -> None:
    """Adds the legend, in a cell that is free or else above the figure, the title above it, and what the bands are."""
    lines = legend_lines(range(len(histories)))
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
