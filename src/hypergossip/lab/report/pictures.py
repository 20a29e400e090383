"""The still pictures of a story's blocks, in the look of every other figure."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hypergossip.figures import axes as panels
from hypergossip.figures import curves as figures
from hypergossip.figures import style
from hypergossip.figures.distributions import Bins, Strip, bins, range_in_words, strips
from hypergossip.figures.histories import spread_in_words
from hypergossip.lab.report.document import Curves, Histogram, Panel, PerAgent, Story, Topology, places
from hypergossip.lab.report.markup import mathtext

ABREAST = 3
IN_LEGEND = 5


class Drawn(NamedTuple):
    """A panel, ready to be drawn.

    Attributes:
        panel: What it is.
        lines: Method -> its curve.
        scales: Of the axis along and of the axis up.
    """

    panel: Panel
    lines: dict[str, panels.Curve]
    scales: tuple[panels.Scale, panels.Scale]


def write(story: Story, folder: Path | str) -> list[Path]:
    """Draws the picture of every block that has one, and returns their paths.

    Args:
        story: The story.
        folder: Missing folders are made.

    Raises:
        ValueError: If there is nothing to draw in a block; the sentence says what to do.
    """
    marks = places(story)
    written = []
    for block in story.blocks:
        if isinstance(block, Curves):
            figure = curves_figure(block, marks)
        elif isinstance(block, Topology):
            figure = figures.network_figure(block.network)
        elif isinstance(block, PerAgent):
            figure = per_agent_figure(block, marks)
        elif isinstance(block, Histogram):
            figure = histogram_figure(block)
        else:
            continue
        written.append(style.write(figure, Path(folder) / block.picture))
    return written


def drawn(block: Curves) -> list[Drawn]:
    """Returns a block's panels with their lines; those that draw the same column, or along the same, share a scale.

    Where a linear scale that all share would press a case into less than half of its height, each case has its own.

    Raises:
        ValueError: If there is no panel, or one in which no method has the column.
    """
    if not block.panels:
        raise ValueError(f"{block.picture} has no panel; pass at least one.")
    lines = [panels.curves(panel.histories, panel.column, panel.against) for panel in block.panels]
    for panel, curves in zip(block.panels, lines, strict=True):
        if not curves:
            raise ValueError(f"no history of {block.picture} has a column {panel.column}; leave that panel out.")
    along = {against: panels.along(_all(block, lines, against=against)) for against in _each(block, "against")}
    up = {column: _scales_up(block, lines, column) for column in _each(block, "column")}
    return [
        Drawn(panel, curves, (along[panel.against], up[panel.column][panel.title]))
        for panel, curves in zip(block.panels, lines, strict=True)
    ]


def named(block: Curves, marks: Mapping[str, int]) -> dict[str, int]:
    """Returns the methods of a block's legend with their places in the story, in the order of the places."""
    here = {name for panel in block.panels for name in panel.histories}
    return {name: place for name, place in marks.items() if name in here}


def abreast(block: Curves) -> int:
    """Returns how many panels lie side by side: two where they come in pairs of one title, else up to three."""
    titles = [panel.title for panel in block.panels]
    pairs = len(titles) > 2 and any(titles) and titles[::2] == titles[1::2]
    return 2 if pairs or len(titles) == 4 else min(len(titles), ABREAST)


def bands_in_words(block: Curves) -> str:
    """Returns what the lines and bands of a block are; empty where every method has one seed."""
    return spread_in_words(
        {f"{k} {name}": each for k, p in enumerate(block.panels) for name, each in p.histories.items()}
    )


def curves_figure(block: Curves, marks: Mapping[str, int]) -> Figure:
    """Returns the panels of a block, up to three abreast, under one legend.

    Args:
        block: The block.
        marks: Every method of the story, with its place.
    """
    shown = drawn(block)
    columns = abreast(block)
    rows = math.ceil(len(shown) / columns)
    with style.look():
        figure = style.blank(max(columns, 1.4) * style.PANEL[0], rows * style.PANEL[1] + 0.6)
        for place, (panel, lines, scales) in enumerate(shown):
            axes = figure.add_subplot(rows, columns, place + 1)
            axes.set_title(mathtext(panel.title))
            axes.set_xlabel(panels.label_along(panel.histories, panel.against))
            panels.draw(axes, lines, marks, panel.column, scales)
            left = shown[place - 1]
            if place % columns and (left.panel.column, left.scales[1]) == (panel.column, scales[1]):
                figures.read_from_the_left(axes)
        here = named(block, marks)
        across = min(len(here), IN_LEGEND if columns > 1 else 3)
        figure.legend(
            figures.legend_lines(list(here.values())),
            list(map(mathtext, here)),
            loc="outside upper center",
            ncols=across,
        )
        if sentence := bands_in_words(block):
            figure.supxlabel(sentence, fontsize=style.SMALL, color=style.FAINT)
    return figure


def per_agent_figure(block: PerAgent, marks: Mapping[str, int]) -> Figure:
    """Returns every method's agents side by side: points are seeds, bars their medians.

    Args:
        block: The block.
        marks: Every method of the story, with its place.
    """
    shown = strips(block.values)
    with style.look():
        figure = style.blank(float(np.clip(1.7 * len(shown) + 0.8, 4, 10)), 3.4)
        axes = figure.add_subplot()
        for name, strip in shown.items():
            _draw_strip(axes, strip, style.mark(marks[name]))
        axes.set_xticks(
            range(len(shown)), [f"{mathtext(name)}\n{range_in_words(strip)}" for name, strip in shown.items()]
        )
        axes.tick_params(axis="x", length=0)
        axes.grid(False, axis="x")
        axes.set_xlim(-0.5, len(shown) - 0.5)
        axes.set_ylabel(mathtext(block.label))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        figure.supxlabel(strips_in_words(shown), fontsize=style.SMALL, color=style.FAINT)
    return figure


def strips_in_words(shown: Mapping[str, Strip]) -> str:
    """Returns what the points and bars of agents side by side are."""
    ends = "Under each method: its lowest and highest agent."
    if all(len(strip.values) == 1 for strip in shown.values()):
        return f"Bars: agents. {ends}"
    return f"Points: seeds. Bars: each agent's median over them. {ends}"


def histogram_figure(block: Histogram) -> Figure:
    """Returns groups in the same bins, over each other, as shares of each group; dashed lines are medians."""
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
        # Seeds lie beside each other in the agent's width, so that equal ones are seen to be several.
        beside = np.linspace(-0.5, 0.5, seeds)[:, None] * strip.half
        axes.scatter(
            np.broadcast_to(strip.across + beside, strip.values.shape),
            strip.values,
            s=float(np.clip(120 / agents, 3, 14)),
            color=mark.colour,
            alpha=0.45,
            linewidths=0,
            zorder=2,
        )
    axes.hlines(
        strip.medians, strip.across - strip.half, strip.across + strip.half, colors=mark.colour, linewidth=2.2, zorder=3
    )


def _draw_bins(axes: Axes, shown: Bins) -> None:
    for place, (name, shares) in enumerate(shown.shares.items()):
        mark = style.mark(place)
        axes.stairs(shares, shown.edges, fill=True, color=mark.colour, alpha=0.3, linewidth=0, zorder=2)
        axes.stairs(shares, shown.edges, color=mark.colour, linewidth=1.3, label=mathtext(shown.names[name]), zorder=3)
        axes.axvline(shown.medians[name], color=mark.colour, linestyle="--", linewidth=1, zorder=3)


def _scales_up(block: Curves, lines: list[dict[str, panels.Curve]], column: str) -> dict[str, panels.Scale]:
    """Title -> scale."""
    shared = panels.up(_all(block, lines, column=column), column)
    titles = {panel.title for panel in block.panels if panel.column == column}
    own = {title: panels.up(_all(block, lines, column=column, title=title), column) for title in titles}
    least = min(scale.high - scale.low for scale in own.values())
    return dict.fromkeys(titles, shared) if shared.logarithmic or 2 * least >= shared.high - shared.low else own


def _each(block: Curves, field: str) -> Sequence[str]:
    return list(dict.fromkeys(getattr(panel, field) for panel in block.panels))


def _all(block: Curves, lines: list[dict[str, panels.Curve]], **fields: str) -> list[panels.Curve]:
    """Returns the curves of every panel whose fields have these values."""
    fits = [all(getattr(panel, name) == value for name, value in fields.items()) for panel in block.panels]
    return [line for fit, curves in zip(fits, lines, strict=True) if fit for line in curves.values()]
