"""A document in Markdown: every block is in the page, and its pictures show the given numbers."""

from dataclasses import replace

import numpy as np
import pytest
import sample_document
from matplotlib.collections import LineCollection, PathCollection

from hypergossip.figures import distributions
from hypergossip.lab.report import markdown_page, markup, pictures, tables
from hypergossip.lab.report.document import (
    Curves,
    Document,
    Histogram,
    Panel,
    PerAgent,
    Picture,
    method_indices,
    numbered,
)


@pytest.fixture
def document(histories):
    return sample_document.document(histories)


def test_every_block_is_in_the_page(document, tmp_path, sized):
    page = markdown_page.write(document, tmp_path).read_text()
    parts = [
        "# A title: x \\< y\n",
        "What was **found**, and `why`.\n\n- first M_t\n- second\n",
        "## Results\n",
        "See [the numbers](history.csv), *all* of them; 1 &lt; 2.",
        "**Table 1.** The `table`.\n\n| method | test_accuracy | remark |\n",
        tables.markdown(sample_document.frame()),
        "![The curves.](figures/curves.png)\n\n**Figure 1.** The curves.",
        "![The network.](figures/network.png)\n\n**Figure 2.** The network. 5 agents, 5 edges, 2 neighbours",
        "![The agents.](figures/agents.png)",
        "![The weights.](figures/weights.png)",
        '![A "given" picture.](given.png)\n\n**Figure 5.** A "given" picture.',
        "## Configuration\n",
        f"What was run\n\n```toml\n{sample_document.CODE}```\n",
    ]
    at = [page.find(part) for part in parts]
    assert -1 not in at
    assert at == sorted(at)
    assert page.endswith("```\n")
    for name in ("curves", "network", "agents", "weights"):
        assert min(sized(tmp_path / f"figures/{name}.png")) > 400


def test_the_pages_are_reproducible(document, tmp_path):
    markdown_page.write(document, tmp_path / "a")
    markdown_page.write(document, tmp_path / "b")
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*")]
    assert len(files) == 5
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


def test_tables_figures_and_nothing_else_are_numbered(document):
    assert [number for _, number in numbered(document)] == [
        *("", "", "Table 1", "Figure 1", "Figure 2", "Figure 3", "Figure 4", "Figure 5", "", "")
    ]


def test_a_method_looks_the_same_in_all_figures(make):
    history = make()
    curves = lambda *names: Curves((Panel(dict.fromkeys(names, history)),), "", f"{''.join(names)}.png")
    agents = PerAgent({"D": np.ones((1, 2))}, "", "", "agents.png")
    groups = Document("", "", (curves("p", "q"), curves("A", "B"), curves("C", "B"), agents))
    assert method_indices(groups) == {"p": 0, "q": 1} | {"A": 0, "B": 1, "C": 2} | {"D": 0}
    # A later block can join groups that were separate.
    assert method_indices(Document("", "", (curves("A"), curves("B"), curves("B", "A")))) == {"A": 0, "B": 1}


def test_panels_share_the_scales_of_common_columns(make):
    small, large = {"A": make(rounds=50)}, {"A": make(scale=3000.0)}
    block = Curves((Panel(small), Panel(large, title="large"), Panel(small, against="samples")), "", "a.png")
    first, second, third = pictures.drawn(block)
    assert first.scales == second.scales
    assert first.scales[1] == third.scales[1]
    assert second.scales[0].high == pytest.approx(101.5)
    assert third.scales[0].high == pytest.approx(1.015 * 12 * 50)
    figure = pictures.curves_figure(block, {"A": 0})
    limits = [axes.get_ylim() for axes in figure.axes]
    assert limits[0] == limits[1] == limits[2] == tuple(first.scales[1][1:])
    assert [axes.get_ylabel() != "" for axes in figure.axes] == [True, False, False]
    assert figure.axes[1].get_title("left") == "large"


def test_pairs_of_panels_stay_pairs(make):
    history = {"A": make()}
    expected = {"a": 1, "ab": 2, "abc": 3, "    ": 2, "aabbcc": 2, "abcdef": 3}
    for titles, columns in expected.items():
        panels = tuple(Panel(history, title=title.strip()) for title in titles)
        assert pictures.columns_of(Curves(panels, "", "a.png")) == columns
    assert pictures.columns_of(Curves((Panel(history),), "", "a.png")) == 1


def test_agents_are_side_by_side_with_their_medians_over_the_seeds():
    shown = distributions.strips(sample_document.accuracies())
    np.testing.assert_allclose(shown["B"].medians, [0.6, 0.61, 0.62, 0.63])
    np.testing.assert_allclose(shown["B"].x.mean(), 1.0)
    every = np.sort(np.concatenate([strip.x for strip in shown.values()]))
    assert np.diff(every).min() > 2 * shown["B"].half
    assert distributions.range_text(shown["B"]) == "0.600 to 0.630"
    block = PerAgent(sample_document.accuracies(), "test accuracy", "", "a.png")
    axes = pictures.per_agent_figure(block, {"A": 0, "B": 1, "C": 2}).axes[0]
    bars = [part.get_segments() for part in axes.collections if isinstance(part, LineCollection)]
    np.testing.assert_allclose(np.array(bars)[1, :, :, 1], [[value, value] for value in shown["B"].medians])
    points = [np.asarray(part.get_offsets()) for part in axes.collections if isinstance(part, PathCollection)]
    np.testing.assert_allclose(points[2][:, 1], sample_document.accuracies()["C"].ravel())
    assert axes.get_xticklabels()[0].get_text() == "A\n0.500 to 0.530"


def test_one_seed_has_only_bars_and_a_failed_seed_is_not_hidden():
    alone = PerAgent(sample_document.accuracies(seeds=1), "", "", "a.png")
    axes = pictures.per_agent_figure(alone, {"A": 0, "B": 1, "C": 2}).axes[0]
    assert not any(isinstance(part, PathCollection) for part in axes.collections)
    shown = distributions.strips({"A": np.array([[1.0, np.inf], [2.0, 3.0]])})["A"]
    np.testing.assert_array_equal(shown.medians, [1.5, np.nan])
    assert distributions.range_text(shown) == "1.50"


def test_histograms_are_shares_of_each_group_in_common_bins():
    rng = np.random.default_rng(0)
    values = {"clean": rng.uniform(0.4, 1.0, (20, 30)), "corrupted": np.array([0.0, 0.1, np.nan, 0.9])}
    shown = distributions.bins(values)
    assert shown.edges[0] == 0.0
    assert shown.edges[-1] == values["clean"].max()
    assert all(share.sum() == pytest.approx(1) for share in shown.shares.values())
    assert shown.names["corrupted"] == "corrupted (3, median 0.1)"
    assert shown.names["clean"].startswith("clean (600, median 0.7")
    axes = pictures.histogram_figure(Histogram(values, "weight", "", "a.png")).axes[0]
    assert axes.get_xlim() == (shown.edges[0], shown.edges[-1])
    assert distributions.bins({"all shared": np.zeros(3)}).shares["all shared"].sum() == 1


@pytest.mark.parametrize(
    ("markdown", "html", "plain"),
    [
        ("a **b `c_d`** *e*", "<p>a <strong>b <code>c_d</code></strong> <em>e</em></p>", "a b c_d e"),
        ("M_t, upper_step", "<p><i>M</i><sub>t</sub>, upper_step</p>", "M_t, upper_step"),
        ("**x_0**", "<p><strong><i>x</i><sub>0</sub></strong></p>", "x_0"),
        ("`M_t` of a/x_t.csv", "<p><code>M_t</code> of a/x_t.csv</p>", "M_t of a/x_t.csv"),
        ("2 * 3 * 4 **", "<p>2 * 3 * 4 **</p>", "2 * 3 * 4 **"),
        ("<b>&`<i>`", "<p>&lt;b&gt;&amp;<code>&lt;i&gt;</code></p>", "<b>&<i>"),
        ("[a_b](c_d.csv)", '<p><a href="c_d.csv"><i>a</i><sub>b</sub></a></p>', "a_b"),
        ("[a](javascript:b)", "<p>[a](javascript:b)</p>", "[a](javascript:b)"),
        ("![a](b.png)", '<p>!<a href="b.png">a</a></p>', "!a"),
        ("a\nb\n\nc", "<p>a\nb</p>\n<p>c</p>", "a b c"),
        ("a:\n- b\n  c\n- d", "<p>a:</p>\n<ul>\n<li>b\nc</li>\n<li>d</li>\n</ul>", "a: b c d"),
        ("", "", ""),
    ],
)
def test_markdown_as_html_and_as_plain_text(markdown, html, plain):
    assert markup.to_html(markdown) == html
    assert markup.plain(markdown) == plain


def test_an_index_is_set_in_figures_a_sentence_has_a_full_stop_and_a_fence_is_longer_than_any_in_the_code():
    assert "````\na\n```\nb\n````" in markdown_page._block(sample_document.Code("a\n```\nb"), "")
    assert markup.mathtext("p_c = 0.3, upper_step, 5 $ of M_t") == r"$p_c$ = 0.3, upper_step, 5 \$ of $M_t$"
    assert [markup.sentence(text) for text in ("a", "a. ", "a?", "")] == ["a.", "a.", "a?", ""]


def test_invalid_documents_are_errors(make, tmp_path):
    one, lacking = Curves((Panel({"A": make()}),), "", "a.png"), Panel({"A": make()}, "reward")
    outside = ("../a.png", str(tmp_path / "a.png"), "a.jpeg", "a")
    for call, words in (
        (lambda: Document("", "", (one, one)), r"two blocks would write a\.png"),
        *((lambda name=name: Document("", "", (Picture(name, ""),)), "not a picture in") for name in outside),
        (lambda: pictures.drawn(Curves((), "", "a.png")), r"a\.png has no panel"),
        (lambda: pictures.drawn(Curves((lacking,), "", "a.png")), r"no history of a\.png has a column reward"),
        (lambda: distributions.strips({"A": np.zeros(3)}), r"shape \(3,\); pass one row per seed"),
        (lambda: distributions.bins({"clean": np.ones(2), "other": np.array([np.nan])}), "other has no finite number"),
        (lambda: distributions.bins({}), "no group to show"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


@pytest.mark.parametrize(("offset", "shared"), [(0.0, True), (0.1, True), (5.0, False)])
def test_a_linear_scale_is_shared_unless_it_compresses_a_case(make, offset, shared):
    one, other = ({"A": make(reached=level)} for level in (-3.0, -3.0 + offset))
    panels = [Panel(case, "reached", "round", title) for title, case in (("one", one), ("other", other))]
    block = Curves((panels[0], replace(panels[0], against="samples"), *panels[1:]), "", "a.png")
    first, second, third = (shown.scales[1] for shown in pictures.drawn(block))
    assert first == second
    assert (first == third) == shared
    assert first.low < -3.0 < -3.0 + 0.14 < first.high
    assert third.low < -3.0 + offset < -3.0 + offset + 0.14 < third.high
    figure = pictures.curves_figure(block, {"A": 0})
    assert [axes.get_ylabel() != "" for axes in figure.axes] == [True, False, not shared]


@pytest.mark.parametrize(("rounds", "ends"), [(60, (101.5, 101.5)), (30, (101.5, 30.45))])
def test_a_case_with_a_short_run_has_its_own_x_axis(make, rounds, ends):
    block = Curves((Panel({"A": make()}, title="long"), Panel({"A": make(rounds=rounds)}, title="short")), "", "a.png")
    assert [shown.scales[0].high for shown in pictures.drawn(block)] == pytest.approx(ends)
    assert [axes.get_xlim()[1] for axes in pictures.curves_figure(block, {"A": 0}).axes] == pytest.approx(ends)


def test_long_titles_of_panels_are_divided_and_formulas_are_not():
    long = "hyper-cleaning on MNIST, 10 % of all messages lost"
    assert "\n" in pictures.wrapped(long)
    assert pictures.wrapped(long).replace("\n", " ") == long
    formula = r"$\|\nabla l(\bar x)\|^2$ of every agent, on the ring of eight agents"
    assert pictures.wrapped(formula) == formula
