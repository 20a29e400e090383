"""Summaries against medians computed by hand, and the formatted tables."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from hypergossip.lab.report import tables


def shown(frame, **options):
    file = io.StringIO()
    Console(file=file, width=80, **options).print(tables.console(frame))
    return file.getvalue()


def small(**columns):
    """Two rounds of three seeds, every error 1 unless given, rows in no order."""
    base = pd.DataFrame({"seed": [2, 0, 1, 0, 1, 2], "round": [10, 10, 10, 0, 0, 0]})
    errors = ("metric", "stationarity", "consensus_error", "lower_error", "upper_loss")
    costs = ("seconds", "samples", "bytes_sent")
    return base.assign(**dict.fromkeys(errors + costs, 1.0)).assign(**columns)


def test_a_summary_is_the_median_of_the_last_rounds():
    history = small(metric=[7.0, 1.0, 2.0, 9.0, 9.0, 9.0], samples=[30.0, 30.0, 36.0, 0, 0, 0])
    row = tables.summary({"A": history}).loc["A"]
    assert (row["seeds"], row["rounds"], row["samples"]) == (3, 10, 30.0)
    assert (row["metric"], row["metric_low"], row["metric_high"]) == (2.0, 1.0, 7.0)


def test_a_conserved_sum_is_shown_for_the_methods_that_have_one():
    """A method without the column, and one whose column is empty in a joined table, have no number."""
    histories = {"A": small(), "B": small(conserved=[3.0, 1.0, 2.0, 0, 0, 0]), "C": small(conserved=np.nan)}
    frame = tables.summary(histories)
    assert frame["conserved"].fillna(-1).tolist() == [-1.0, 2.0, -1.0]
    assert "conserved_tail" not in frame
    assert "| conserved | – | 2 | – |" in tables.markdown(frame[["conserved", "metric", "seeds", "rounds"]])
    assert "conserved" not in tables.summary({"A": histories["A"], "C": histories["C"]})


def test_the_spread_of_many_seeds_is_in_percentiles(make):
    row = tables.summary({"A": make(seeds=11, scale=1.0)}).loc["A"]  # at the end seed s has (s + 1) / 1024
    np.testing.assert_allclose(row[["metric_low", "metric", "metric_high"]].astype(float), np.array([2, 6, 10]) / 1024)


def test_a_tail_is_the_mean_over_the_last_fifth_of_the_rounds_of_each_seed(make):
    row = tables.summary({"A": make(seeds=3, rounds=100, every=5, test_accuracy=0.5)}).loc["A"]
    # Seed 1 is the median: 0.5 + 0.01 + 0.001 round, in rounds 80, 85, .., 100.
    assert (row["test_accuracy"], row["test_accuracy_tail"]) == pytest.approx((0.61, 0.60))
    history = make(seeds=2, rounds=100, test_accuracy=0.5)
    history = history[(history["seed"] == 0) | (history["round"] <= 50)]
    row = tables.summary({"A": history}).loc["A"]
    found = row["test_accuracy"], row["test_accuracy_tail"], row["rounds"]
    assert found == pytest.approx(((0.6 + 0.56) / 2, (0.59 + 0.555) / 2, 100))


def test_methods_keep_their_order_and_columns_that_others_lack_are_absent(make):
    other = make().assign(lower_consensus_error=2.0, method="A")  # a column of text is not an observation
    frame = tables.summary({"B": make(seeds=None, distance=1.0), "A": other})
    assert list(frame.index) == ["B", "A"]
    assert frame.index.name == "method"
    assert np.isnan(frame.loc["A", "distance"])
    assert np.isnan(frame.loc["B", "lower_consensus_error"])
    assert frame.loc["B", "metric_low"] == frame.loc["B", "metric"] == frame.loc["B", "metric_high"]
    assert not {"upper_gradients", "method"} & set(frame)
    assert frame["seeds"].dtype.kind == frame["rounds"].dtype.kind == "i"


def test_a_seed_that_is_not_finite_is_not_hidden():
    history = small(metric=[np.inf, 1.0, 2.0, 9.0, 9.0, 9.0], test_loss=[np.nan, 1.0, 1.0, 1.0, 1.0, 1.0])
    row = tables.summary({"A": history}).loc["A"]
    assert row[["metric", "metric_low", "metric_high", "test_loss", "test_loss_tail"]].isna().all()
    assert "–" in shown(tables.summary({"A": history}))


@pytest.mark.parametrize(
    ("column", "values", "texts"),
    [
        ("metric", [0.00476, 1.29, 0.0], ["4.76e-3", "1.29", "0"]),
        ("metric", [123456.0, np.nan, np.inf], ["1.23e5", "–", "inf"]),
        ("samples", [32000.0, 1234.5, 0.0], ["32,000", "1,234", "0"]),
        ("bytes_sent", [177777.8, 999.6, 12.0], ["178 kB", "1 kB", "12 B"]),
        ("bytes_sent", [999_999.0, 3.2e9, 1e15], ["1 MB", "3.2 GB", "1 PB"]),
        ("test_accuracy", [0.84361, 0.8281, 0.5], ["0.8436", "0.8281", "0.5000"]),
        ("distance", [0.34585, 0.0068, 0.1], ["0.34585", "0.00680", "0.10000"]),
        ("upper_step", [1e-5, 0.1, 1.0], ["1.00e-5", "1.00e-1", "1.00"]),
        ("reward", [-27.34, -8.4, -15.0], ["-27.34", "-8.40", "-15.00"]),
        ("weights", ["ring", None, "star"], ["ring", "–", "star"]),
        ("done", [True, False, True], ["True", "False", "True"]),
    ],
)
def test_numbers_for_people(column, values, texts):
    lines = tables.markdown(pd.DataFrame({column: values}, index=["p", "q", "r"])).splitlines()[2:]
    assert [line.strip("| ").split(" | ")[1].strip("*") for line in lines] == texts


@pytest.mark.parametrize(
    ("column", "values", "best"),
    [
        ("metric", [3.0, 1.0, 2.0], [1]),
        ("test_loss_tail", [3.0, np.nan, 1.0], [2]),
        ("test_accuracy", [0.84361, 0.84359, 0.83], [0, 1]),  # equal as formatted
        ("accuracy_error", [0.1, 0.2, 0.3], [0]),
        ("average_reward", [-20.0, -30.0, -25.0], [0]),
        ("upper_loss", [1.0, 2.0, 3.0], []),
        ("metric", [1.0, 1.0, 1.0], []),
        ("metric", [np.nan, np.nan, np.inf], []),
        ("temperature", [1.0, 2.0, 3.0], []),
    ],
)
def test_the_best_of_a_kind_is_emphasised(column, values, best):
    frame = pd.DataFrame({column: values}, index=["p", "q", "r"])
    lines = tables.markdown(frame).splitlines()[2:]
    assert [place for place, line in enumerate(lines) if "**" in line] == best
    coloured = shown(frame, force_terminal=True, color_system="standard").splitlines()
    assert sum("\x1b[1;32m" in line for line in coloured) == len(best)
    assert "\x1b" not in shown(frame)


def test_markdown_is_well_formed(histories):
    frame = tables.summary(histories).rename(index={"A": "A | B"})
    lines = tables.markdown(frame).splitlines()
    cells = [line.replace("\\|", "/").count("|") for line in lines]
    assert set(cells) == {len(frame) + 2}  # more columns than methods: transposed
    assert lines[0] == "|  | A \\| B | B | C |"
    assert lines[1] == "| --- | ---: | ---: | ---: |"
    assert len(lines) == 2 + frame.shape[1]
    assert tables.markdown(frame).endswith("\n")


def test_a_summary_of_four_methods_fits_a_terminal(make):
    names = ("DIAMOND", "M-SGD", "[bold]A", "D-SGD")  # names are not read as markup
    text = shown(tables.summary({name: make(test_accuracy=0.5, test_loss=2.0) for name in names}))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    assert all(name in text for name in (*names, "consensus_error", "test_accuracy_tail"))


def test_text_is_aligned_left_and_numbers_right():
    frame = pd.DataFrame({"remark": ["fine", "late"], "metric": [1.0, 2.0]}, index=pd.Index(["A", "B"], name="method"))
    assert tables.markdown(frame).splitlines()[:2] == ["| method | remark | metric |", "| --- | --- | ---: |"]
    page = tables.html(frame)
    assert '<th scope="col" class="text">remark</th><th scope="col">metric</th>' in page
    assert '<td class="text">late</td>' in page
