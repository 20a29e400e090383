"""A document with every kind of block and known numbers, and a parser that reads a page back."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from hypergossip import networks
from hypergossip.lab.report.document import (
    Code,
    Curves,
    Document,
    Heading,
    Histogram,
    Panel,
    PerAgent,
    Picture,
    Table,
    Text,
    Topology,
)
from hypergossip.networks.network import Network

HOSTILE = '<script>alert("1")</script> & M_t'
CODE = "[run]\nrounds = 100 # <b>not bold</b> & `ticks`\n"
NETWORK = networks.ring(5)
PICTURE = "given.png"


def accuracies(seeds: int = 3) -> dict[str, np.ndarray]:
    """Agent a of method k has 0.5 + 0.1 k + 0.01 a in its median seed; seeds are 0.001 apart."""
    offset = np.arange(seeds)[:, None] - (seeds - 1) / 2
    return {name: 0.5 + 0.1 * k + 0.01 * np.arange(4) + 0.001 * offset for k, name in enumerate(("A", "B", "C"))}


def frame() -> pd.DataFrame:
    """A small table with a best value and text that must be escaped."""
    rows = {"test_accuracy": [0.9, 0.8], "remark": ["a|b", HOSTILE]}
    return pd.DataFrame(rows, index=pd.Index(["A", "B"], name="method"))


def document(histories: dict[str, pd.DataFrame], network: Network = NETWORK) -> Document:
    """A document with every kind of block."""
    weights = {"clean": np.linspace(0.5, 1.0, 50), "corrupted": np.linspace(0.0, 0.5, 10)}
    panels = (Panel(histories), Panel(histories, against="samples"), Panel(histories, "test_accuracy", title="Reached"))
    return Document(
        "A title: x < y",
        "What was **found**, and `why`.\n\n- first M_t\n- second",
        (
            Heading("Results"),
            Text("See [the numbers](history.csv), *all* of them; 1 < 2."),
            Table(frame(), "The `table`."),
            Curves(panels, "The curves.", "figures/curves.png"),
            Topology(network, "The network.", "figures/network.png"),
            PerAgent(accuracies(), "test accuracy", "The agents.", "figures/agents.png"),
            Histogram(weights, "learned weight", "The weights.", "figures/weights.png"),
            Picture(PICTURE, 'A "given" picture.'),
            Heading("Configuration"),
            Code(CODE, "toml", "What was run"),
        ),
    )


class ParsedPage(HTMLParser):
    """A page's visible text, its tags in order, and the tags that were never closed."""

    VOID = {"meta", "img", "br", "link", "hr", "input"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.open = "", [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def attributes(self, tag: str) -> list[dict]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]
