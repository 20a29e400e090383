"""Draws one moment of an episode of particles in the plane: discs, their trails, and the landmarks."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle, Rectangle

from hypergossip.figures import style
from hypergossip.figures.formatting import tenths

MIN_EXTENT = 1.15  # the least half-width of the visible part of the plane
MARGIN = 0.25
TRAIL = 12  # steps
BACKGROUND, LINES, FREE, COVERED, COLLISION = "#f6f5f1", "#e6e4dc", "#8d8a80", "#009E73", "#d4002a"


class ParticleFrame(NamedTuple):
    """An episode of discs and landmarks.

    Attributes:
        positions: (steps + 1, agents, 2), the centres of the discs.
        landmarks: (landmarks, 2).
        radius: The radius of the discs.
        returns: (steps + 1,), the return so far.
    """

    positions: np.ndarray
    landmarks: np.ndarray
    radius: float
    returns: np.ndarray

    @property
    def steps(self) -> int:
        """The number of steps of the episode."""
        return len(self.positions) - 1


def size(scene: ParticleFrame) -> tuple[float, float]:
    """Returns the width and height of the visible part of a `scene`."""
    low, high = _bounds(scene)
    width, height = high - low
    return float(width), float(height)


def label(scene: ParticleFrame, step: int) -> str:
    """Returns a short description of a scene after a number of steps."""
    pairs = len(colliding(scene.positions[step], scene.radius))
    touch = "" if not pairs else " · 1 pair touches" if pairs == 1 else f" · {pairs} pairs touch"
    return f"step {step} of {scene.steps} · return {tenths(scene.returns[step])}{touch}"


def draw(axes: Axes, scene: ParticleFrame, time: float) -> None:
    """Draws a moment.

    Args:
        axes: The axes to draw on.
        scene: The episode.
        time: The time in steps; positions between two steps are interpolated.
    """
    _draw_background(axes, scene)
    here, radius = positions_at(scene.positions, time), scene.radius
    for centre in scene.landmarks:
        covered = bool((np.linalg.norm(here - centre, axis=1) < radius).any())
        colour = COVERED if covered else FREE
        axes.add_patch(
            Circle(tuple(centre), radius, fill=covered, facecolor=COVERED, alpha=0.22, linewidth=0, zorder=2)
        )
        ring = {"fill": False, "edgecolor": colour, "linewidth": 1.1, "linestyle": (0, (3, 2)), "zorder": 2}
        axes.add_patch(Circle(tuple(centre), radius, **ring))
        axes.plot(centre[0], centre[1], marker="+", markersize=6, markeredgewidth=1.3, color=colour, zorder=2)
    for agent, centre in enumerate(here):
        colour = style.mark(agent).colour
        _draw_trail(axes, _path(scene.positions[:, agent], time), colour)
        disc = Circle(tuple(centre), radius, facecolor=colour, edgecolor="white", linewidth=1.2, zorder=4)
        axes.add_patch(disc)
        axes.text(
            centre[0],
            centre[1],
            str(agent),
            color="white",
            ha="center",
            va="center_baseline",
            fontsize=style.SMALL,
            zorder=5,
        )
    for i, j in colliding(here, radius):
        for centre in (here[i], here[j]):
            axes.add_patch(Circle(tuple(centre), radius, fill=False, edgecolor=COLLISION, linewidth=2.2, zorder=6))
        middle = (here[i] + here[j]) / 2
        axes.plot(
            middle[0], middle[1], marker=(8, 1, 0), markersize=9, color=COLLISION, markeredgecolor="white", zorder=7
        )


def positions_at(positions: np.ndarray, time: float) -> np.ndarray:
    """Returns the positions at a time between two steps, (agents, 2), from `positions` (steps + 1, agents, 2)."""
    before = min(math.floor(time), len(positions) - 1)
    after = min(before + 1, len(positions) - 1)
    part = time - before
    return (1 - part) * positions[before] + part * positions[after]


def colliding(centres: np.ndarray, radius: float) -> list[tuple[int, int]]:
    """Returns the pairs of discs at `centres`, (agents, 2), whose centres are closer than two radii."""
    distances = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(distances < 2 * radius, 1))]


def _bounds(scene: ParticleFrame) -> tuple[np.ndarray, np.ndarray]:
    everything = np.concatenate([scene.positions.reshape(-1, 2), scene.landmarks])
    low, high = everything.min(axis=0) - MARGIN, everything.max(axis=0) + MARGIN
    return np.minimum(low, -MIN_EXTENT), np.maximum(high, MIN_EXTENT)


def _draw_background(axes: Axes, scene: ParticleFrame) -> None:
    style.without_frame(axes)
    axes.set_aspect("equal")
    low, high = _bounds(scene)
    axes.add_patch(Rectangle(tuple(low), *(high - low), facecolor=BACKGROUND, edgecolor="none", zorder=0))
    lines = [[(x, low[1]), (x, high[1])] for x in np.arange(math.ceil(2 * low[0]), 2 * high[0]) / 2]
    lines += [[(low[0], y), (high[0], y)] for y in np.arange(math.ceil(2 * low[1]), 2 * high[1]) / 2]
    axes.add_collection(LineCollection(lines, colors=LINES, linewidths=0.7, zorder=1))
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])


def _path(positions: np.ndarray, time: float) -> np.ndarray:
    """Returns the last positions up to a time, and the interpolated one at that time."""
    done = math.floor(time)
    now = positions_at(positions[:, None], time)
    return np.concatenate([positions[max(0, done - TRAIL) : done + 1], now])


def _draw_trail(axes: Axes, path: np.ndarray, colour: str) -> None:
    segments = np.stack([path[:-1], path[1:]], axis=1)
    strength = np.linspace(0.05, 0.6, len(segments))
    axes.add_collection(LineCollection(list(segments), colors=colour, alpha=strength, linewidths=2.2, zorder=3))
