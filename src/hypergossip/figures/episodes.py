"""Draws episodes of games as animated GIFs and as strips of a few frames: a `ParticleFrame` or a `GridFrame`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from hypergossip.figures import grid_frame, particle_frame, style
from hypergossip.figures.grid_frame import GridFrame
from hypergossip.figures.particle_frame import ParticleFrame

Scene = ParticleFrame | GridFrame

SIDE, DPI = 4.4, 110  # width of an animation in inches, and dots per inch
FRAMES = 200  # target for an animation: a step of a short episode has several frames
FRAMES_PER_STEP = 4  # at most
FRAME_TIME = 40  # milliseconds per frame, where a step has several frames
STEP_TIME = 80  # milliseconds per frame, where a step has one frame
LAST_FRAME_TIME = 2000  # milliseconds
EXACT, COLOURS = 32, 96  # sizes of the palette that all frames share, so that nothing flickers
MOMENTS = 5  # in a strip


class Drawing(NamedTuple):
    """The functions of the module that draws a scene.

    Attributes:
        draw: Takes (axes, scene, time) with the time in steps, possibly fractional.
        size: Takes a scene and returns (width, height) in any unit.
        label: Takes (scene, step) and returns a short text.
    """

    draw: Any
    size: Any
    label: Any


def animation(scene: Scene, path: Path | str, title: str) -> Path:
    """Writes an episode as an animated GIF that repeats, and returns its path.

    Args:
        scene: The episode.
        path: Ends in .gif; missing folders are created.
        title: The text above the picture; the label of the current step is below it.

    Raises:
        ValueError: If the path ends in something else.
    """
    path = _checked(path, ".gif")
    per_step = max(1, min(FRAMES_PER_STEP, FRAMES // max(1, scene.steps)))
    times = np.arange(scene.steps * per_step + 1) / per_step
    pictures = [_picture(scene, float(time), title) for time in times]
    palette = _palette(pictures)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    frame_time = FRAME_TIME if per_step > 1 else STEP_TIME
    durations = [frame_time] * (len(frames) - 1) + [LAST_FRAME_TIME]
    # Pillow merges identical consecutive frames into one with their total duration.
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False)
    return path


def strip(scene: Scene, path: Path | str, title: str, moments: int = MOMENTS) -> Path:
    """Writes a few moments of an episode side by side, including the first and the last, and returns the path.

    Args:
        scene: The episode.
        path: Ends in .png; missing folders are created.
        title: The text above the moments.
        moments: The number of moments, at least two.

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
        for index, step in enumerate(steps):
            axes = figure.add_subplot(1, len(steps), index + 1)
            drawing.draw(axes, scene, float(step))
            below = drawing.label(scene, step).replace(" · ", "\n", 1)
            axes.set_title(below, loc="center", fontsize=style.SMALL, color=style.FAINT)
    return style.write(figure, path)


def _picture(scene: Scene, time: float, title: str) -> Image.Image:
    """Returns one frame in full colour."""
    drawing = _drawing(scene)
    width, height = drawing.size(scene)
    with style.look():
        figure = Figure(figsize=(SIDE, SIDE * height / width + 0.72), dpi=DPI)
        top, bottom = 0.36 / figure.get_figheight(), 0.34 / figure.get_figheight()
        axes = figure.add_axes((0.02, bottom, 0.96, 1 - top - bottom))
        drawing.draw(axes, scene, time)
        figure.text(0.5, 1 - top / 2, title, ha="center", va="center", fontsize=style.TITLE)
        figure.text(
            0.5, bottom / 2, drawing.label(scene, math.floor(time)), ha="center", va="center", color=style.FAINT
        )
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """Returns an image whose palette has the colours of a few frames, for quantizing all of them."""
    chosen = [pictures[index] for index in np.unique(np.linspace(0, len(pictures) - 1, 8).astype(int))]
    sheet = np.concatenate([np.asarray(picture) for picture in chosen])
    # The most frequent colours, those of areas, are kept exactly; the colours of edges and thin lines are approximated.
    packed = sheet.reshape(-1, 3).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    colours, counts = np.unique(packed, return_counts=True)
    often = colours[np.argsort(-counts, kind="stable")[:EXACT]]
    exact = np.stack([often >> 16, often >> 8 & 255, often & 255], axis=1)
    covering = Image.fromarray(sheet).quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*exact.ravel().tolist(), *covering])
    return palette


def _drawing(scene: Scene) -> Drawing:
    module = particle_frame if isinstance(scene, ParticleFrame) else grid_frame
    return Drawing(module.draw, module.size, module.label)


def _checked(path: Path | str, suffix: str) -> Path:
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise ValueError(f"cannot write this picture to {path.name!r}; let the name end in {suffix}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
