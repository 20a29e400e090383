"""Figures of histories: their lines, bands, axes and files."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PolyCollection

import hypergossip
from hypergossip import networks
from hypergossip.figures import axes as axes_drawing
from hypergossip.figures import curves as figures
from hypergossip.figures import style
from hypergossip.problems.quadratic import quadratic


def lines(axes):
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def bands(axes):
    return [artist for artist in axes.collections if isinstance(artist, PolyCollection)]


def labels(figure):
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]


def test_comparison_has_a_line_and_a_band_for_every_method(histories):
    figure = figures.comparison_figure(histories, networks.ring(6), "A title")
    rounds, samples, accuracy, network = figure.axes
    assert labels(figure)[:3] == [
        ("communication rounds", r"metric $M_t$"),
        ("samples per agent", ""),
        ("communication rounds", "test accuracy"),
    ]
    for axes in (rounds, samples, accuracy):
        assert set(lines(axes)) == {"A", "B", "C"}
        assert len(bands(axes)) == 3
    assert rounds.get_yscale() == samples.get_yscale() == "log"
    assert accuracy.get_yscale() == "linear"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A", "B", "C"]
    assert figure.legends[0].get_title().get_text() == "A title"
    assert not network.axison
    assert "5 seeds" in figure.get_supxlabel()


def test_a_comparison_names_the_channel_below_the_network(histories):
    channel = "a stage ($x$ = 1), then a very long stage (with = 0.25, many = true, more = 'options')"
    for network in (networks.ring(6), networks.ring(301)):
        ideal, other = (figures.comparison_figure(histories, network, channel=text).axes[-1] for text in ("", channel))
        (before,), (after,) = (
            [text.get_text() for text in axes.texts if "λ" in text.get_text()] for axes in (ideal, other)
        )
        assert "channel" not in before
        assert f"channel: {channel}" in " ".join(after.split())
        assert max(map(len, after.splitlines())) <= 60


def test_lines_are_medians_and_bands_the_extremes_of_few_seeds_and_the_10th_to_90th_percentile_of_many(make):
    history = make(seeds=5)
    drawn = lines(figures.comparison_figure({"A": history}, networks.ring(3)).axes[1])["A"]
    rounds = np.arange(0, 101, 5)
    np.testing.assert_allclose(np.asarray(drawn.get_xdata()), 12.0 * rounds)
    np.testing.assert_allclose(np.asarray(drawn.get_ydata()), 3.0 * 3 * 2.0 ** (-rounds / 10))
    shown = axes_drawing.curve(history, "metric", "round")
    np.testing.assert_allclose(shown.low, shown.median / 3)
    np.testing.assert_allclose(shown.high, shown.median * 5 / 3)
    many = axes_drawing.curve(make(seeds=11), "metric", "round")  # seed s has s + 1 times the metric of seed 0
    np.testing.assert_allclose(many.low / many.median, 2 / 6)
    np.testing.assert_allclose(many.high / many.median, 10 / 6)


@pytest.mark.parametrize("seeds", [None, 1])
def test_one_seed_has_no_band_and_no_explanation(make, seeds):
    figure = figures.convergence_figure({"A": make(seeds=seeds)})
    assert all(not bands(axes) for axes in figure.axes)
    assert figure.get_supxlabel() == ""


def test_a_method_looks_the_same_in_all_axes_and_differs_from_others(histories):
    figure = figures.comparison_figure(histories, networks.ring(6))
    colours = [{name: line.get_color() for name, line in lines(axes).items()} for axes in figure.axes[:3]]
    assert colours[0] == colours[1] == colours[2]
    assert len(set(colours[0].values())) == 3
    assert len({style.mark(place) for place in range(21)}) == 21


def test_convergence_shows_the_metric_twice_and_every_term_once(make):
    history = make()
    assert len(figures.convergence_figure({"A": history}).axes) == 5
    shared = history.assign(lower_consensus_error=1.0)
    figure = figures.convergence_figure({"A": shared})
    assert [y.split(" $")[0] for _, y in labels(figure)] == [
        "metric",
        "",
        "stationarity",
        "consensus error",
        "lower error",
        "lower consensus",
    ]


@pytest.mark.parametrize("own", [0, 1, 2, 3, 4])
def test_every_observation_has_axes_and_the_network_a_cell(make, own):
    history = make(**{f"observation_{k}": float(k) for k in range(own)})
    figure = figures.comparison_figure({"A": history}, networks.ring(6), "A title")
    figure.canvas.draw()
    assert sum(axes.axison for axes in figure.axes) == 2 + own
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(box.width > 0.12 and box.height > 0.12 for box in boxes)
    overlapping = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.shrunk(0.9, 0.9).overlaps(b)]
    assert not overlapping


@pytest.mark.parametrize("start", [0.0, 1e-31])
def test_zeros_neither_stretch_the_axis_nor_start_the_line(make, start):
    history = make()
    history.loc[history["round"] == 0, "consensus_error"] = start  # agents start at the same point, up to round-off
    history.loc[history["round"] >= 80, "consensus_error"] = 0.0  # and agree exactly in the end
    axes = figures.convergence_figure({"A": history}).axes[3]
    drawn = np.asarray(lines(axes)["A"].get_ydata())
    assert np.isnan(drawn[0])
    assert drawn[-1] == 0.0
    positive = history["consensus_error"][history["consensus_error"] > start]
    assert positive.min() / 2 < axes.get_ylim()[0] < positive.min()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_columns_without_a_positive_number_can_be_drawn(make, tmp_path, sized, value):
    history = make(test_accuracy=0.5)
    for column in ("metric", "stationarity", "samples", "test_accuracy"):
        history[column] = value
    single = make(rounds=0, reward=-20.0)  # one row, and a negative observation
    assert sized(figures.convergence({"A": history}, tmp_path / "a.png"))
    for shown in (history, single):
        assert sized(figures.comparison({"A": shown}, networks.ring(3), tmp_path / "b.png"))


def test_a_seed_that_is_not_finite_ends_the_line(make):
    history = make()
    history.loc[(history["seed"] == 2) & (history["round"] >= 50), "metric"] = np.inf
    shown = axes_drawing.curve(history, "metric", "round")
    np.testing.assert_array_equal(np.isnan(shown.median), shown.x >= 50)


def test_budgets_that_differ_much_share_a_logarithmic_axis(make):
    costly = make()
    costly["samples"] *= 1000
    rounds, samples, *_ = figures.comparison_figure({"A": make(), "B": costly}, networks.ring(3)).axes
    assert rounds.get_xscale() == "linear"
    assert samples.get_xscale() == "log"
    assert samples.get_xlim()[0] > 0


def test_the_start_does_not_hide_a_late_difference(make):
    history = make()
    history["test_accuracy"] = np.where(history["round"] < 10, 0.1, 0.84 + 0.001 * history["seed"])
    low, high = figures.comparison_figure({"A": history}, networks.ring(3)).axes[2].get_ylim()
    assert 0.83 < low < 0.84
    assert 0.844 < high < 0.85


@pytest.mark.parametrize("name", ["a.png", "a.pdf", "a.svg", "new/folder/a.PNG"])
def test_every_format_is_reproducible(histories, tmp_path, sized, name):
    path = figures.comparison(histories, networks.ring(6), tmp_path / name)
    assert path == tmp_path / name
    first = path.read_bytes()
    assert len(first) > 5000
    assert figures.comparison(histories, networks.ring(6), str(path)).read_bytes() == first
    if path.suffix == ".png":  # it has a size for print
        width, height = sized(path)
        assert 1000 <= width <= 3000
        assert 600 <= height <= 3000


def test_invalid_histories_and_paths_are_errors(make, tmp_path):
    for histories, name, words in (
        ({"A": make()}, "figure.jpeg2", r"\.png, \.pdf, \.svg"),
        ({}, "a.png", "no history"),
        ({"A": make().drop(columns="metric")}, "a.png", "history of A has no column metric"),
        ({"A": make().iloc[:0]}, "a.png", "history of A has no rows"),
        ({"A": make().drop(columns="seed")}, "a.png", "two rows for one seed and round"),
    ):
        with pytest.raises(ValueError, match=words):
            figures.convergence(histories, tmp_path / name)


def test_settings_and_histories_are_not_changed(histories, tmp_path):
    settings = dict(matplotlib.rcParams)
    before = {name: history.copy() for name, history in histories.items()}
    figures.comparison(histories, networks.ring(6), tmp_path / "a.png")
    figures.convergence(histories, tmp_path / "b.png")
    assert dict(matplotlib.rcParams) == settings
    assert all(history.equals(before[name]) for name, history in histories.items())


def test_a_result_plots_itself(tmp_path, sized):
    problem = quadratic(3, upper_dimension=2, lower_dimension=2, noise=0.1)
    algorithm = hypergossip.DSGD(upper_step=0.1, lower_step=0.1, hypergradient=hypergossip.Exact())
    result = hypergossip.solve(algorithm, problem, networks.ring(3), rounds=4, seeds=2, observe_every=2, check=False)
    figure = figures.convergence_figure({"DSGD": result.history})
    assert all(len(lines(axes)) == len(bands(axes)) == 1 for axes in figure.axes)
    drawn = np.asarray(lines(figure.axes[0])["DSGD"].get_ydata())
    np.testing.assert_allclose(drawn, result.history.groupby("round")["metric"].median())
    assert sized(result.plot(tmp_path / "figure.png"))


def test_no_window_is_opened(tmp_path):
    script = f"""
import sys
import pandas as pd
from hypergossip import networks
from hypergossip.figures import curves as figures
rows = dict(metric=[2.0, 1.0], stationarity=[1.0, 0.5], consensus_error=[0.0, 0.2], lower_error=[1.0, 0.3])
history = pd.DataFrame(dict(round=[0, 1], samples=[0, 5], **rows))
figures.convergence({{"A": history}}, {str(tmp_path / "a.png")!r})
assert not {{"matplotlib.pyplot", "networkx"}} & set(sys.modules)  # for the networks alone
figures.comparison({{"A": history}}, networks.ring(3), {str(tmp_path / "b.png")!r})
assert not sys.modules["matplotlib.pyplot"].get_fignums()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
