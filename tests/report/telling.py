"""A story with every block, whose every number is known, and a page read back into its parts."""

import json
from html.parser import HTMLParser

import numpy as np
import pandas as pd

from hypergossip import networks
from hypergossip.lab.report.document import (
    Code,
    Curves,
    Heading,
    Histogram,
    Panel,
    PerAgent,
    Picture,
    Story,
    Table,
    Text,
    Topology,
)
from hypergossip.networks.network import Network

WICKED = '<script>alert("1")</script> & M_t'
CODE = "[run]\nrounds = 100 # <b>not bold</b> & `ticks`\n"
NETWORK = networks.ring(5)
PICTURE = "given.png"


def accuracies(seeds: int = 3) -> dict[str, np.ndarray]:
    """Agent a of method k has 0.5 + 0.1 k + 0.01 a in its median seed, 0.001 apart."""
    about = np.arange(seeds)[:, None] - (seeds - 1) / 2
    return {name: 0.5 + 0.1 * k + 0.01 * np.arange(4) + 0.001 * about for k, name in enumerate(("A", "B", "C"))}


def frame() -> pd.DataFrame:
    """A small table with a best value and words to be escaped."""
    rows = {"test_accuracy": [0.9, 0.8], "remark": ["a|b", WICKED]}
    return pd.DataFrame(rows, index=pd.Index(["A", "B"], name="method"))


def story(histories: dict[str, pd.DataFrame], network: Network = NETWORK) -> Story:
    """A story with every block."""
    weights = {"clean": np.linspace(0.5, 1.0, 50), "corrupted": np.linspace(0.0, 0.5, 10)}
    panels = (Panel(histories), Panel(histories, against="samples"), Panel(histories, "test_accuracy", title="Reached"))
    return Story(
        "A story: x < y",
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


class Read(HTMLParser):
    """A page's parts: the text that is seen, tags in order, charts by their place's id, links, and unclosed tags."""

    VOID = {"meta", "img", "br", "link", "hr", "input"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.charts = "", [], {}
        self.open: list[tuple[str, dict]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1][0] == tag, f"</{tag}> closes <{self.open[-1][0]}>"
        self.open.pop()

    def handle_data(self, data):
        tag, attributes = self.open[-1] if self.open else ("", {})
        if tag == "script" and attributes.get("type") == "application/json":
            self.charts[self.open[-2][1]["id"]] = json.loads(data)
        elif tag not in ("script", "style"):
            self.text += data

    def attributes(self, tag: str) -> list[dict]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]
