"""Rows told as they are measured: plain numbers, once each, before a checkpoint holds them."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

import hypergossip as hg
from hypergossip.engines.simulated import SimulatedSession
from hypergossip.running import loop
from hypergossip.running import snapshot as checkpoint
from hypergossip.running import solve as solver
from hypergossip.running.snapshot import FILE
from small_problems import small_run

solve = partial(small_run, rounds=12, observe_every=4)


def test_every_row_of_the_history_is_told_in_python_numbers():
    rows = []
    result = solve(on_row=rows.append)
    assert [type(value) for value in rows[0].values()].count(int) >= 2
    assert {type(value) for row in rows for value in row.values()} == {int, float}
    assert type(rows[0]["round"]) is int
    told = pd.DataFrame(rows)
    assert set(told) - set(result.history) == {"seed"}  # a history has it only where seeds were asked for
    pd.testing.assert_frame_equal(told[list(result.history)], result.history, check_exact=True)
    text = json.loads(json.dumps(rows))  # as loggers want them
    assert text == rows
    assert f"round {rows[-1]['round']}: {rows[-1]['metric']:.3f}".startswith("round 12: ")


def test_with_seeds_a_row_has_arrays_over_them():
    rows = []
    result = solve(seeds=2, seed=2**32 - 2, on_row=rows.append)
    assert all(value.shape == (2,) for row in rows for value in row.values())
    assert list(rows[0]["seed"]) == [2**32 - 2, 2**32 - 1]
    for name in result.history:
        np.testing.assert_array_equal(np.concatenate([row[name] for row in rows]), result.history[name])


def test_stop_gets_the_same_dict():
    told, asked = [], []
    result = solve(on_row=told.append, stop=lambda row: asked.append(row) or row["round"] >= 4)
    assert told == asked
    assert result.rounds == 4
    asked.clear()
    solve(stop=hg.Stop(function=lambda row: bool(asked.append(row))))
    assert asked[: len(told)] == [row | {"seconds": after["seconds"]} for row, after in zip(told, asked, strict=False)]


@pytest.mark.parametrize("seeds", [None, 2])
def test_what_a_function_does_to_its_row_changes_nothing(seeds):
    def spoil(row):
        if seeds:
            row["metric"][:] = -1.0
        row.clear()

    spoiled = solve(seeds=seeds, on_row=spoil, stop=spoil)
    expected = solve(seeds=seeds)
    assert spoiled.history.drop(columns="seconds").equals(expected.history.drop(columns="seconds"))


def test_rows_are_told_before_a_checkpoint_holds_them(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    told, write = [], solver.disk.write

    def watched(folder, saved):
        assert set(saved.rows["round"][:, 0]) <= set(told)
        return write(folder, saved)

    monkeypatch.setattr(solver.disk, "write", watched)
    solve(on_row=lambda row: told.append(row["round"]), checkpoint=tmp_path, checkpoint_every=0.0)
    assert told == [0, 4, 8, 12]


def test_what_a_checkpoint_holds_is_not_told_again_and_what_came_after_it_is(tmp_path, monkeypatch):
    """A run that fails after its last checkpoint tells the rows from there on again, and no others."""
    solve(rounds=6, checkpoint=tmp_path)  # rows at 0, 4 and 6
    told = []

    def failing(row):
        told.append(row["round"])
        if row["round"] == 12:
            raise RuntimeError("the logger's server is gone")

    with pytest.raises(RuntimeError, match="server is gone"):
        solve(on_row=failing, checkpoint=tmp_path, checkpoint_every=3600.0)
    assert told == [8, 12]
    assert checkpoint.read(tmp_path).round == 6  # what was written is there
    again = []
    result = solve(on_row=lambda row: again.append(row["round"]), checkpoint=tmp_path)
    assert again == [8, 12]
    assert list(result.history["round"]) == [0, 4, 6, 8, 12]
    solve(on_row=lambda row: again.append(row["round"]), checkpoint=tmp_path)
    assert again == [8, 12]  # the run was over


def test_a_failing_function_leaves_what_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)

    def failing(row):
        if row["round"] == 8:
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        solve(on_row=failing, checkpoint=tmp_path, checkpoint_every=0.0)
    assert (tmp_path / FILE).exists()
    assert checkpoint.read(tmp_path).round == 8
    assert list(checkpoint.read(tmp_path).rows["round"][:, 0]) == [0, 4]  # not the row that failed
    assert list(solve(checkpoint=tmp_path).history["round"]) == [0, 4, 8, 12]


def test_going_on_from_a_result_tells_the_new_rows_only():
    first, told = solve(), []
    solve(start=first, on_row=lambda row: told.append(row["round"]))
    assert told == [16, 20, 24]


class Follower(hg.Simulated):
    """The engine of a process that does not lead, beside one whose functions failed or not."""

    def open(self, job):
        return FollowingSession(job, super().open(job).placed)


class FollowingSession(SimulatedSession):
    failed = 0.0

    @property
    def is_leader(self):
        return False

    def all_gather(self, *numbers):
        leader = list(numbers)
        if len(numbers) == 2:
            leader[1] = self.failed
        return np.asarray([leader, numbers], np.float64)


def test_only_the_leading_process_tells():
    told = []
    solve(engine=Follower(), on_row=told.append, progress=False)
    assert told == []


def test_a_process_ends_with_another_whose_function_failed(monkeypatch):
    monkeypatch.setattr(FollowingSession, "failed", 1.0)
    with pytest.raises(RuntimeError, match="on_row or stop failed in process 0 at round 0"):
        solve(engine=Follower(), on_row=print)


@pytest.mark.parametrize("wrong", [3, "print", [print]])
def test_what_cannot_be_called_is_refused(wrong, unchecked):
    with pytest.raises(ValueError, match=r"on_row is .*; give a function of a row"):
        solve(on_row=wrong)
