"""The dull parts of the table of methods: costs to a value of M_t, sentences, Markdown, what is kept, the catalogue."""

from itertools import pairwise
from operator import attrgetter

import numpy as np
import pandas as pd
import pytest
from studies.table import figure, page, runs
from studies.table.catalogue import ENTRIES, Entry
from studies.table.numbers import ends
from studies.table.settings import GROUPS, QUICK, Settings, looks

import hypergossip as hg
from hypergossip import algorithms
from hypergossip.lab.experiments import outperformed
from hypergossip.lab.experiments.costs import costs, reach
from hypergossip.lab.report import formatting

ROUNDS = np.array([0, 10, 14, 20, 28, 40])
COSTS = ["round", "samples", "bytes_sent", "seconds"]


def history(metrics, rounds=ROUNDS):
    """One row a seed and round; every cost is a multiple of the rounds."""
    costs = {"round": rounds, "samples": 3.0 * rounds, "bytes_sent": 100.0 * rounds, "seconds": 0.5 * rounds}
    frames = []
    for seed, metric in enumerate(map(np.asarray, metrics)):
        errors = {"metric": metric, "lower_error": 0.9 * metric, "stationarity": 0.1 * metric, "test_accuracy": 0.8}
        frames.append(pd.DataFrame({"seed": seed, **costs, **errors}))
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("value", [1.0, 0.5, 0.07, 0.05, 1 / 41])
def test_a_power_law_is_read_off_exactly_between_its_rows(value):
    """(1 + t)^(-1) is a straight line in the logarithms: it comes to v in round 1/v - 1."""
    spent = reach(history([1 / (1 + ROUNDS)]), value)
    expected = (1 / value - 1) * np.array([1, 3, 100, 0.5])
    np.testing.assert_allclose(spent.loc[0, COSTS].to_numpy(float), expected, rtol=1e-12, atol=1e-12)


def test_the_first_time_counts_and_what_is_not_finite_is_not_there():
    up_and_down = [9.0, 2.0, 0.5, 4.0, 0.1, 7.0]
    diverging = [9.0, 5.0, np.nan, np.nan, np.nan, np.nan]
    back = [9.0, np.inf, 0.5, 0.4, 0.3, 0.2]
    spent = reach(history([up_and_down, diverging, back]), 1.0)
    assert 10 < spent.loc[0, "round"] < 14
    assert np.isinf(spent.loc[1]).all()
    assert spent.loc[2, "round"] == 14  # nothing to take a line from


def test_a_seed_that_never_gets_there_is_the_last():
    fast, slow, never = [8, 4, 0.5, 0.4, 0.3, 0.2], [8, 7, 6, 5, 4, 0.5], [8.0] * 6
    table = costs({"two": history([fast, slow, never]), "one": history([fast, never, never])}, [1.0])
    assert list(table["method"]) == ["two", "one"]
    assert list(table["reached"]) == [2, 1]
    assert 28 < table["round"].iloc[0] < 40
    assert np.isinf(table["round"].iloc[1])


def test_the_end_is_the_last_row_and_a_divergence_is_not_hidden():
    fine, broken = [8, 4, 2, 1, 1, 0.5], [8, 4, 2, 1, 1, np.nan]
    last = ends({"fine": history([fine, fine]), "broken": history([fine, broken])})
    assert last.loc["fine", "metric"] == 0.5
    assert last.loc["fine", "rounds_per_second"] == 2
    assert last.loc["fine", "lower_share"] == pytest.approx(0.9)
    assert np.isnan(last.loc["broken", "metric"])


def test_the_sentences_say_who_is_ahead_and_in_what():
    own = history([[9, 5, 3, 2, 1, 0.5]])
    faster = history([[9, 5, 1, 0.5, 0.4, 0.4]]).assign(samples=lambda h: 90.0 * h["round"])
    never = history([[9.0] * 6])
    found = {"Diamond": own, "Quick": faster, "Stuck": never}
    told = outperformed.comparisons(costs(found, [2.0, 0.3]), {"Diamond": "DIAMOND", "Slam": "SLAM"}, ends(found))
    assert told[0].startswith(
        "For M_t ≤ 2, DIAMOND is outperformed in rounds by Quick (12 against 20); in bytes sent by Quick"
    )
    assert "samples" not in told[0]
    assert "Stuck" not in told[0]
    assert told[1] == "For M_t ≤ 0.3, DIAMOND does not reach this value; no other method does."
    assert told[2].startswith("At the end of its rounds DIAMOND has a larger M_t than Quick (0.4 against 0.5), and a")
    assert len(told) == 3  # SLAM was not run


def test_the_sentences_say_who_is_not_outperformed():
    own = history([[9, 5, 1, 0.5, 0.4, 0.1]])
    alike = own.assign(samples=0.995 * own["samples"])
    found = {"Diamond": own, "Alike": alike, "Slow": history([[9, 5, 3, 2, 1, 0.5]])}
    told = outperformed.comparisons(costs(found, [2.0]), {"Diamond": "DIAMOND"}, ends(found))
    assert told[0] == "For M_t ≤ 2, DIAMOND is not outperformed."
    assert told[1] == (
        "At the end of its rounds DIAMOND has no larger M_t than any other, and no larger |grad l|^2 than any other."
    )


def test_names_columns_and_numbers_for_people():
    assert [formatting.joined(names) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
    lines = formatting.markdown(["|x|", "b"], [["1", "a|b"], ["2", ""]])
    assert lines == ["| \\|x\\| | b |", "| --- | ---: |", "| 1 | a\\|b |", "| 2 |  |"]
    assert [formatting.cost("round", n) for n in (12345.6, np.inf)] == ["12,346", "–"]
    assert [formatting.cost("bytes_sent", n) for n in (12, 12_345, 12_345_678)] == ["12", "12.3 kB", "12.3 MB"]
    assert [formatting.cost("seconds", n) for n in (0.123, 123.4)] == ["0.12", "123"]
    assert [formatting.three_digits(n) for n in (0.1234, 1.23e-6, 0.0, np.nan)] == ["0.123", "1.2e-6", "0", "–"]


@pytest.mark.parametrize("rounds", [5, 40, 500, 2000])
def test_the_rounds_that_are_measured(rounds):
    seen = looks(rounds)
    assert (seen[0], seen[-1]) == (0, rounds)
    assert seen == sorted(set(seen))
    assert all(later <= 1.6 * earlier for earlier, later in pairwise(seen[1:]))


def test_names_in_a_figure_are_moved_apart_and_no_further():
    heights = [0.1, 0.11, 0.12, 0.5, 0.9]
    moved = figure.apart(heights, 0.05)
    assert (np.diff(moved) >= 0.05 - 1e-12).all()
    np.testing.assert_allclose(moved[3:], heights[3:])
    assert np.mean(moved[:3]) == pytest.approx(np.mean(heights[:3]))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_grid_sets_a_scale_of_every_method(entry):
    assert entry.group in GROUPS
    assert [attrgetter(path)(entry.make()) for path in entry.scales] == [1.0, 1.0]


def test_every_method_of_the_library_has_its_line():
    names = [entry.name for entry in ENTRIES]
    assert sorted(names) == sorted(
        {name for name in vars(algorithms) if name[0].isupper()}
        - {"DifMAML", "GTSGDPushPull", "DAC", "CAC", "MDAC", "AdaSDBO", "DUET"}
        - {"MDBO", "VRDBO", "DSGDAGT", "FAB", "SUNDSBO", "SUNDSBOSE", "MADSBO"}  # which the comparison of rivals has
        - {"C2DFB", "SLDBOPushPull"}
    )
    assert all(name in names for group in GROUPS.values() for name in group.papers)


SMALL = Settings(upper_scales=(0.1, 0.2), lower_scales=(0.3,), seeds=3, tuning_seeds=1, most_rounds=20)
ENTRY = Entry("DSGD", "network", lambda: hg.DSGD(1.0, 1.0, hg.Exact()), scales=("upper_step", "lower_step"))


@pytest.fixture
def on_quadratic(monkeypatch):
    problem = hg.problems.quadratic(5, 2, 2, seed=0, noise=0.1)
    monkeypatch.setattr(runs, "problem", lambda agents, data_dir: problem)
    return problem


def test_a_run_is_what_solve_runs_with_the_tuned_steps(on_quadratic, tmp_path):
    record, tuning = runs.run(ENTRY, SMALL, None)
    assert not record.failed
    network, options = GROUPS["network"].network(), {"grid": {"upper_step": [0.1, 0.2]}, "rounds": 20, "seeds": 1}
    best = hg.tune(hg.DSGD(0.1, 0.3, hg.Exact()), on_quadratic, network, **options)
    assert record.about["upper"] == pytest.approx(best.best.upper_step)
    assert record.about["edges"] == ["upper"] * (best.best.upper_step == 0.2) + ["lower"]
    assert len(tuning) == 2
    solved = hg.solve(best.best, on_quadratic, network, rounds=20, seeds=3, check=False).history
    mine, theirs = (h[h["round"] == 20].set_index("seed") for h in (record.history, solved))
    for column in ("metric", "samples", "bytes_sent", "lower_gradients"):
        np.testing.assert_allclose(mine[column], theirs[column], rtol=1e-9)
    runs.keep(tmp_path, ENTRY.name, record, tuning)
    again = runs.kept(tmp_path, ENTRY, SMALL)
    assert again is not None
    assert again.about == record.about
    pd.testing.assert_frame_equal(again.history, record.history)
    slow = record._replace(history=record.history.assign(seconds=1e3 * record.history["round"]))
    runs.keep(tmp_path, ENTRY.name, runs.timed(ENTRY, slow, SMALL, None))
    quick = runs.kept(tmp_path, ENTRY, SMALL).history
    assert 0 < quick["seconds"].max() < 10
    pd.testing.assert_frame_equal(quick.drop(columns="seconds"), record.history.drop(columns="seconds"))
    assert (tmp_path / ENTRY.name / "tuning.csv").is_file()
    assert runs.kept(tmp_path, ENTRY, QUICK) is None
    assert runs.kept(tmp_path, ENTRY._replace(name="GTSGD"), SMALL) is None


def test_a_method_that_fails_is_kept_with_its_sentence_and_costs_no_other(on_quadratic, tmp_path):
    record, tuning = runs.run(ENTRY._replace(units=(1e9, 1e9)), SMALL, None)
    assert "every point of the grid diverged" in record.failed
    runs.keep(tmp_path, ENTRY.name, record, tuning)
    again = runs.kept(tmp_path, ENTRY._replace(units=(1e9, 1e9)), SMALL)
    assert again is not None
    fine = runs.Record(
        {**record.about, "upper": 5.0, "lower": 1.0, "edges": ["lower"]}, history([[9, 5, 3, 2, 1, 0.5]])
    )
    fine.about.pop("failed")
    results = {"DSGD": (ENTRY, again), "Diamond": (ENTRY._replace(name="Diamond"), fine)}
    text = page.page(results, SMALL)
    assert f"`DSGD` gave no result: {record.failed}" in text
    assert "| `Diamond` | 5, 1* | 40 | 0.5 | – |" in text
    assert list(page.frame(results)["method"]) == ["Diamond"] * len(GROUPS["network"].values)
