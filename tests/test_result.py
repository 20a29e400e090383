"""A result that is saved comes back; a folder that is damaged says so."""

import contextlib
import dataclasses
from functools import partial

import jax
import numpy as np
import pandas as pd
import pytest

import hypergossip as hg
from hypergossip.running.result import POINT
from hypergossip.running.run import begin
from hypergossip.running.run import result as finish
from hypergossip.running.snapshot import FILE
from small_problems import ALGORITHM, RING, small_run

solve = partial(small_run, rounds=4, observe_every=2)


@pytest.fixture(scope="module")
def result():
    return solve()


TREES = [
    np.zeros(6),
    {"b": np.zeros((2, 2)), "a": np.zeros(2)},
    [np.zeros(2), np.zeros((2, 2))],
    (np.zeros(3), {"inner": [np.zeros(2), (np.zeros(()),)]}),
    {"layers": [{"w": np.zeros((2, 2))}, {"w": np.zeros(2)}], "empty": {}},
    {0: np.zeros(3), 1: np.zeros(3)},
]


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_what_is_saved_comes_back(result, tree, tmp_path):
    count = iter(range(99))
    run = dataclasses.replace(result, x=jax.tree.map(lambda leaf: np.asarray(leaf + next(count)), tree))
    assert run.save(tmp_path) == tmp_path
    back = hg.load(tmp_path)

    def equal(one, other):
        assert type(one) is type(other)
        if isinstance(one, dict):
            assert set(one) == set(other)
            return [equal(one[key], other[key]) for key in one]
        if isinstance(one, list | tuple):
            return [equal(a, b) for a, b in zip(one, other, strict=True)]
        return np.testing.assert_array_equal(one, other)

    equal(run.x, back.x)
    equal(run.y, back.y)
    assert back.history.equals(run.history)
    assert back.rounds == run.rounds == 4


@pytest.mark.parametrize("seeds", [None, 2])
def test_what_is_loaded_goes_on_as_if_it_had_never_left(tmp_path, seeds):
    first = solve(seeds=seeds)
    first.save(tmp_path)
    on, direct = (solve(start=start, seeds=seeds) for start in (hg.load(tmp_path), first))
    np.testing.assert_array_equal(on.x, direct.x)
    assert on.history.drop(columns="seconds").equals(direct.history.drop(columns="seconds"))
    assert ("seed" in on.history) is (seeds is not None)


def test_the_history_is_readable_without_us(result, tmp_path):
    result.save(tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "history.csv"), result.history, rtol=1e-12)


def test_a_result_is_the_users_trees_with_an_axis_of_agents():
    oracles = hg.problems.quadratic(3, 6, 3, noise=0.1).oracles
    problem = hg.Problem.from_oracles(
        oracles, x0={"w": np.zeros((2, 2)), "b": [np.zeros(2)]}, y0=(np.zeros(2), np.zeros(())), share="upper"
    )
    run, carry = begin(hg.Simulated(), ALGORITHM, False, problem, RING, np.array([0, 1]), 2)
    result = finish(run, carry)
    assert jax.tree.map(np.shape, result.x) == {"w": (2, 3, 2, 2), "b": [(2, 3, 2)]}
    assert jax.tree.map(np.shape, result.y) == ((2, 3, 2), (2, 3))
    alone = finish(*begin(hg.Simulated(), ALGORITHM, False, problem, RING, np.array([0]), None))
    assert jax.tree.map(np.shape, alone.x) == {"w": (3, 2, 2), "b": [(3, 2)]}


@pytest.mark.parametrize("name", [FILE, POINT])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_folder_is_refused(result, tmp_path, name, damage):
    result.save(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    middle = len(whole) // 3
    broken = {
        "cut": whole[:middle],
        "flip": whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :],
        "empty": b"",
        "text": b"nothing of ours",
    }
    path.write_bytes(broken[damage])
    if damage == "flip":  # a byte of padding is of no consequence; then the result is whole
        with contextlib.suppress(hg.CheckpointError):
            np.testing.assert_array_equal(hg.load(tmp_path).x, result.x)
        return
    with pytest.raises(hg.CheckpointError, match="damaged"):
        hg.load(tmp_path)


def test_a_missing_result_says_what_is_there(result, tmp_path):
    with pytest.raises(hg.CheckpointError, match="no checkpoint"):
        hg.load(tmp_path)
    result.save(tmp_path)
    (tmp_path / POINT).unlink()
    with pytest.raises(hg.CheckpointError, match="has not ended"):
        hg.load(tmp_path)
