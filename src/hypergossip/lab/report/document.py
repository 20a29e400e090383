"""What a report tells, apart from how it is shown: a title, a summary, and blocks in the order of reading.

`markdown_page.write` and `html_page.write` each turn one story into a page of a folder. Text, summary and captions are
Markdown of a small kind: paragraphs, lists (lines that begin with "- "), **bold**, *italic*, `code` and
[links](history.csv); anything else is shown as it stands, but that a letter with an index, as M_t, is set as one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from hypergossip.networks.network import Network


@dataclass(frozen=True)
class Heading:
    """The title of a section.

    Attributes:
        text: Its words, without markup.
    """

    text: str


@dataclass(frozen=True)
class Text:
    """Paragraphs and lists.

    Attributes:
        markdown: Separated by empty lines.
    """

    markdown: str


@dataclass(frozen=True, eq=False)
class Table:
    """A table as `tables.markdown` has it: numbers for people, the best of a kind emphasised.

    Attributes:
        frame: A summary, a tuning, or any frame; its index names the rows.
        caption: What it shows; numbered by the page.
    """

    frame: pd.DataFrame
    caption: str


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes with a line and a band for every method.

    Attributes:
        histories: Method -> history, one row a round (and seed). A method that lacks the column is left out.
        column: What is drawn up: "metric", one of its parts, or an observation of the problem's.
        against: What is drawn along: "round", "samples", or "exchanges" where histories have such a column.
        title: Above the panel; may be empty.
    """

    histories: Mapping[str, pd.DataFrame]
    column: str = "metric"
    against: str = "round"
    title: str = ""


@dataclass(frozen=True, eq=False)
class Curves:
    """Panels that share one legend: a method looks the same in all of them, and in the whole story.

    Panels that draw the same column share its range, so that they can be compared by eye; what is of another size (a
    run that diverges beside one that does not) belongs in curves of its own.

    Attributes:
        panels: In the order of reading.
        caption: What they show; what lines and bands are is added to it.
        picture: Where the still picture goes, a path in the report's folder: "metric.png" or "figures/metric.png".
    """

    panels: tuple[Panel, ...]
    caption: str
    picture: str


@dataclass(frozen=True, eq=False)
class Topology:
    """A network, drawn with its weights.

    Attributes:
        network: The network.
        caption: What it is; its name, counts and lambda are added to the drawing.
        picture: As for `Curves`.
    """

    network: Network
    caption: str
    picture: str


@dataclass(frozen=True, eq=False)
class PerAgent:
    """One number for every agent and seed, method beside method: how alike the agents fare.

    Attributes:
        values: Method -> (seeds, agents).
        label: What the number is, such as "test accuracy".
        caption: What it shows.
        picture: As for `Curves`.
    """

    values: Mapping[str, np.ndarray]
    label: str
    caption: str
    picture: str


@dataclass(frozen=True, eq=False)
class Histogram:
    """How the numbers of some groups are spread, in shares of each group: weights of clean and of corrupted samples.

    Attributes:
        values: Group -> its numbers, of any shape; those that are not finite are left out.
        label: What the number is, such as "learned weight".
        caption: What it shows.
        picture: As for `Curves`.
    """

    values: Mapping[str, np.ndarray]
    label: str
    caption: str
    picture: str


@dataclass(frozen=True)
class Picture:
    """A picture that lies in the folder already.

    Attributes:
        path: Of a .png or .svg, relative to the folder.
        caption: What it shows.
    """

    path: str
    caption: str


@dataclass(frozen=True)
class Code:
    """Text as it stands, such as a configuration.

    Attributes:
        text: Its lines.
        language: For Markdown's colours, such as "toml".
        caption: What it is; may be empty.
    """

    text: str
    language: str = ""
    caption: str = ""


Block = Heading | Text | Table | Curves | Topology | PerAgent | Histogram | Picture | Code


@dataclass(frozen=True)
class Story:
    """A report.

    Attributes:
        title: Its title, without markup.
        summary: What it found, in a few sentences of Markdown; shown first.
        blocks: In the order of reading.

    Raises:
        ValueError: If two blocks have the same picture, or one lies outside the folder or is no picture.
    """

    title: str
    summary: str
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        drawn = [block.picture for block in self.blocks if isinstance(block, Curves | Topology | PerAgent | Histogram)]
        if twice := sorted({name for name in drawn if drawn.count(name) > 1}):
            raise ValueError(
                f"two blocks would write {', '.join(twice)}; give every block's picture a name of its own."
            )
        for name in [*drawn, *(block.path for block in self.blocks if isinstance(block, Picture))]:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or path.suffix.lower() not in (".png", ".svg"):
                raise ValueError(
                    f"{name!r} is no picture of the folder; name a .png or .svg in it, as figures/metric.png."
                )


def places(story: Story) -> dict[str, int]:
    """Returns the place, counted from 0, that decides how a method looks, for every method that the story draws.

    Blocks that have a method in common count together, so that a method looks alike in all of them; blocks that have
    none (methods here, densities of the network there) each begin with the first colour.
    """
    groups: list[dict[str, None]] = []
    for block in story.blocks:
        if isinstance(block, Curves):
            names = {name: None for panel in block.panels for name in panel.histories}
        elif isinstance(block, PerAgent):
            names = dict.fromkeys(block.values)
        else:
            continue
        joined = [group for group in groups if group.keys() & names.keys()]
        groups = [group for group in groups if not group.keys() & names.keys()]
        groups.append({name: None for group in [*joined, names] for name in group})
    return {name: place for group in groups for place, name in enumerate(group)}


def numbered(story: Story) -> Iterator[tuple[Block, str]]:
    """Yields every block with its number, "Table 1" or "Figure 2"; what has no caption of that kind has none, ""."""
    counts = {"Table": 0, "Figure": 0}
    for block in story.blocks:
        kind = "Table" if isinstance(block, Table) else "" if isinstance(block, Heading | Text | Code) else "Figure"
        if kind:
            counts[kind] += 1
        yield block, f"{kind} {counts[kind]}" if kind else ""
