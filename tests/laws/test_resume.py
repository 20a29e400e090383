"""Law 10: a run that was stopped and went on from its files is the run that was not, bit for bit."""

import numpy as np
import pytest

import hypergossip as hg
from laws.problems import NETWORK, quadratic_problem
from laws.table import ENGINES, KINDS, METHODS

ROUNDS = 11
STOPS = (1, 4, 7)  # before, at and after a row of the history, and a snapshot of SVR-INTERACT
# A method has a say in what its state is and in what it does with the number of a round: one stop shows both. Where a
# run may be stopped, the engines, and the other way to go on are tried with a method of each kind of message, on
# `Sharded` where its upper level is shared: measuring a shared lower level takes long to compile for several devices.
PAIRS = [("dense", name) for name in METHODS] + [
    ("sharded", name) for name in (*KINDS, "SVRInteract") if METHODS[name].share == "upper"
]


def equal(one, other):
    for a, b in zip(one.saved.leaves, other.saved.leaves, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)
    for name in one.saved.cost._fields:
        np.testing.assert_array_equal(getattr(one.saved.cost, name), getattr(other.saved.cost, name))
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
    monkeypatch.setattr("hypergossip.running.solve.FIRST_CHUNK", 3)  # other chunks than the whole run has
    for stop in STOPS if name in KINDS else STOPS[-1:]:
        folder = tmp_path / str(stop)
        stopped = run(stop, checkpoint=folder)
        assert stopped.rounds == stop
        resumed = run(ROUNDS, checkpoint=folder)
        assert resumed.rounds == ROUNDS
        equal(whole, resumed)
    if name in KINDS:
        run(5).save(tmp_path / "result")
        equal(whole, run(ROUNDS - 5, start=hg.load(tmp_path / "result")))
