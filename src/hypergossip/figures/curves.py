"""Writes figures of histories and networks without opening a window or changing Matplotlib's settings."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D

from hypergossip.figures import axes as axes_drawing
from hypergossip.figures import network as network_drawing
from hypergossip.figures import style
from hypergossip.figures.histories import check, errors, leading, observations, rounds_shown, spread_description
from hypergossip.networks.changing import AnyNetwork


def convergence(histories: dict[str, pd.DataFrame], path: Path | str) -> Path:
    """Writes a figure of the metric against rounds and samples, and of its terms against rounds.

    Args:
        histories: Method -> history, one row per round (and seed).
        path: Ends in .png, .pdf or .svg.

    Returns:
        The path.

    Raises:
        ValueError: If there is nothing to draw, a history lacks a column, or the path has an unknown ending.
    """
    return style.write(convergence_figure(histories), path)


def comparison(
    histories: dict[str, pd.DataFrame], network: AnyNetwork, path: Path | str, title: str = "", channel: str = ""
) -> Path:
    """Writes a comparison: the metric against rounds and samples, the problem's observations, and the network.

    Args:
        histories: Method -> history, one row per round (and seed).
        network: The network on which the methods ran.
        path: Ends in .png, .pdf or .svg.
        title: The title of the figure.
        channel: The stages of the channel in words; empty for the ideal one.

    Returns:
        The path.

    Raises:
        ValueError: If there is nothing to draw, a history lacks a column, or the path has an unknown ending.
    """
    return style.write(comparison_figure(histories, network, title, channel), path)


def network(network: AnyNetwork, path: Path | str) -> Path:
    """Writes a figure of a network.

    Args:
        network: The network.
        path: Ends in .png, .pdf or .svg.

    Returns:
        The path.

    Raises:
        ValueError: If the path has an unknown ending.
    """
    return style.write(network_figure(network), path)


def convergence_figure(histories: dict[str, pd.DataFrame]) -> Figure:
    """Returns the figure that `convergence` writes: the metric in the first row, each of its terms in the second.

    A game has no metric. Its figure shows the first observation, and the consensus errors in the second row.
    """
    check(histories)
    first, rounds_column = leading(histories.values()), rounds_shown(histories.values())
    terms = errors(histories.values())
    with style.look():
        figure = style.blank(min(3, max(2, len(terms))) * style.PANEL[0], 2.2 * style.PANEL[1])
        cells = figure.add_gridspec(2, 2 * len(terms))
        rounds = figure.add_subplot(cells[0, : len(terms)])
        samples = figure.add_subplot(cells[0, len(terms) :], sharey=rounds)
        _draw(rounds, histories, first, rounds_column)
        _draw(samples, histories, first, "samples")
        hide_shared_y_labels(samples)
        for index, term in enumerate(terms):
            _draw(figure.add_subplot(cells[1, 2 * index : 2 * index + 2]), histories, term, rounds_column)
        _add_legend(figure, histories)
    return figure


def comparison_figure(
    histories: dict[str, pd.DataFrame], network: AnyNetwork, title: str = "", channel: str = ""
) -> Figure:
    """Returns the figure that `comparison` writes: axes in two columns, and the network in the free cell.

    Args:
        histories: Method -> history, one row per round (and seed).
        network: The network on which the methods ran.
        title: The title of the figure.
        channel: The stages of the channel in words; empty for the ideal one.
    """
    check(histories)
    first, rounds_column = leading(histories.values()), rounds_shown(histories.values())
    drawn = [(first, rounds_column), (first, "samples")]
    drawn += [(name, rounds_column) for name in observations(histories.values()) if name != first]
    if first != "metric":
        drawn += [(name, rounds_column) for name in errors(histories.values(), seen=True)]
    rows = math.ceil(len(drawn) / 2)
    full = len(drawn) % 2 == 0  # no cell is free, so the network is drawn in a third column
    with style.look():
        figure = style.blank((3 if full else 2) * style.PANEL[0], rows * style.PANEL[1] + 0.6)
        cells = figure.add_gridspec(rows, 3 if full else 2)
        rounds, samples, *_ = (figure.add_subplot(cells[index // 2, index % 2]) for index in range(len(drawn)))
        samples.sharey(rounds)
        for axes, (column, against) in zip(figure.axes, drawn, strict=True):
            _draw(axes, histories, column, against)
        hide_shared_y_labels(samples)
        network_drawing.draw(network, figure.add_subplot(cells[0, 2] if full else cells[-1, 1]), channel)
        _add_legend(figure, histories, title, cells[1:, 2] if full and rows > 1 else None)
    return figure


def network_figure(network: AnyNetwork) -> Figure:
    """Returns the figure that `network` writes."""
    with style.look():
        figure = style.blank(4.6, 3.8)
        network_drawing.draw(network, figure.add_subplot())
    return figure


def legend_handles(indices: Sequence[int]) -> list[Line2D]:
    """Returns the handles of a legend for the methods with these indices."""
    return [
        Line2D([], [], color=shown.colour, linestyle=shown.dashes, marker=shown.marker, markeredgecolor="white")
        for shown in map(style.mark, indices)
    ]


def _draw(axes: Axes, histories: dict[str, pd.DataFrame], column: str, against: str) -> None:
    lines = axes_drawing.curves(histories, column, against)
    scales = axes_drawing.x_scale(list(lines.values())), axes_drawing.y_scale(list(lines.values()), column)
    axes.set_xlabel(axes_drawing.x_label(histories, against))
    axes_drawing.draw(axes, lines, {name: index for index, name in enumerate(histories)}, column, scales)


def hide_shared_y_labels(axes: Axes) -> None:
    """Removes the labels of a y axis that is shared with the axes to the left."""
    axes.set_ylabel("")
    axes.tick_params(labelleft=False)


def _add_legend(
    figure: Figure, histories: dict[str, pd.DataFrame], title: str = "", cell: SubplotSpec | None = None
) -> None:
    """Adds the legend (in a free cell or above the figure), the title, and a sentence on lines and bands."""
    lines = legend_handles(range(len(histories)))
    if sentence := spread_description(histories):
        figure.supxlabel(sentence, fontsize=style.SMALL, color=style.FAINT)
    if cell is None:
        # A constrained layout has room above a figure for a legend or a title, not for both: the legend has the title.
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
