"""Draws one moment of an episode on a grid: pursuers, evaders, captures, and the obstacle."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from hypergossip.figures import style
from hypergossip.figures.formatting import tenths

TRAIL = 5  # steps
FADE = 8  # steps over which the mark of a capture fades
FAINTEST = 0.18  # opacity of that mark in the end
BACKGROUND, LINES, WALL = "#f6f5f1", "#e9e7df", "#c3beb0"
PURSUER, EVADER, CAPTURE = "#0072B2", "#E69F00", "#d4002a"
LARGE, SMALL, OFFSET = 0.34, 0.22, 0.26  # radii, and the offset of agents that share a cell, in cells


class GridFrame(NamedTuple):
    """An episode of pursuers and evaders on a grid.

    Attributes:
        width: Cells along x.
        height: Cells along y.
        wall: (first x, first y, cells along x, cells along y) of the obstacle; no cells if there is none.
        pursuers: (steps + 1, pursuers, 2), the cells of the pursuers.
        evaders: (steps + 1, evaders, 2), the cells of the evaders; of a caught evader, the cell where it was caught.
        caught: (steps + 1, evaders), whether the evader has been caught.
        returns: (steps + 1,), the return so far.
    """

    width: int
    height: int
    wall: tuple[int, int, int, int]
    pursuers: np.ndarray
    evaders: np.ndarray
    caught: np.ndarray
    returns: np.ndarray

    @property
    def steps(self) -> int:
        """The number of steps of the episode."""
        return len(self.pursuers) - 1


def size(scene: GridFrame) -> tuple[float, float]:
    """Returns the width and height of the grid of a `scene`."""
    return float(scene.width), float(scene.height)


def label(scene: GridFrame, step: int) -> str:
    """Returns a short description of a scene after a number of steps."""
    caught, total = int(scene.caught[step].sum()), scene.caught.shape[1]
    return f"step {step} of {scene.steps} · {caught} of {total} caught · return {tenths(scene.returns[step])}"


def draw(axes: Axes, scene: GridFrame, time: float) -> None:
    """Draws a moment.

    Args:
        axes: The axes to draw on.
        scene: The episode.
        time: The time in steps; between two steps the agents are on the way to their next cells.
    """
    _draw_background(axes, scene)
    before = min(math.floor(time), scene.steps)
    after, part = min(before + 1, scene.steps), time - before
    part = part * part * (3 - 2 * part)  # smooth start and stop
    pursuers, evaders = (
        (1 - part) * start + part * end
        for start, end in zip(_positions(scene, before), _positions(scene, after), strict=True)
    )
    for agent in range(scene.pursuers.shape[1]):
        path = np.concatenate([scene.pursuers[max(0, before - TRAIL) : before + 1, agent], pursuers[agent : agent + 1]])
        segments = np.stack([path[:-1], path[1:]], axis=1)
        strength = np.linspace(0.04, 0.35, len(segments))
        trail = LineCollection(list(segments), colors=PURSUER, alpha=strength, linewidths=2.6, zorder=2)
        axes.add_collection(trail)
    gone = scene.caught[before]
    _draw_captures(axes, scene, before, time)
    _draw_discs(axes, evaders[~gone], SMALL, EVADER, 4)
    _draw_discs(axes, pursuers, LARGE, PURSUER, 5)


def _positions(scene: GridFrame, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the positions to draw: the centre of the cell, or offset from it where several share a cell."""
    pursuers, evaders = scene.pursuers[step].astype(float), scene.evaders[step].astype(float)
    cells = [*map(tuple, scene.pursuers[step])]
    cells += [cell if there else None for cell, there in zip(map(tuple, scene.evaders[step]), ~scene.caught[step])]
    for cell in {cell for cell in cells if cell is not None and cells.count(cell) > 1}:
        here = [index for index, other in enumerate(cells) if other == cell]
        for turn, index in enumerate(here):
            angle = 2 * math.pi * turn / len(here) + math.pi / 4
            offset = OFFSET * np.array([math.cos(angle), math.sin(angle)])
            if index < len(pursuers):
                pursuers[index] += offset
            else:
                evaders[index - len(pursuers)] += offset
    return pursuers, evaders


def _draw_captures(axes: Axes, scene: GridFrame, before: int, time: float) -> None:
    """Draws an expanding ring at a recent capture, and a cross that fades."""
    for evader in np.flatnonzero(scene.caught[before]):
        since = time - float(np.argmax(scene.caught[:, evader]))
        x, y = scene.evaders[before, evader]
        strength = max(FAINTEST, 1 - since / FADE)
        axes.plot(x, y, marker="x", markersize=6, markeredgewidth=1.8, color=CAPTURE, alpha=strength, zorder=6)
        if since < 2:
            radius, alpha = 0.4 + 0.45 * since, 1 - since / 2
            axes.add_patch(Circle((x, y), radius, fill=False, edgecolor=CAPTURE, linewidth=2, alpha=alpha, zorder=6))


def _draw_discs(axes: Axes, centres: np.ndarray, radius: float, colour: str, layer: int) -> None:
    patches = [Circle((float(x), float(y)), radius) for x, y in centres]
    axes.add_collection(PatchCollection(patches, facecolor=colour, edgecolor="white", linewidths=0.9, zorder=layer))


def _draw_background(axes: Axes, scene: GridFrame) -> None:
    style.without_frame(axes)
    axes.set_aspect("equal")
    width, height = scene.width, scene.height
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, facecolor=BACKGROUND, edgecolor="none", zorder=0))
    lines = [[(x - 0.5, -0.5), (x - 0.5, height - 0.5)] for x in range(1, width)]
    lines += [[(-0.5, y - 0.5), (width - 0.5, y - 0.5)] for y in range(1, height)]
    axes.add_collection(LineCollection(lines, colors=LINES, linewidths=0.7, zorder=1))
    x, y, columns, rows = scene.wall
    if columns and rows:
        box = FancyBboxPatch(
            (x - 0.42, y - 0.42), columns - 0.16, rows - 0.16, boxstyle="round,pad=0,rounding_size=0.25"
        )
        box.set(facecolor=WALL, edgecolor="none", zorder=1.5)
        axes.add_patch(box)
    axes.set_xlim(-0.55, width - 0.45)
    axes.set_ylim(-0.55, height - 0.45)
