"""How every figure looks: size, type, colours, line marks, and how it is written."""

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

# Told apart under every common colour blindness: Okabe & Ito, "Color universal design" (2008), without its yellow,
# which is lost on white.
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
    """How one method is drawn, the same in every panel of a figure.

    Attributes:
        colour: Of its line, band and markers.
        marker: A Matplotlib marker, so that the lines differ without colour too.
        dashes: A Matplotlib line style; solid for the first seven methods.
    """

    colour: str
    marker: str
    dashes: Dashes


def mark(place: int) -> Mark:
    """Returns how the method in this place of a comparison is drawn, counted from 0; 21 methods differ."""
    turn, slot = divmod(place, len(COLOURS))
    return Mark(COLOURS[slot], MARKERS[(slot + turn) % len(MARKERS)], DASHES[turn % len(DASHES)])


def look() -> AbstractContextManager[None]:
    """Returns a context in which figures are built and written; Matplotlib's settings are as before after it."""
    return matplotlib.rc_context(_SETTINGS)


def blank(width: float, height: float) -> Figure:
    """Returns an empty figure whose panels, labels and legends make room for each other.

    Args:
        width: In inches.
        height: In inches.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.02, hspace=0.03)  # pyright: ignore
    return figure


def without_frame(axes: Axes) -> None:
    """Takes frame, ticks and grid off axes that hold a picture or a sentence."""
    axes.set_axis_off()
    axes.grid(False)


def write(figure: Figure, path: Path | str) -> Path:
    """Writes a figure, the same bytes for the same figure, and returns its path.

    Args:
        figure: The figure.
        path: Ends in .png (200 dots an inch), .pdf or .svg; missing folders are made.

    Raises:
        ValueError: If the path ends in something else.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"cannot write a figure to {path.name!r}; let the name end in one of {', '.join(FORMATS)}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    dated = {".pdf": "CreationDate", ".svg": "Date"}.get(path.suffix.lower())
    with look():
        figure.savefig(path, metadata={dated: None} if dated else None)
    return path
