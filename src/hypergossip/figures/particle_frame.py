"""A moment of an episode in the plane: discs that move, the places they are to cover, and where they came from."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle, Rectangle

from hypergossip.figures import style
from hypergossip.figures.formatting import tenths

LEAST = 1.15  # the plane is seen to here, each way, at least
MARGIN = 0.25
TRAIL = 12  # steps
GROUND, LINES, FREE, COVERED, TOUCH = "#f6f5f1", "#e6e4dc", "#8d8a80", "#009E73", "#d4002a"


class Plane(NamedTuple):
    """An episode of discs and landmarks.

    Attributes:
        positions: (steps + 1, agents, 2), of the discs' centres.
        landmarks: (landmarks, 2).
        radius: Of the discs.
        returns: (steps + 1,) the return so far.
    """

    positions: np.ndarray
    landmarks: np.ndarray
    radius: float
    returns: np.ndarray

    @property
    def steps(self) -> int:
        """Of the episode."""
        return len(self.positions) - 1


def size(scene: Plane) -> tuple[float, float]:
    """Returns the width and height of what is seen of a scene."""
    low, high = _bounds(scene)
    width, height = high - low
    return float(width), float(height)


def told(scene: Plane, step: int) -> str:
    """Returns what is to be said of a scene after so many steps."""
    pairs = len(touching(scene.positions[step], scene.radius))
    touch = "" if not pairs else " · 1 pair touches" if pairs == 1 else f" · {pairs} pairs touch"
    return f"step {step} of {scene.steps} · return {tenths(scene.returns[step])}{touch}"


def draw(axes: Axes, scene: Plane, time: float) -> None:
    """Draws a moment.

    Args:
        axes: Where.
        scene: The episode.
        time: In steps; between two of them discs are on their way.
    """
    _ground(axes, scene)
    here, radius = at(scene.positions, time), scene.radius
    for place in scene.landmarks:
        covered = bool((np.linalg.norm(here - place, axis=1) < radius).any())
        colour = COVERED if covered else FREE
        axes.add_patch(Circle(tuple(place), radius, fill=covered, facecolor=COVERED, alpha=0.22, linewidth=0, zorder=2))
        ring = {"fill": False, "edgecolor": colour, "linewidth": 1.1, "linestyle": (0, (3, 2)), "zorder": 2}
        axes.add_patch(Circle(tuple(place), radius, **ring))
        axes.plot(place[0], place[1], marker="+", markersize=6, markeredgewidth=1.3, color=colour, zorder=2)
    for agent, place in enumerate(here):
        colour = style.mark(agent).colour
        _trail(axes, _path(scene.positions[:, agent], time), colour)
        disc = Circle(tuple(place), radius, facecolor=colour, edgecolor="white", linewidth=1.2, zorder=4)
        axes.add_patch(disc)
        axes.text(
            place[0],
            place[1],
            str(agent),
            color="white",
            ha="center",
            va="center_baseline",
            fontsize=style.SMALL,
            zorder=5,
        )
    for i, j in touching(here, radius):
        for place in (here[i], here[j]):
            axes.add_patch(Circle(tuple(place), radius, fill=False, edgecolor=TOUCH, linewidth=2.2, zorder=6))
        middle = (here[i] + here[j]) / 2
        axes.plot(middle[0], middle[1], marker=(8, 1, 0), markersize=9, color=TOUCH, markeredgecolor="white", zorder=7)


def at(positions: np.ndarray, time: float) -> np.ndarray:
    """Returns where everybody is at a time between two steps, (agents, 2), of `positions` (steps + 1, agents, 2)."""
    before = min(math.floor(time), len(positions) - 1)
    after = min(before + 1, len(positions) - 1)
    part = time - before
    return (1 - part) * positions[before] + part * positions[after]


def touching(places: np.ndarray, radius: float) -> list[tuple[int, int]]:
    """Returns the pairs of discs at these `places`, (agents, 2), that are nearer than two radii."""
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(distances < 2 * radius, 1))]


def _bounds(scene: Plane) -> tuple[np.ndarray, np.ndarray]:
    everything = np.concatenate([scene.positions.reshape(-1, 2), scene.landmarks])
    low, high = everything.min(axis=0) - MARGIN, everything.max(axis=0) + MARGIN
    return np.minimum(low, -LEAST), np.maximum(high, LEAST)


def _ground(axes: Axes, scene: Plane) -> None:
    style.without_frame(axes)
    axes.set_aspect("equal")
    low, high = _bounds(scene)
    axes.add_patch(Rectangle(tuple(low), *(high - low), facecolor=GROUND, edgecolor="none", zorder=0))
    lines = [[(x, low[1]), (x, high[1])] for x in np.arange(math.ceil(2 * low[0]), 2 * high[0]) / 2]
    lines += [[(low[0], y), (high[0], y)] for y in np.arange(math.ceil(2 * low[1]), 2 * high[1]) / 2]
    axes.add_collection(LineCollection(lines, colors=LINES, linewidths=0.7, zorder=1))
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])


def _path(positions: np.ndarray, time: float) -> np.ndarray:
    """The last steps up to now, and the place in between."""
    done = math.floor(time)
    now = at(positions[:, None], time)
    return np.concatenate([positions[max(0, done - TRAIL) : done + 1], now])


def _trail(axes: Axes, path: np.ndarray, colour: str) -> None:
    segments = np.stack([path[:-1], path[1:]], axis=1)
    strength = np.linspace(0.05, 0.6, len(segments))
    axes.add_collection(LineCollection(list(segments), colors=colour, alpha=strength, linewidths=2.2, zorder=3))
