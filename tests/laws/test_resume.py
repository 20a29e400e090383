"""Law 10: a run that was stopped and went on from its files is the run that was not, bit for bit."""

import numpy as np
import pytest

import hypergossip as hg
from laws.problems import NETWORK, quadratic_problem
from laws.table import ENGINES, METHODS

ROUNDS = 11
# Measuring a shared lower level takes long to compile for several devices; Slam runs there with its upper level shared.
PAIRS = [("dense", name) for name in METHODS] + [
    ("sharded", name) for name, method in METHODS.items() if method.share == "upper"
]


def equal(one, other):
    for a, b in zip(one.saved.leaves, other.saved.leaves, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)
    for name in one.saved.spent._fields:
        np.testing.assert_array_equal(getattr(one.saved.spent, name), getattr(other.saved.spent, name))
    rows = one.history.merge(other.history, on="round", suffixes=("", " too"))
    assert len(rows) == len(one.history)
    for name in set(one.history.columns) - {"round", "seconds"}:
        np.testing.assert_array_equal(rows[name], rows[f"{name} too"])


@pytest.mark.parametrize(("place", "name"), PAIRS)
def test_stopped_and_resumed_is_never_stopped(place, name, tmp_path, monkeypatch):
    engine, method = ENGINES[place], METHODS[name]
    problem = quadratic_problem(method.share)

    def run(rounds, **more):
        more = {"observe_every": 4, "engine": engine, "check": False, "seed": 5, **more}
        return hg.solve(method.algorithm, problem, NETWORK, rounds=rounds, **more)

    whole = run(ROUNDS)
    monkeypatch.setattr("hypergossip.solver.FIRST_CHUNK", 3)  # other chunks than the whole run has
    for stop in (1, 4, 7):
        folder = tmp_path / str(stop)
        stopped = run(stop, checkpoint=folder)
        assert stopped.rounds == stop
        resumed = run(ROUNDS, checkpoint=folder)
        assert resumed.rounds == ROUNDS
        equal(whole, resumed)
    run(5).save(tmp_path / "result")
    equal(whole, run(ROUNDS - 5, start=hg.load(tmp_path / "result")))
