"""A run ends at the first row, or the first chunk, that meets a rule."""

from functools import partial

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.running import loop
from hypergossip.running.stopping import read_stop
from refusals import refused
from small_problems import small_run

solve = partial(small_run, rounds=200, observe_every=10)


@pytest.fixture(scope="module")
def whole():
    return solve().history


def test_at_the_first_row_below_a_tolerance(whole):
    tolerance = float(whole["metric"].iloc[6]) * 1.0001
    first = int(whole["round"][whole["metric"] <= tolerance].iloc[0])
    for stop in (tolerance, hg.Stop(metric=tolerance), lambda row: row["metric"] <= tolerance):
        result = solve(stop=stop)
        assert result.rounds == first < 200
        assert result.history["round"].iloc[-1] == first
        assert result.history["metric"].iloc[-1] <= tolerance < result.history["metric"].iloc[-2]


def test_at_the_first_row_with_so_many_samples(whole):
    result = solve(stop=hg.Stop(samples=90))
    assert result.history["samples"].iloc[-1] >= 90 > result.history["samples"].iloc[-2]


def test_several_seeds_stop_when_all_are_below():
    seen = []

    def rule(row):
        seen.append(row["metric"].copy())
        return False

    solve(seeds=2, stop=rule)
    metrics = np.stack(seen)
    tolerance = float(metrics[5].max())
    result = solve(seeds=2, stop=tolerance)
    assert result.rounds == 10 * int(np.argmax((metrics <= tolerance).all(axis=1)))


def test_after_so_many_seconds_of_running_at_the_end_of_a_chunk(monkeypatch):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    result = solve(rounds=10**7, observe_every=10**6, stop=hg.Stop(seconds=0.02))
    assert result.rounds < 10**5
    assert result.history["seconds"].iloc[-1] >= 0.02
    assert list(result.history["round"]) == [0, result.rounds]  # the round it stopped in has its row


def test_going_on_from_where_a_rule_holds_does_nothing(whole, tmp_path):
    tolerance = float(whole["metric"].iloc[3]) * 1.0001
    first = solve(stop=tolerance, checkpoint=tmp_path)
    again = solve(stop=tolerance, checkpoint=tmp_path)
    assert first.rounds == again.rounds < 200
    assert len(first.history) == len(again.history)
    assert solve(checkpoint=tmp_path).rounds == 200  # without the rule it goes on


@pytest.mark.parametrize("rule", [lambda function: function, lambda function: hg.Stop(function=function)])
def test_a_function_decides_for_all_seeds_together(rule):
    with pytest.raises(ValueError, match=r"returned an array of shape \(3,\), .* with \.all\(\) or \.any\(\)") as error:
        solve(seeds=3, rounds=20, stop=rule(lambda row: row["round"] >= 0))
    assert "\n" not in str(error.value)
    assert solve(seeds=3, rounds=20, stop=rule(lambda row: (row["round"] >= 0).all())).rounds == 0
    assert solve(seeds=1, rounds=20, stop=rule(lambda row: row["round"] >= 0)).rounds == 0


def test_what_is_no_rule_is_refused():
    for wrong in ("soon", True, [1]):
        with pytest.raises(ValueError, match="stop is"):
            read_stop(wrong)
    assert read_stop(None) == hg.Stop()
    assert read_stop(1) == read_stop(1.0) == read_stop(np.float32(1.0)) == hg.Stop(metric=1.0)


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), -1.0])
def test_a_limit_that_never_holds_is_refused(limit):
    for rule in ("metric", "seconds", "samples"):
        refused(lambda rule=rule: hg.Stop(**{rule: limit}), [f"stop: {rule} is {limit!r}"])
    refused(lambda: read_stop(limit), ["stop: metric"])
