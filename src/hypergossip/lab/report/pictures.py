"""Draws the figures of a document."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hypergossip.figures import axes as axes_drawing
from hypergossip.figures import style
from hypergossip.figures.axes import Curve, Scale
from hypergossip.figures.curves import hide_shared_y_labels, legend_handles, network_figure
from hypergossip.figures.distributions import Bins, Strip, bins, range_text, strips
from hypergossip.figures.histories import spread_description
from hypergossip.lab.report import document
from hypergossip.lab.report.document import Curves, Document, Histogram, Panel, PerAgent, Topology
from hypergossip.lab.report.markup import mathtext

MAX_COLUMNS = 3
TITLE_WIDTH = 42  # characters that fit above a panel
MAX_LEGEND_COLUMNS = 5


class Drawn(NamedTuple):
    """A panel with its curves and scales.

    Attributes:
        panel: The panel.
        lines: Method -> its curve.
        scales: The scales of the x axis and of the y axis.
    """

    panel: Panel
    lines: dict[str, Curve]
    scales: tuple[Scale, Scale]


def write(content: Document, folder: Path | str) -> list[Path]:
    """Writes the picture of every block that has one, and returns their paths.

    Args:
        content: The document.
        folder: The folder; it is created if missing.

    Raises:
        ValueError: If a block has nothing to draw.
    """
    marks = document.method_indices(content)
    blocks = [block for block in content.blocks if isinstance(block, document.Figure)]
    return [style.write(figure(block, marks), Path(folder) / block.picture) for block in blocks]


def figure(block: document.Figure, marks: Mapping[str, int]) -> Figure:
    """Returns the figure of a block.

    Args:
        block: The block.
        marks: Every method of the document with its index, which determines its colour.

    Raises:
        ValueError: If the block has nothing to draw.
    """
    if isinstance(block, Curves):
        return curves_figure(block, marks)
    if isinstance(block, Topology):
        return network_figure(block.network)
    return per_agent_figure(block, marks) if isinstance(block, PerAgent) else histogram_figure(block)


def drawn(block: Curves) -> list[Drawn]:
    """Returns the panels of a `block` with their curves; panels with the same column, x or y, share its scale.

    Each case has its own linear scale where a common one would compress it to less than half of the width or height.

    Raises:
        ValueError: If there is no panel, or a panel in which no method has the column.
    """
    if not block.panels:
        raise ValueError(f"{block.picture} has no panel; pass at least one.")
    lines = [axes_drawing.curves(panel.histories, panel.column, panel.against) for panel in block.panels]
    for panel, curves in zip(block.panels, lines, strict=True):
        if not curves:
            raise ValueError(f"no history of {block.picture} has a column {panel.column}; leave that panel out.")
    x = {against: _scales(axes_drawing.x_scale, block, lines, against=against) for against in _each(block, "against")}
    y = {
        column: _scales(partial(axes_drawing.y_scale, column=column), block, lines, column=column)
        for column in _each(block, "column")
    }
    return [
        Drawn(panel, curves, (x[panel.against][panel.title], y[panel.column][panel.title]))
        for panel, curves in zip(block.panels, lines, strict=True)
    ]


def _legend(block: Curves, marks: Mapping[str, int]) -> dict[str, int]:
    """Returns the methods in the legend of a block with their indices in the document, in increasing order."""
    here = {name for panel in block.panels for name in panel.histories}
    return {name: index for name, index in marks.items() if name in here}


def columns_of(block: Curves) -> int:
    """Returns the number of columns of panels: two where they form pairs with one title, otherwise up to three."""
    titles = [panel.title for panel in block.panels]
    pairs = len(titles) > 2 and any(titles) and titles[::2] == titles[1::2]
    return 2 if pairs or len(titles) == 4 else min(len(titles), MAX_COLUMNS)


def wrapped(title: str) -> str:
    """Returns a panel's title in lines that fit above the panel; a title with a formula is not divided."""
    return title if "$" in title else textwrap.fill(title, TITLE_WIDTH)


def bands_text(block: Curves) -> str:
    """Returns a sentence that explains the lines and bands of a block; empty where every method has one seed."""
    return spread_description(
        {f"{k} {name}": each for k, p in enumerate(block.panels) for name, each in p.histories.items()}
    )


def curves_figure(block: Curves, marks: Mapping[str, int]) -> Figure:
    """Returns a figure with all panels of a block and one legend.

    Args:
        block: The block.
        marks: Every method of the document with its index.
    """
    shown = drawn(block)
    columns = columns_of(block)
    rows = math.ceil(len(shown) / columns)
    with style.look():
        figure = style.blank(max(columns, 1.4) * style.PANEL[0], rows * style.PANEL[1] + 0.6)
        for index, (panel, lines, scales) in enumerate(shown):
            axes = figure.add_subplot(rows, columns, index + 1)
            axes.set_title(mathtext(wrapped(panel.title)))
            axes.set_xlabel(axes_drawing.x_label(panel.histories, panel.against))
            axes_drawing.draw(axes, lines, marks, panel.column, scales)
            left = shown[index - 1]
            if index % columns and (left.panel.column, left.scales[1]) == (panel.column, scales[1]):
                hide_shared_y_labels(axes)
        here = _legend(block, marks)
        legend_columns = min(len(here), MAX_LEGEND_COLUMNS if columns > 1 else 3)
        figure.legend(
            legend_handles(list(here.values())),
            list(map(mathtext, here)),
            loc="outside upper center",
            ncols=legend_columns,
        )
        if sentence := bands_text(block):
            figure.supxlabel(sentence, fontsize=style.SMALL, color=style.FAINT)
    return figure


def per_agent_figure(block: PerAgent, marks: Mapping[str, int]) -> Figure:
    """Returns a figure with the agents of every method side by side: points are seeds, bars are medians over them.

    Args:
        block: The block.
        marks: Every method of the document with its index.
    """
    shown = strips(block.values)
    with style.look():
        figure = style.blank(float(np.clip(1.7 * len(shown) + 0.8, 4, 10)), 3.4)
        axes = figure.add_subplot()
        for name, strip in shown.items():
            _draw_strip(axes, strip, style.mark(marks[name]))
        axes.set_xticks(range(len(shown)), [f"{mathtext(name)}\n{range_text(strip)}" for name, strip in shown.items()])
        axes.tick_params(axis="x", length=0)
        axes.grid(False, axis="x")
        axes.set_xlim(-0.5, len(shown) - 0.5)
        axes.set_ylabel(mathtext(block.label))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        figure.supxlabel(strips_text(shown), fontsize=style.SMALL, color=style.FAINT)
    return figure


def strips_text(shown: Mapping[str, Strip]) -> str:
    """Returns a sentence that explains points and bars."""
    ends = "Below each method: its lowest and highest agent."
    if all(len(strip.values) == 1 for strip in shown.values()):
        return f"Bars: agents. {ends}"
    return f"Points: seeds. Bars: medians of each agent over the seeds. {ends}"


def histogram_figure(block: Histogram) -> Figure:
    """Returns a figure with the histograms of all groups, as shares of each group; dashed lines are medians."""
    shown = bins(block.values)
    with style.look():
        figure = style.blank(5.6, 3.2)
        axes = figure.add_subplot()
        _draw_bins(axes, shown)
        axes.set_xlabel(mathtext(block.label))
        axes.set_ylabel("share of the group")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g}%"))
        axes.set_xlim(shown.edges[0], shown.edges[-1])
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def _draw_strip(axes: Axes, strip: Strip, mark: style.Mark) -> None:
    seeds, agents = strip.values.shape
    if seeds > 1:
        # Seeds are placed side by side, so that equal values remain visible as several.
        beside = np.linspace(-0.5, 0.5, seeds)[:, None] * strip.half
        axes.scatter(
            np.broadcast_to(strip.x + beside, strip.values.shape),
            strip.values,
            s=float(np.clip(120 / agents, 3, 14)),
            color=mark.colour,
            alpha=0.45,
            linewidths=0,
            zorder=2,
        )
    axes.hlines(strip.medians, strip.x - strip.half, strip.x + strip.half, colors=mark.colour, linewidth=2.2, zorder=3)


def _draw_bins(axes: Axes, shown: Bins) -> None:
    for index, (name, shares) in enumerate(shown.shares.items()):
        mark = style.mark(index)
        axes.stairs(shares, shown.edges, fill=True, color=mark.colour, alpha=0.3, linewidth=0, zorder=2)
        axes.stairs(shares, shown.edges, color=mark.colour, linewidth=1.3, label=mathtext(shown.names[name]), zorder=3)
        axes.axvline(shown.medians[name], color=mark.colour, linestyle="--", linewidth=1, zorder=3)


def _scales(
    scale_of: Callable[[list[Curve]], Scale], block: Curves, lines: list[dict[str, Curve]], **field: str
) -> dict[str, Scale]:
    """Returns title -> scale of the panels with this `field`, the column or what it is drawn against."""
    shared = scale_of(_all(block, lines, **field))
    titles = {panel.title for panel in block.panels if all(getattr(panel, name) == field[name] for name in field)}
    own = {title: scale_of(_all(block, lines, **field, title=title)) for title in titles}
    least = min(scale.high - scale.low for scale in own.values())
    return dict.fromkeys(titles, shared) if shared.logarithmic or 2 * least >= shared.high - shared.low else own


def _each(block: Curves, field: str) -> Sequence[str]:
    return list(dict.fromkeys(getattr(panel, field) for panel in block.panels))


def _all(block: Curves, lines: list[dict[str, Curve]], **fields: str) -> list[Curve]:
    """Returns the curves of all panels whose fields have these values."""
    fits = [all(getattr(panel, name) == value for name, value in fields.items()) for panel in block.panels]
    return [line for fit, curves in zip(fits, lines, strict=True) if fit for line in curves.values()]
