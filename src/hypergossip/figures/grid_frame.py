"""A moment of an episode on a board: pursuers, evaders, what was caught, and the cells where nobody can be."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from hypergossip.figures import style
from hypergossip.figures.formatting import tenths

TRAIL = 5  # steps
FADE = 8  # steps after a catch until its mark is as faint as it gets
FAINTEST = 0.18
GROUND, LINES, WALL = "#f6f5f1", "#e9e7df", "#c3beb0"
PURSUER, EVADER, CATCH = "#0072B2", "#E69F00", "#d4002a"
LARGE, SMALL, ASIDE = 0.34, 0.22, 0.26  # radii in cells, and how far those who share a cell stand from its middle


class Board(NamedTuple):
    """An episode of pursuers and evaders on a grid.

    Attributes:
        width: Cells along x.
        height: Cells along y.
        wall: (first x, first y, cells along x, cells along y) of the obstacle; no cells for none.
        pursuers: (steps + 1, pursuers, 2) everybody's cell.
        evaders: (steps + 1, evaders, 2) theirs; of one that was caught, where that was.
        caught: (steps + 1, evaders) which are no longer there.
        returns: (steps + 1,) the return so far.
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
        """Of the episode."""
        return len(self.pursuers) - 1


def size(scene: Board) -> tuple[float, float]:
    """Returns the width and height of a scene's grid."""
    return float(scene.width), float(scene.height)


def told(scene: Board, step: int) -> str:
    """Returns what is to be said of a scene after so many steps."""
    caught, all_of_them = int(scene.caught[step].sum()), scene.caught.shape[1]
    return f"step {step} of {scene.steps} · {caught} of {all_of_them} caught · return {tenths(scene.returns[step])}"


def draw(axes: Axes, scene: Board, time: float) -> None:
    """Draws a moment.

    Args:
        axes: Where.
        scene: The episode.
        time: In steps; between two of them everybody is on the way to the next cell.
    """
    _ground(axes, scene)
    before = min(math.floor(time), scene.steps)
    after, part = min(before + 1, scene.steps), time - before
    part = part * part * (3 - 2 * part)  # starts and stops gently
    pursuers, evaders = (
        (1 - part) * start + part * end for start, end in zip(_apart(scene, before), _apart(scene, after), strict=True)
    )
    for agent in range(scene.pursuers.shape[1]):
        path = np.concatenate([scene.pursuers[max(0, before - TRAIL) : before + 1, agent], pursuers[agent : agent + 1]])
        segments = np.stack([path[:-1], path[1:]], axis=1)
        strength = np.linspace(0.04, 0.35, len(segments))
        trail = LineCollection(list(segments), colors=PURSUER, alpha=strength, linewidths=2.6, zorder=2)
        axes.add_collection(trail)
    gone = scene.caught[before]
    _catches(axes, scene, before, time)
    _discs(axes, evaders[~gone], SMALL, EVADER, 4)
    _discs(axes, pursuers, LARGE, PURSUER, 5)


def _apart(scene: Board, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Where everybody is drawn: in the middle of the cell, or about it where several are on one."""
    pursuers, evaders = scene.pursuers[step].astype(float), scene.evaders[step].astype(float)
    everybody = [*map(tuple, scene.pursuers[step])]
    everybody += [cell if there else None for cell, there in zip(map(tuple, scene.evaders[step]), ~scene.caught[step])]
    for cell in {cell for cell in everybody if cell is not None and everybody.count(cell) > 1}:
        here = [place for place, other in enumerate(everybody) if other == cell]
        for turn, place in enumerate(here):
            angle = 2 * math.pi * turn / len(here) + math.pi / 4
            aside = ASIDE * np.array([math.cos(angle), math.sin(angle)])
            if place < len(pursuers):
                pursuers[place] += aside
            else:
                evaders[place - len(pursuers)] += aside
    return pursuers, evaders


def _catches(axes: Axes, scene: Board, before: int, time: float) -> None:
    """A ring that opens where an evader was caught just now, and a cross that stays and fades."""
    for evader in np.flatnonzero(scene.caught[before]):
        since = time - float(np.argmax(scene.caught[:, evader]))
        x, y = scene.evaders[before, evader]
        strength = max(FAINTEST, 1 - since / FADE)
        axes.plot(x, y, marker="x", markersize=6, markeredgewidth=1.8, color=CATCH, alpha=strength, zorder=6)
        if since < 2:
            radius, alpha = 0.4 + 0.45 * since, 1 - since / 2
            axes.add_patch(Circle((x, y), radius, fill=False, edgecolor=CATCH, linewidth=2, alpha=alpha, zorder=6))


def _discs(axes: Axes, places: np.ndarray, radius: float, colour: str, layer: int) -> None:
    patches = [Circle((float(x), float(y)), radius) for x, y in places]
    axes.add_collection(PatchCollection(patches, facecolor=colour, edgecolor="white", linewidths=0.9, zorder=layer))


def _ground(axes: Axes, scene: Board) -> None:
    style.without_frame(axes)
    axes.set_aspect("equal")
    width, height = scene.width, scene.height
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, facecolor=GROUND, edgecolor="none", zorder=0))
    lines = [[(x - 0.5, -0.5), (x - 0.5, height - 0.5)] for x in range(1, width)]
    lines += [[(-0.5, y - 0.5), (width - 0.5, y - 0.5)] for y in range(1, height)]
    axes.add_collection(LineCollection(lines, colors=LINES, linewidths=0.7, zorder=1))
    x, y, across, up = scene.wall
    if across and up:
        box = FancyBboxPatch((x - 0.42, y - 0.42), across - 0.16, up - 0.16, boxstyle="round,pad=0,rounding_size=0.25")
        box.set(facecolor=WALL, edgecolor="none", zorder=1.5)
        axes.add_patch(box)
    axes.set_xlim(-0.55, width - 0.45)
    axes.set_ylim(-0.55, height - 0.45)
