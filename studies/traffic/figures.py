"""Figures of traffic signals: learning curves, maps of the waiting times, and an animation of the queues."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from hypergossip.figures import style

FIXED = "fixed times"
LABELS = {"waiting": "mean waiting time [s]", "queue": "vehicles that wait"}
COLOURS = "viridis_r"
FRAMES = 60  # at most


def curves(rows: pd.DataFrame, fixed: Mapping[str, float]) -> Figure:
    """Returns the measures against environment steps: the median over the seeds, and the range of all seeds.

    Args:
        rows: One row for every method, seed and look, with the columns method, steps and those of `LABELS`.
        fixed: The measures of fixed-time signals.
    """
    width, height = style.PANEL
    figure = Figure(figsize=(2 * width, height), layout="constrained")
    for axes, (column, label) in zip(figure.subplots(1, 2), LABELS.items(), strict=True):
        for k, (method, own) in enumerate(rows.groupby("method", sort=False)):
            by_step = own.groupby("steps")[column]
            steps, colour = sorted(own["steps"].unique()), style.COLOURS[k]
            axes.plot(steps, by_step.median(), color=colour, marker=style.MARKERS[k], markersize=3, label=str(method))
            axes.fill_between(steps, by_step.min(), by_step.max(), color=colour, alpha=0.15, linewidth=0)
        axes.axhline(fixed[column], color=style.INK, linestyle="--", label=FIXED)
        axes.set(xlabel="environment steps", ylabel=label, ylim=(0, None))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _places(graph: Any) -> dict[Any, tuple[float, float]]:
    """Returns the coordinates of every signal."""
    return {name: (at["x"], at["y"]) for name, at in graph.nodes(data=True)}


def _height(graph: Any) -> float:
    """Returns the height of a map as a share of its width. Signals on a line leave room for the points' colours."""
    width, height = np.ptp(np.array(list(_places(graph).values())), axis=0)
    return float(np.clip(height / max(width, 1e-9), 0.5, 1.0))


def _signals(axes: Axes, graph: Any, values: np.ndarray, scale: Normalize) -> Any:
    """Draws the signals of a graph with values as colours, and the roads between them; returns the points."""
    place = _places(graph)
    lines = [[place[one], place[other]] for one, other in graph.edges]
    axes.add_collection(LineCollection(lines, colors=style.FAINT, linewidths=1.2, zorder=1))
    points = axes.scatter(
        *np.array(list(place.values())).T, c=values, cmap=COLOURS, norm=scale, s=110, edgecolors=style.INK, zorder=2
    )
    axes.margins(0.15)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return points


def maps(graph: Any, waiting: Mapping[str, np.ndarray]) -> Figure:
    """Returns a map for every method, coloured by the mean waiting time before each signal.

    Args:
        graph: The graph of the signals, as `traffic_graph` returns it.
        waiting: Method -> seconds, (signals,), in the order of the graph's nodes.
    """
    width, _ = style.PANEL
    figure = Figure(figsize=(len(waiting) * width * 0.75, width * (0.15 + 0.65 * _height(graph))), layout="constrained")
    values = np.concatenate(list(waiting.values()))
    low, high = float(values.min()), float(values.max())
    # One method may wait ten times as long as the others.
    scale = Normalize(low, high) if high <= 5 * np.median(values) else PowerNorm(0.5, low, high)
    axes = np.atleast_1d(figure.subplots(1, len(waiting)))
    for one, (method, values) in zip(axes, waiting.items(), strict=True):
        points = _signals(one, graph, values, scale)
        one.set_title(f"{method}: {values.mean():.1f} s")
    figure.colorbar(points, ax=list(axes), label="mean waiting time [s]")
    return figure


def animate(graph: Any, queues: np.ndarray, decision: int, file: Path) -> None:
    """Writes a GIF of an episode, in which signals are coloured by their queues.

    Args:
        graph: The graph of the signals.
        queues: The queue before every signal as a share of its lanes, (decisions, signals).
        decision: The seconds from decision to decision.
        file: The file to write.
    """
    width, _ = style.PANEL
    figure = Figure(figsize=(width, width * (0.2 + 0.65 * _height(graph))), layout="constrained")
    axes = figure.subplots()
    points = _signals(axes, graph, queues[0], Normalize(0, max(float(queues.max()), 1e-9)))
    figure.colorbar(points, ax=axes, label="queue, share of the lanes")
    every = -(-len(queues) // FRAMES)

    def show(k: int) -> list:
        points.set_array(queues[k * every])
        axes.set_title(f"{k * every * decision} s")
        return [points]

    frames = -(-len(queues) // every)
    FuncAnimation(figure, show, frames=frames, blit=False).save(str(file), writer=PillowWriter(fps=8), dpi=110)
