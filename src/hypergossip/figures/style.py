"""The common style of all figures (sizes, fonts, colours, markers) and how they are written."""

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Dashes = Literal["-", "--", ":"]

FORMATS = (".png", ".pdf", ".svg")
INK = "#222222"
FAINT = "#6b6b6b"
PANEL = (3.3, 2.5)  # inches
TITLE = 11  # points
SMALL = 8

# Distinguishable with every common colour blindness: Okabe & Ito, "Color universal design" (2008), without its
# yellow, which has too little contrast on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Dashes, ...] = ("-", "--", ":")

_SETTINGS: dict[Any, Any] = {
    "text.usetex": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "lines.markeredgewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.titlesize": TITLE,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # TrueType: journals refuse Matplotlib's default
    "svg.hashsalt": "hypergossip",
}


class Mark(NamedTuple):
    """How one method is drawn in all axes of a figure.

    Attributes:
        colour: The colour of its line, band and markers.
        marker: A Matplotlib marker, so that the lines also differ without colour.
        dashes: A Matplotlib line style; solid for the first seven methods.
    """

    colour: str
    marker: str
    dashes: Dashes


def mark(index: int) -> Mark:
    """Returns how the method with this index in a comparison is drawn; the first 21 differ from each other."""
    turn, slot = divmod(index, len(COLOURS))
    return Mark(COLOURS[slot], MARKERS[(slot + turn) % len(MARKERS)], DASHES[turn % len(DASHES)])


def look() -> AbstractContextManager[None]:
    """Returns a context with the settings for building and writing figures; it restores Matplotlib's own at its end."""
    return matplotlib.rc_context(_SETTINGS)


def blank(width: float, height: float) -> Figure:
    """Returns an empty figure with a constrained layout.

    Args:
        width: The width in inches.
        height: The height in inches.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.02, hspace=0.03)  # pyright: ignore
    return figure


def without_frame(axes: Axes) -> None:
    """Removes frame, ticks and grid from axes that hold a picture or a text."""
    axes.set_axis_off()
    axes.grid(False)


def write(figure: Figure, path: Path | str) -> Path:
    """Writes a figure reproducibly, to the same bytes each time, and returns its path.

    Args:
        figure: The figure.
        path: Ends in .png (200 dots per inch), .pdf or .svg; missing folders are created.

    Raises:
        ValueError: If the path ends in something else.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"cannot write a figure to {path.name!r}; let the name end in one of {', '.join(FORMATS)}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(figure, path.suffix.lower()[1:]))
    return path


def encoded(figure: Figure, form: str) -> bytes:
    """Returns the bytes of a figure in a `form`, "png", "pdf" or "svg", without the time of writing."""
    buffer = io.BytesIO()
    date = {"pdf": "CreationDate", "svg": "Date"}.get(form)
    with look():
        figure.savefig(buffer, format=form, metadata={date: None} if date else None)
    return buffer.getvalue()
