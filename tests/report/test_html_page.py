"""A story as one HTML file: every block is there, its numbers are the frame's, and nothing is asked of any network."""

import base64
import re

import numpy as np
import pytest
import telling

from hypergossip import networks
from hypergossip.figures import axes as panels
from hypergossip.figures.distributions import bins, strips
from hypergossip.figures.network import edges
from hypergossip.lab.report import charts, html_page, pictures, tables
from hypergossip.lab.report.document import Curves, Heading, Panel, Picture, Story, Table, Text
from hypergossip.networks.network import Network

LIBRARY = "window.Plotly = 1;"
MARKS = {"A": 0, "B": 1, "C": 2}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / telling.PICTURE).write_bytes(b"a picture")
    return tmp_path


@pytest.fixture
def page(histories, folder):
    return html_page.page(telling.story(histories), folder, LIBRARY)


@pytest.fixture
def read(page):
    return telling.Read(page)


def one(text, folder, *blocks):
    return telling.Read(html_page.page(Story("", text, blocks), folder, LIBRARY))


def by_method(chart, mode="lines"):
    return {trace["legendgroup"]: trace for trace in chart["data"] if trace["mode"] == mode and "text" in trace}


def test_every_block_is_in_the_page(read):
    assert read.open == []
    parts = [
        *("A story: x < y", "What was found, and why.", "first Mt", "second"),
        *("Results", "See the numbers, all of them; 1 < 2.", "Table 1. The table.", "method", "test_accuracy"),
        "Figure 1. The curves. Lines: median over 5 seeds. Bands: smallest to largest.",
        "Figure 2. The network. 5 agents, 5 edges, 2 neighbours; Metropolis weights 0.333, λ\u00a0=\u00a00.539.",
        *("Figure 3. The agents. Points: seeds.", "clean (50, median 0.75)", "corrupted (10, median 0.25)"),
        *(
            "Figure 4. The weights. Dashed lines: medians.",
            'Figure 5. A "given" picture.',
            "What was run",
            telling.CODE,
        ),
    ]
    at = 0
    for part in parts:
        assert part in read.text[at:], part
        at = read.text.index(part, at)
    assert [attributes["href"] for attributes in read.attributes("a")] == ["history.csv"]
    assert len(read.charts) == 6
    (image,) = read.attributes("img")
    assert image["alt"] == 'A "given" picture.'
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == b"a picture"


def test_long_stories_have_contents(folder):
    headings = tuple(Heading(f"Part {k}") for k in range(4))
    read = one("", folder, *headings)
    assert [attributes["href"] for attributes in read.attributes("a")] == [f"#section-{k}" for k in range(1, 5)]
    assert [attributes["id"] for attributes in read.attributes("h2")] == [f"section-{k}" for k in range(1, 5)]
    assert not one("", folder, *headings[1:]).attributes("nav")


def test_curves_are_the_frame_s(read, histories):
    drawn = [read.charts[f"block-3-{place}"] for place in range(3)]
    for chart, (column, against) in zip(
        drawn, [("metric", "round"), ("metric", "samples"), ("test_accuracy", "round")]
    ):
        lines = by_method(chart)
        assert list(lines) == ["C", "B", "A"]  # the first on top, and told first
        assert [trace["legendrank"] for trace in lines.values()] == [2, 1, 0]
        for name, history in histories.items():
            shown = panels.curve(history, column, against)
            np.testing.assert_allclose(lines[name]["x"], shown.x)
            np.testing.assert_allclose(lines[name]["y"], shown.median, rtol=1e-5)
            own = [trace for trace in chart["data"] if trace["legendgroup"] == name]
            low, high = (trace for trace in own if trace["mode"] == "lines" and "text" not in trace)
            np.testing.assert_allclose(low["y"], shown.low, rtol=1e-5)
            np.testing.assert_allclose(high["y"], shown.high, rtol=1e-5)
            assert high["fill"] == "tonexty"
            assert chart["data"].index(high) == chart["data"].index(low) + 1
    assert by_method(drawn[0])["A"]["text"][0] == "9.00 (3.00 to 15.0)"
    assert by_method(drawn[0])["A"]["text"][-1] == "8.79e-3 (2.93e-3 to 1.46e-2)"


def test_axes_are_the_still_picture_s(read, histories):
    block = telling.story(histories).blocks[3]
    for place, axes in enumerate(pictures.curves_figure(block, MARKS).axes):
        layout = read.charts[f"block-3-{place}"]["layout"]
        up = layout["yaxis"]
        assert (up.get("type") == "log") == (axes.get_yscale() == "log") == (place < 2)
        ends = np.log10(axes.get_ylim()) if place < 2 else axes.get_ylim()
        np.testing.assert_allclose(up["range"], ends, rtol=1e-4)
        np.testing.assert_allclose(layout["xaxis"]["range"], axes.get_xlim(), rtol=1e-4)
        if place < 2:
            low, high = axes.get_ylim()
            np.testing.assert_allclose(up["tickvals"], [tick for tick in axes.get_yticks() if low <= tick <= high])
    assert [read.charts[f"block-3-{place}"]["layout"]["title"]["text"] for place in range(3)] == ["", "", "Reached"]
    assert up["title"]["text"] == "test accuracy"


def test_a_short_logarithmic_axis_has_the_still_picture_s_ticks(make):
    history = make(scale=2.0, rounds=10, seeds=None)
    block = Curves((Panel({"A": history}),), "", "a.png")
    up = charts.curves(pictures.drawn(block)[0], {"A": 0})["layout"]["yaxis"]
    axes = pictures.curves_figure(block, {"A": 0}).axes[0]
    low, high = axes.get_ylim()
    np.testing.assert_allclose(up["tickvals"], [tick for tick in axes.get_yticks() if low <= tick <= high])
    assert up["ticktext"][:2] == ["10<sup>0</sup>", "2×10<sup>0</sup>"]


def test_a_line_ends_where_a_seed_is_not_finite_and_one_seed_has_no_band(make):
    history = make(seeds=2)
    history.loc[(history["seed"] == 1) & (history["round"] >= 50), "metric"] = np.inf
    drawn = pictures.drawn(Curves((Panel({"A": history, "B": make(seeds=1)}),), "", "a.png"))[0]
    chart = charts.curves(drawn, {"A": 0, "B": 1})
    line = by_method(chart)["A"]
    assert [value is None for value in line["y"]] == [x >= 50 for x in line["x"]]
    assert line["text"][-1] == "not finite"
    bands = [trace for trace in chart["data"] if trace.get("fill")]
    assert [max(band["x"]) for band in bands] == [45]
    assert by_method(chart)["B"]["text"][0] == "3.00"


def test_runs_that_diverge_far_can_be_drawn(make, folder, tmp_path):
    history = make(seeds=2, test_accuracy=0.1)
    history["metric"] = 10.0 ** np.linspace(-320, 308, len(history))
    block = Curves((Panel({"A": history}),), "", "a.png")
    (chart,) = one("", folder, block).charts.values()
    assert len(chart["layout"]["yaxis"]["tickvals"]) >= 4
    assert pictures.write(Story("", "", (block,)), tmp_path) == [tmp_path / "a.png"]


def test_a_network_tells_its_weights(read):
    told = [text for trace in read.charts["block-4-0"]["data"] for text in trace.get("hovertext", [])]
    assert [text for text in told if text.startswith("agents")] == [
        f"agents {i} and {j}: weight 0.3333" for i, j in telling.NETWORK.edges
    ]
    assert "agent 3: 2 neighbours, own weight 0.3333" in told


def test_edges_are_as_wide_as_their_weights_and_dashed_where_negative():
    mixing = [[0.7, 0.4, -0.1], [0.4, 0.2, 0.4], [-0.1, 0.4, 0.7]]
    network = networks.from_mixing(mixing)
    chart = charts.network(network)
    assert chart is not None
    lines = {trace["line"]["width"]: trace for trace in chart["data"] if trace["mode"] == "lines"}
    assert sorted(lines) == [pytest.approx(2.6 / 4 * 4 / 3, abs=0.1), pytest.approx(2.6 * 4 / 3, abs=0.1)]
    assert [lines[width]["line"]["dash"] for width in sorted(lines)] == ["dash", "solid"]
    assert sum(trace["x"].count(None) for trace in lines.values()) == len(edges(network)[0])
    assert charts.network(networks.ring(400)) is None
    assert len(charts.network(networks.single())["data"]) == 1


def test_agents_and_groups_are_told(read):
    told = [text for trace in read.charts["block-5-0"]["data"] for text in trace.get("hovertext", [])]
    assert len(told) == 3 * (3 * 4 + 4)
    assert "B, agent 2, seed 0: 0.619" in told
    assert "B, agent 2: median 0.62" in told
    clean, corrupted, *_ = read.charts["block-6-0"]["data"]
    assert (clean["text"][-1], corrupted["text"][-1]) == ("6.0% from 0.975 to 1", "0.0% from 0.975 to 1")
    np.testing.assert_allclose(sum(corrupted["y"][1:-1]), 1)


def test_a_chart_of_a_network_tells_the_names():
    network = networks.from_edges(3, [("Oslo", "<Bern>"), ("<Bern>", "NL")], names=["Oslo", "<Bern>", "NL"])
    chart = charts.network(network)
    told = [text for trace in chart["data"] for text in trace.get("hovertext", ())]
    assert [text for text in told if text.startswith("agents ")] == [
        "agents 'Oslo' and '&lt;Bern&gt;': weight 0.3333",
        "agents '&lt;Bern&gt;' and 'NL': weight 0.3333",
    ]
    assert any(text.startswith("agent 'NL': 1 neighbour, own weight 0.6667") for text in told)
    assert chart["data"][-1]["text"] == ["Oslo", "&lt;Bern&gt;", "NL"]


def test_tables_are_the_console_s(read):
    cells = read.text[read.text.index("Table 1.") :]
    assert cells.index("A") < cells.index("0.9000") < cells.index("a|b") < cells.index("B") < cells.index("0.8000")
    html = tables.html(telling.frame())
    assert html.count("<strong>") == 1
    assert "<strong>0.9000</strong>" in html
    assert html.count('scope="row"') == html.count('scope="col"') == 2


def test_nothing_a_story_says_is_run_or_loaded(make, folder, page):
    wicked = {telling.WICKED: make(), "</script><img src=http://a.b/c>": make()}
    names = (telling.WICKED, "<b>b</b>", "</script>", "d")
    network = Network(networks.ring(4).mixing, telling.WICKED, telling.WICKED, names=names)
    story = Story(
        telling.WICKED,
        telling.WICKED,
        (
            Heading(telling.WICKED),
            Text(telling.WICKED + "[a](javascript:alert(1)) <img src='http://a.b/c'>"),
            Table(
                telling.frame().rename(index={"A": telling.WICKED}, columns={"remark": telling.WICKED}), telling.WICKED
            ),
            Curves((Panel(wicked, title=telling.WICKED),), telling.WICKED, "a.png"),
            telling.Topology(network, telling.WICKED, "b.png"),
            telling.PerAgent({telling.WICKED: np.ones((2, 2))}, telling.WICKED, telling.WICKED, "c.png"),
            telling.Histogram({telling.WICKED: np.ones(2)}, telling.WICKED, telling.WICKED, "d.png"),
            Picture(telling.PICTURE, telling.WICKED),
            telling.Code(telling.WICKED, "", telling.WICKED),
        ),
    )
    text = html_page.page(story, folder, LIBRARY)
    read = telling.Read(text)
    assert read.open == []
    tags = {tag for tag, _ in read.tags}
    assert tags == {tag for tag, _ in telling.Read(page).tags} - {"a", "em", "ul", "li"} | {"i", "sub"}
    ours = [attributes for attributes in read.attributes("script") if "type" not in attributes]
    assert len(ours) == 2
    assert len(read.charts) == 4
    # A histogram's legend has its group, which is named as one of the methods is.
    assert {attributes["data-method"] for attributes in read.attributes("button")} == wicked.keys()
    for each in (text, page):
        assert not re.search(r"<link|@import|url\(|<iframe|<object|<base", each)
        sources = [
            value for _, tag in telling.Read(each).tags for key, value in tag.items() if key in ("src", "srcset")
        ]
        assert all(source.startswith("data:") for source in sources)
    assert "default-src 'none'" in read.attributes("meta")[1]["content"]


def test_the_page_is_one_file_and_alike_twice(histories, folder):
    story = telling.story(histories)
    first = html_page.write(story, folder).read_bytes()
    assert html_page.write(story, folder).read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == [telling.PICTURE, "report.html"]
    assert first.startswith(b'<!DOCTYPE html>\n<html lang="en">')
    assert b"plotly.js v" in first
    assert len(first) < 6e6


def test_every_plot_says_what_it_is(read):
    plots = [attributes for attributes in read.attributes("div") if attributes.get("class") == "plot"]
    assert [plot["aria-label"] for plot in plots] == [
        *("The curves.", "The curves.", "Reached: The curves.", f"{telling.NETWORK.name}: The network."),
        *("The agents.", "The weights."),
    ]
    assert len({plot["id"] for plot in plots}) == 6
    assert len(read.attributes("caption")) == len(read.attributes("table")) == 1


def test_plotly_knows_every_word(read, make):
    from plotly.graph_objects import Figure

    # Colours that the page's script resolves.
    def resolved(part):
        if isinstance(part, dict):
            return {key: resolved(value) for key, value in part.items()}
        if isinstance(part, list):
            return [resolved(value) for value in part]
        return "#123456" if isinstance(part, str) and part.startswith("@") else part

    eight = {f"method {place}": make(seeds=2) for place in range(8)}
    marks = {name: place for place, name in enumerate(eight)}
    more = charts.curves(pictures.drawn(Curves((Panel(eight),), "", "a.png"))[0], marks)
    for chart in [*read.charts.values(), more]:
        figure = Figure(**resolved(chart))
        assert len(figure.data) == len(chart["data"])
    assert {trace["line"]["dash"] for trace in by_method(more).values()} == {"solid", "dash"}


def test_the_seventh_method_is_seen_in_the_dark(make):
    strip = charts.strips(strips({"A": np.ones((2, 2))}), {"A": 6}, "")
    assert strip["data"][0]["marker"]["color"] == "@ink"
    assert charts.bins(bins({str(k): np.arange(3.0) for k in range(7)}), "")["data"][6]["fillcolor"] == "@band"


def test_a_missing_picture_is_a_sentence(folder):
    with pytest.raises(ValueError, match=r"no picture gone\.png in the report's folder; write it first"):
        one("", folder, Picture("gone.png", ""))
