"""The content of a report, independent of its format: a title, a summary, and blocks in reading order.

`markdown_page.write` and `html_page.write` each turn one document into a page in a folder. Text, summary and captions
are Markdown (CommonMark) without HTML and images. The HTML page shows the index of a letter, as in M_t, as a subscript.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from hypergossip.networks.changing import AnyNetwork


@dataclass(frozen=True)
class Heading:
    """The title of a section.

    Attributes:
        text: The title, without markup.
    """

    text: str


@dataclass(frozen=True)
class Text:
    """Paragraphs and lists.

    Attributes:
        markdown: The text.
    """

    markdown: str


@dataclass(frozen=True, eq=False)
class Table:
    """A table with formatted numbers, the best of each kind emphasised (see `tables.markdown`).

    Attributes:
        frame: A summary, the results of tuning, or any other frame; its index names the rows.
        caption: The caption, without its number.
    """

    frame: pd.DataFrame
    caption: str


@dataclass(frozen=True, eq=False)
class Panel:
    """The content of one pair of axes: a line and a band for every method.

    Attributes:
        histories: Method -> history, one row per round (and seed). A method without the column is omitted.
        column: The column on the y axis: "metric", one of its terms, or an observation of the problem.
        against: The column on the x axis: "round", "samples", or "exchanges" where the histories have it.
        title: The title of the axes; may be empty.
    """

    histories: Mapping[str, pd.DataFrame]
    column: str = "metric"
    against: str = "round"
    title: str = ""


@dataclass(frozen=True, eq=False)
class Curves:
    """A figure with several panels and one legend; a method looks the same in all figures of the document.

    Panels with the same column share the range of its axis, so that they can be compared. Values of another magnitude,
    such as those of a diverging run, belong in another figure.

    Attributes:
        panels: In reading order.
        caption: The caption; a sentence on lines and bands is in the figure.
        picture: The path of the picture in the folder of the report, such as "metric.png" or "figures/metric.png".
    """

    panels: tuple[Panel, ...]
    caption: str
    picture: str


@dataclass(frozen=True, eq=False)
class Topology:
    """A figure of a network with its weights.

    Attributes:
        network: The network.
        caption: The caption; counts, weights and lambda are added to it.
        picture: See `Curves`.
    """

    network: AnyNetwork
    caption: str
    picture: str


@dataclass(frozen=True, eq=False)
class Numbers:
    """A figure of numbers with names.

    Attributes:
        values: Name -> numbers.
        label: What the numbers are, such as "test accuracy".
        caption: The caption.
        picture: See `Curves`.
    """

    values: Mapping[str, np.ndarray]
    label: str
    caption: str
    picture: str


class PerAgent(Numbers):
    """One number for every agent and seed of each method, (seeds, agents), which shows how much the agents differ."""


class Histogram(Numbers):
    """Distributions by group, such as the learned weights of clean and of corrupted samples; only finite numbers."""


@dataclass(frozen=True)
class Picture:
    """A picture that is already in the folder.

    Attributes:
        path: The path of a .png or .svg, relative to the folder.
        caption: The caption.
    """

    path: str
    caption: str


@dataclass(frozen=True)
class Code:
    """Verbatim text, such as a configuration.

    Attributes:
        text: The lines.
        language: The language for syntax highlighting, such as "toml".
        caption: The caption; may be empty.
    """

    text: str
    language: str = ""
    caption: str = ""


Figure = Curves | Topology | PerAgent | Histogram
Block = Heading | Text | Table | Figure | Picture | Code


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: The title, without markup.
        summary: The main results in a few sentences of Markdown; shown first.
        blocks: In reading order.

    Raises:
        ValueError: If two blocks have the same picture, or a picture is outside the folder or has another format.
    """

    title: str
    summary: str
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        drawn = [block.picture for block in self.blocks if isinstance(block, Figure)]
        if twice := sorted({name for name in drawn if drawn.count(name) > 1}):
            raise ValueError(
                f"two blocks would write {', '.join(twice)}; give the picture of every block its own name."
            )
        for name in [*drawn, *(block.path for block in self.blocks if isinstance(block, Picture))]:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or path.suffix.lower() not in (".png", ".svg"):
                raise ValueError(
                    f"{name!r} is not a picture in the folder; name a .png or .svg in it, such as figures/metric.png."
                )


def method_indices(document: Document) -> dict[str, int]:
    """Returns the index of every method in the figures of a document, which determines its colour and marker.

    Blocks that have a method in common are numbered together, so that a method looks the same in all of them. Blocks
    without common methods (methods in one, densities of the network in another) each start with the first colour.
    """
    groups: list[dict[str, None]] = []
    for block in document.blocks:
        if isinstance(block, Curves):
            names = {name: None for panel in block.panels for name in panel.histories}
        elif isinstance(block, PerAgent):
            names = dict.fromkeys(block.values)
        else:
            continue
        joined = [group for group in groups if group.keys() & names.keys()]
        groups = [group for group in groups if not group.keys() & names.keys()]
        groups.append({name: None for group in [*joined, names] for name in group})
    return {name: index for group in groups for index, name in enumerate(group)}


def numbered(document: Document) -> Iterator[tuple[Block, str]]:
    """Yields every block of a `document` with its number, as "Table 1" or "Figure 2", or "" if it has none."""
    counts = {"Table": 0, "Figure": 0}
    for block in document.blocks:
        kind = "Table" if isinstance(block, Table) else "" if isinstance(block, Heading | Text | Code) else "Figure"
        if kind:
            counts[kind] += 1
        yield block, f"{kind} {counts[kind]}" if kind else ""
