"""What is no algorithm, problem, network, engine, estimator or result is refused in one sentence."""

import dataclasses

import networkx
import numpy as np
import pytest

import hypergossip as hg
from refusals import refused

RING, DSGD = hg.networks.ring(3), hg.DSGD(0.1, 0.1, hg.Exact())
PROBLEM = hg.problems.quadratic(3)


@dataclasses.dataclass(frozen=True)
class Unregistered(hg.DSGD):
    """An algorithm of a user who forgot the decorator."""


CASES = {
    "networks in turn": (
        {"network": [RING, hg.networks.complete(3)]},
        ["network is of type list", "over_time.in_turn"],
    ),
    "a matrix": ({"network": RING.mixing.toarray()}, ["network is of type ndarray", "networks.from_mixing"]),
    "a sparse matrix": ({"network": RING.mixing}, ["network is of type csr_array", "networks.from_mixing"]),
    "a graph": ({"network": networkx.cycle_graph(3)}, ["network is of type Graph", "networks.from_networkx"]),
    "no network": ({"network": None}, ["network is None", "networks.ring(9)"]),
    "a constructor of networks": ({"network": hg.networks.ring}, ["network is of type function"]),
    "a class of networks": ({"network": type(RING)}, ["network is the class Network"]),
    "a class of algorithms": (
        {"algorithm": hg.DSGD},
        ["algorithm is the class DSGD", "DSGD(upper_step, lower_step, hypergradient)"],
    ),
    "a name": ({"algorithm": "dsgd"}, ["algorithm is 'dsgd'", "no init, step;", "hypergossip.DSGD("]),
    "arguments in another order": ({"algorithm": PROBLEM, "problem": DSGD}, ["algorithm is of type Problem"]),
    "a class of estimators": (
        {"algorithm": hg.DSGD(0.1, 0.1, hg.ConjugateGradient)},
        ["DSGD.hypergradient is the class ConjugateGradient", "such as ConjugateGradient("],
    ),
    "no decorator": ({"algorithm": Unregistered(0.1, 0.1, hg.Exact())}, ["Unregistered", "register"]),
    "data": ({"problem": {"upper": np.zeros(3)}}, ["problem is of type dict", "hypergossip.Problem"]),
    "a class of problems": ({"problem": hg.Problem}, ["problem is the class Problem"]),
    "a name of a problem": ({"problem": "quadratic"}, ["problem is 'quadratic'", "hypergossip.problems"]),
    "a class of engines": ({"engine": hg.Sharded}, ["engine is the class Sharded", "hypergossip.Sharded()"]),
    "a name of an engine": ({"engine": "debug"}, ["engine is 'debug'", "hypergossip.Debug()"]),
    "a folder to start from": ({"start": "runs/demo"}, ["start is of type str", "hypergossip.load", "x0 and y0"]),
    "points to start from": ({"start": np.zeros((3, 2))}, ["start is of type ndarray", "x0 and y0"]),
}
SHARED = [name for name, (given, _) in CASES.items() if "start" not in given]


def check(call, words, **given):
    settings = {"algorithm": DSGD, "problem": PROBLEM, "network": RING, "rounds": 1} | given
    first = [settings.pop(name) for name in ("algorithm", "problem", "network")]
    refused(lambda: call(*first, **settings), words)


@pytest.mark.parametrize("name", CASES)
def test_solve_says_what_it_was_given(name, unchecked):
    given, words = CASES[name]
    check(hg.solve, words, **given)
    check(hg.solve, words, check=False, **given)


@pytest.mark.parametrize("name", SHARED)
def test_tune_says_the_same(name, unchecked):
    given, words = CASES[name]
    check(hg.tune, words, grid={"upper_step": [0.1]}, **given)


@pytest.mark.parametrize(
    ("problem", "estimator", "words"),
    [
        (PROBLEM, hg.Exact, ["estimator is the class Exact"]),
        (PROBLEM, hg.ConjugateGradient, ["estimator is the class ConjugateGradient", "ConjugateGradient(iterations"]),
        (PROBLEM, "exact", ["estimator is 'exact'", "ConjugateGradient(10)"]),
        (hg.Exact(), PROBLEM, ["problem is of type Exact"]),
        (DSGD, hg.Exact(), ["problem is of type DSGD"]),
    ],
    ids=str,
)
def test_check_hypergradient_says_what_it_was_given(problem, estimator, words, unchecked):
    refused(lambda: hg.check_hypergradient(problem, estimator), words)


def test_rounds_end_where_a_device_can_count_no_further():
    with pytest.raises(ValueError, match=r"end at round 2147483648, but the largest .* 2147483647"):
        hg.solve(DSGD, PROBLEM, RING, rounds=2**31, check=False)
