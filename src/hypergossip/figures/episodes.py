"""Episodes of games as pictures that move, and as strips of a few moments: `Plane` and `Board` say what is drawn."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from hypergossip.figures import grid_frame as boards
from hypergossip.figures import particle_frame as planes
from hypergossip.figures import style
from hypergossip.figures.grid_frame import Board
from hypergossip.figures.particle_frame import Plane

Scene = Plane | Board

SIDE, DOTS = 4.4, 110  # inches of a moving picture, and dots an inch
FRAMES = 200  # about so many in an animation: steps of a short episode are drawn in several
BETWEEN = 4  # at most so many a step
PACE = 40  # milliseconds a frame, where a step has several
STEP_PACE = 80  # of an episode too long for that
REST = 2000  # milliseconds that the last frame stays
EXACT, COLOURS = 32, 96  # of a palette that all frames share, so that nothing flickers
MOMENTS = 5  # of a strip


class Drawing(NamedTuple):
    """What a scene's module has.

    Attributes:
        draw: (axes, scene, time), the time a number of steps and perhaps a part of one.
        size: scene -> (width, height), in any unit.
        told: (scene, step) -> a few words.
    """

    draw: Any
    size: Any
    told: Any


def animation(scene: Scene, path: Path | str, title: str) -> Path:
    """Writes an episode as an animated GIF that goes round, and returns its path.

    Args:
        scene: The episode.
        path: Ends in .gif; missing folders are made.
        title: Above the picture; what goes on stands below it.

    Raises:
        ValueError: If the path ends in something else.
    """
    path = _checked(path, ".gif")
    between = max(1, min(BETWEEN, FRAMES // max(1, scene.steps)))
    times = np.arange(scene.steps * between + 1) / between
    pictures = [_picture(scene, float(time), title) for time in times]
    palette = _palette(pictures)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    pace = PACE if between > 1 else STEP_PACE
    durations = [pace] * (len(frames) - 1) + [REST]
    # Pillow joins frames that are alike into one that stays as long as all of them.
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False)
    return path


def strip(scene: Scene, path: Path | str, title: str, moments: int = MOMENTS) -> Path:
    """Writes a few moments of an episode side by side, the first and the last with them, and returns the path.

    Args:
        scene: The episode.
        path: Ends in .png; missing folders are made.
        title: Above the moments.
        moments: How many, at least two.

    Raises:
        ValueError: If the path ends in something else.
    """
    path, drawing = _checked(path, ".png"), _drawing(scene)
    steps = np.unique(np.linspace(0, scene.steps, max(2, moments)).round().astype(int)).tolist()
    width, height = drawing.size(scene)
    side = 2.3
    with style.look():
        figure = style.blank(side * len(steps), side * height / width + 0.7)
        figure.suptitle(title)
        for place, step in enumerate(steps):
            axes = figure.add_subplot(1, len(steps), place + 1)
            drawing.draw(axes, scene, float(step))
            below = drawing.told(scene, step).replace(" · ", "\n", 1)
            axes.set_title(below, loc="center", fontsize=style.SMALL, color=style.FAINT)
    return style.write(figure, path)


def _picture(scene: Scene, time: float, title: str) -> Image.Image:
    """One frame, in full colour."""
    drawing = _drawing(scene)
    width, height = drawing.size(scene)
    with style.look():
        figure = Figure(figsize=(SIDE, SIDE * height / width + 0.72), dpi=DOTS)
        top, bottom = 0.36 / figure.get_figheight(), 0.34 / figure.get_figheight()
        axes = figure.add_axes((0.02, bottom, 0.96, 1 - top - bottom))
        drawing.draw(axes, scene, time)
        figure.text(0.5, 1 - top / 2, title, ha="center", va="center", fontsize=style.TITLE)
        figure.text(0.5, bottom / 2, drawing.told(scene, math.floor(time)), ha="center", va="center", color=style.FAINT)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """The colours of a few frames, as an image that others can be quantized by."""
    chosen = [pictures[place] for place in np.unique(np.linspace(0, len(pictures) - 1, 8).astype(int))]
    sheet = np.concatenate([np.asarray(picture) for picture in chosen])
    # What fills areas keeps its very colour; the rest, edges and what is thin, is covered as it comes.
    packed = sheet.reshape(-1, 3).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    colours, counts = np.unique(packed, return_counts=True)
    often = colours[np.argsort(-counts, kind="stable")[:EXACT]]
    exact = np.stack([often >> 16, often >> 8 & 255, often & 255], axis=1)
    covering = Image.fromarray(sheet).quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*exact.ravel().tolist(), *covering])
    return palette


def _drawing(scene: Scene) -> Drawing:
    module = planes if isinstance(scene, Plane) else boards
    return Drawing(module.draw, module.size, module.told)


def _checked(path: Path | str, suffix: str) -> Path:
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise ValueError(f"cannot write this picture to {path.name!r}; let the name end in {suffix}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
