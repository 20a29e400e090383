"""The costs to fixed values, and cases that are not tuned themselves, in a report."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small import SMALL, case

from hypergossip.lab.experiments import reproduce, round_times
from hypergossip.lab.experiments.costs import costs, reach, timed
from hypergossip.lab.experiments.outperformed import comparisons
from hypergossip.lab.experiments.report_building import build_report
from hypergossip.lab.experiments.report_sections import lowest_costs
from hypergossip.lab.experiments.verdicts import column_label
from hypergossip.lab.report import markdown_page


def history(rounds, metric, seeds=1, **more):
    parts = [
        pd.DataFrame({"round": rounds, "metric": metric, "samples": np.multiply(rounds, 10), "seed": seed, **more})
        for seed in range(seeds)
    ]
    return pd.concat(parts)


def test_costs_are_interpolated_and_only_in_columns_that_all_methods_have():
    one = history([0, 10, 100], [4.0, 1.0, 0.01], exchanges=[0, 20, 200])
    spent = reach(one, 0.1)
    assert list(spent) == ["round", "exchanges", "samples"]
    assert spent["round"][0] == pytest.approx(np.expm1((np.log1p(10) + np.log1p(100)) / 2))
    assert spent["samples"][0] == pytest.approx(10 * spent["round"][0])
    assert np.isinf(reach(one, 1e-3)).all(axis=None)
    table = costs({"A": one, "B": history([0, 10], [2.0, 0.5])}, [1.0])
    assert list(table["method"]) == ["B", "A"]
    assert "exchanges" not in table


def test_another_column_than_the_metric_can_be_reached():
    found = costs({"A": history([0, 8], [9.0, 9.0], stationarity=[1.0, 0.1])}, [0.1], "stationarity")
    assert found["round"][0] == pytest.approx(8)


def test_who_outperforms_whom():
    table = costs({"A": history([0, 10, 100], [4.0, 1.0, 0.01]), "B": history([0, 20], [4.0, 0.9])}, [1.0, 0.1])
    first, second = comparisons(table, {"B": "ours", "C": "absent"})
    assert first.startswith("For M_t ≤ 1, ours is outperformed in rounds by A (10 against ")
    assert second == "For M_t ≤ 0.1, ours does not reach this value; A does."


def test_a_report_has_costs_and_says_whose_step_sizes_were_used(tmp_path):
    first = case("first", 4, 0.1)._replace(
        values=(1e9, 1e-9), options={"run.seeds": 2}, tuned_in="second", title="the first"
    )
    experiment = replace(
        SMALL,
        cases=(first, case("second", 4, 0.1)._replace(title="the second")),
        stated={},
        grid={"lower_step": [0.06, 0.12]},
        run={"rounds": 10, "seeds": 3, "observe_every": 5, "precision": "float64"},
        claims=(),
        own={"DIAMOND": "DIAMOND"},
    )
    records = reproduce.run(experiment, tmp_path, False, {}, lambda _: None)
    assert [record.case.name for record in records] == ["first", "second"]
    assert records[0].tunings == records[1].tunings
    assert [len(record.outcome.histories["DIAMOND"]["seed"].unique()) for record in records] == [2, 3]
    text = markdown_page.write(build_report(experiment, records, False), tmp_path).read_text()
    assert "the first: as tuned in the second." in text
    assert "seeds 0 to 1, all in one compiled program (the first), and seeds 0 to 2" in text
    assert "| M_t = 1e-09 | DIAMOND | – |" in text
    assert "- For M_t ≤ 1e-09, DIAMOND does not reach this value; no other method does." in text
    assert experiment.chosen(["first"]).cases == experiment.cases
    assert [one.name for one in experiment.chosen(["second"]).cases] == ["second"]


def test_seconds_are_rounds_times_the_time_of_a_round_measured_in_turns(tmp_path, monkeypatch):
    ours = case("one", 4, 0.1)._replace(values=(1e9,))
    experiment = replace(SMALL, cases=(ours,), stated={}, claims=(), run={**SMALL.run, "rounds": 4, "seeds": 2})
    run = lambda: reproduce.run(experiment, tmp_path, False, {}, lambda _: None)[0]
    record = run()
    history = record.outcome.histories["DIAMOND"]
    (own,) = timed({"DIAMOND": history}, record.round_seconds).values()
    assert own["seconds"].max() == 4 * record.round_seconds["DIAMOND"] > 0
    assert set(record.round_seconds) == set(record.outcome.histories)
    spent = pd.read_csv(tmp_path / reproduce.COSTS)
    assert list(spent["case"].unique()) == ["one"]
    assert set(spent["method"]) == set(record.outcome.histories)
    monkeypatch.setattr(round_times, "_measure", lambda _: pytest.fail("measured twice"))
    assert run().round_seconds == record.round_seconds
    file = tmp_path / "cases" / "one" / round_times.FILE
    file.write_text(file.read_text(encoding="utf-8").replace("seeds = 2", "seeds = 3"), encoding="utf-8")
    monkeypatch.setattr(
        round_times, "_measure", lambda runs: {name: [3.0, 1.0, 2.0] for name in runs.outcome.histories}
    )
    assert set(run().round_seconds.values()) == {2.0}


def test_the_methods_of_lowest_cost_come_first(tmp_path):
    ours = case("one", 4, 0.1)._replace(values=(1e9, 1e-9))
    experiment = replace(SMALL, cases=(ours,), stated={}, claims=(), run={**SMALL.run, "rounds": 2})
    record = reproduce.run(experiment, tmp_path, False, {}, lambda _: None)[0]
    record = record._replace(
        outcome=record.outcome._replace(
            histories={
                "slow": history([0, 10], [2e9, 0.9e9], seconds=[0.0, 9.0]),
                "fast": history([0, 5], [2e9, 0.9e9], seconds=[0.0, 90.0]),
            }
        ),
        round_seconds={"slow": 1.0, "fast": 10.0},
    )
    table = lowest_costs(experiment, [record])
    first, second = table.to_dict("records")
    assert first["rounds"].startswith("fast (")
    assert first["seconds"].startswith("slow (")
    assert second["rounds"] == "–"


def test_a_case_can_be_compared_by_another_column(tmp_path):
    ours = case("one", 4, 0.1)._replace(values=(1e9,), compared="stationarity", options={"tune.score": "stationarity"})
    experiment = replace(SMALL, cases=(ours,), stated={}, claims=(), run={**SMALL.run, "rounds": 2})
    record = reproduce.run(experiment, tmp_path, False, {}, lambda _: None)[0]
    table = lowest_costs(experiment, [record])
    assert list(table["to"]) == [f"{column_label('stationarity')} = 1e+09"]
    text = markdown_page.write(build_report(experiment, [record], False), tmp_path).read_text()
    assert f"{column_label('stationarity')} = 1e+09" in text.replace("\\", "")
