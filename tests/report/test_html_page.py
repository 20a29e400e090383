"""A document as one HTML file: every block is in it, the figures are Matplotlib's, and nothing is run or loaded."""

import base64
import re

import numpy as np
import pytest
import sample_document

from hypergossip import networks
from hypergossip.figures import style
from hypergossip.lab.report import html_page, pictures, tables
from hypergossip.lab.report.document import Curves, Document, Heading, Panel, Picture, Table, Text, Topology
from hypergossip.networks.network import Network

SVG = "data:image/svg+xml;base64,"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / sample_document.PICTURE).write_bytes(b"a picture")
    return tmp_path


@pytest.fixture
def page(histories, folder):
    return html_page.page(sample_document.document(histories), folder)


@pytest.fixture
def parsed(page):
    return sample_document.ParsedPage(page)


def one(text, folder, *blocks):
    return sample_document.ParsedPage(html_page.page(Document("", text, blocks), folder))


def test_every_block_is_in_the_page(parsed):
    assert parsed.open == []
    parts = [
        *("A title: x < y", "What was found, and why.", "first Mt", "second"),
        *("Results", "See the numbers, all of them; 1 < 2.", "Table 1. The table.", "method", "test_accuracy"),
        "Figure 1. The curves.",
        "Figure 2. The network. 5 agents, 5 edges, 2 neighbours; Metropolis weights 0.333, λ\u00a0=\u00a00.539.",
        *("Figure 3. The agents.", "Figure 4. The weights.", 'Figure 5. A "given" picture.', "What was run"),
        sample_document.CODE,
    ]
    at = 0
    for part in parts:
        assert part in parsed.text[at:], part
        at = parsed.text.index(part, at)
    assert [attributes["href"] for attributes in parsed.attributes("a")] == ["history.csv"]


def test_figures_are_the_pictures_of_the_document(parsed, histories):
    *drawn, given = parsed.attributes("img")
    assert [image["alt"] for image in drawn] == ["The curves.", "The network.", "The agents.", "The weights."]
    assert given["alt"] == 'A "given" picture.'
    assert base64.b64decode(given["src"].removeprefix("data:image/png;base64,")) == b"a picture"
    figure = pictures.figure(sample_document.document(histories).blocks[3], {"A": 0, "B": 1, "C": 2})
    svg = base64.b64decode(drawn[0]["src"].removeprefix(SVG))
    assert svg == style.encoded(figure, "svg")
    assert b"<svg" in svg
    assert b"dc:date" not in svg
    assert len(parsed.attributes("caption")) == len(parsed.attributes("table")) == 1


def test_a_figure_too_large_as_svg_is_a_png_and_a_missing_picture_is_an_error(make, folder, monkeypatch):
    with pytest.raises(ValueError, match=r"no picture gone\.png in the report's folder; write it first"):
        one("", folder, Picture("gone.png", ""))
    block = Curves((Panel({"A": make()}),), "Many marks.", "a.png")
    assert one("", folder, block).attributes("img")[0]["src"].startswith(SVG)
    monkeypatch.setattr(html_page, "MAX_SVG", 1000)
    assert one("", folder, block).attributes("img")[0]["src"].startswith("data:image/png;base64,")


def test_long_documents_have_contents(folder):
    headings = tuple(Heading(f"Part {k}") for k in range(4))
    parsed = one("", folder, *headings)
    assert [attributes["href"] for attributes in parsed.attributes("a")] == [f"#section-{k}" for k in range(1, 5)]
    assert [attributes["id"] for attributes in parsed.attributes("h2")] == [f"section-{k}" for k in range(1, 5)]
    assert not one("", folder, *headings[1:]).attributes("nav")


def test_runs_that_diverge_far_can_be_drawn(make, folder):
    history = make(seeds=2, test_accuracy=0.1)
    history["metric"] = 10.0 ** np.linspace(-320, 308, len(history))
    assert len(one("", folder, Curves((Panel({"A": history}),), "", "a.png")).attributes("img")) == 1


def test_tables_have_the_numbers_of_the_console(parsed):
    cells = parsed.text[parsed.text.index("Table 1.") :]
    assert cells.index("A") < cells.index("0.9000") < cells.index("a|b") < cells.index("B") < cells.index("0.8000")
    html = tables.html(sample_document.frame())
    assert html.count("<strong>") == 1
    assert "<strong>0.9000</strong>" in html
    assert html.count('scope="row"') == html.count('scope="col"') == 2


def test_no_text_of_a_document_is_run_or_loaded(make, folder, page):
    hostile = sample_document.HOSTILE
    names = (hostile, "<b>b</b>", "</script>", "d")
    network = Network(networks.ring(4).mixing, hostile, hostile, names=names)
    histories = {hostile: make(), "</script><img src=http://a.b/c>": make()}
    document = Document(
        hostile,
        hostile,
        (
            Heading(hostile),
            Text(hostile + "[a](javascript:alert(1)) ![b](http://a.b/c) <img src='http://a.b/c'>"),
            Table(sample_document.frame().rename(index={"A": hostile}, columns={"remark": hostile}), hostile),
            Curves((Panel(histories, title=hostile),), hostile, "a.png"),
            Topology(network, hostile, "b.png"),
            sample_document.PerAgent({hostile: np.ones((2, 2))}, hostile, hostile, "c.png"),
            sample_document.Histogram({hostile: np.ones(2)}, hostile, hostile, "d.png"),
            Picture(sample_document.PICTURE, hostile),
            sample_document.Code(hostile, "", hostile),
        ),
    )
    text = html_page.page(document, folder)
    parsed = sample_document.ParsedPage(text)
    assert parsed.open == []
    assert {tag for tag, _ in parsed.tags} <= {tag for tag, _ in sample_document.ParsedPage(page).tags}
    assert [attributes["href"] for attributes in parsed.attributes("a")] == ["http://a.b/c"]  # a link, not an image
    for each in (text, page):
        assert not re.search(r"<script|<link|@import|url\(|<iframe|<object|<base", each)
        images = sample_document.ParsedPage(each).attributes("img")
        assert all(image["src"].startswith("data:") for image in images)
        assert len(images) == 5
    assert "default-src 'none'" in parsed.attributes("meta")[1]["content"]


def test_the_page_is_one_small_reproducible_file(histories, folder):
    document = sample_document.document(histories)
    first = html_page.write(document, folder).read_bytes()
    assert html_page.write(document, folder).read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == [sample_document.PICTURE, "report.html"]
    assert first.startswith(b'<!DOCTYPE html>\n<html lang="en">')
    assert len(first) < 1e6
