"""A method that is biased on heterogeneous agents says so before the run, and no other method does."""

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.leaf_steps import fitted
from hypergossip.lab.experiments.approximations import approximations
from hypergossip.running.preflight import concerns, facts
from hypergossip.running.starting_point import Start, gradient_difference
from laws.table import every_method

NETWORK = hg.networks.ring(6, weights="lazy-metropolis")
SHARES = ("upper", "both")
HETEROGENEOUS = {
    share: hg.problems.quadratic(6, 3, 2, seed=1, curvature_heterogeneity=0.5, share=share) for share in SHARES
}
EQUAL = {
    share: hg.problems.quadratic(6, 3, 2, seed=1, heterogeneity=0.0, curvature_heterogeneity=0.0, share=share)
    for share in SHARES
}
EXACT = hg.Exact()
UNTRACKED = {
    "D-SGD": (hg.DSGD(0.01, 0.1, EXACT), "upper", "LoPAGT or GTSGD"),
    "M-SGD": (hg.MSGD(0.01, 0.1, 0.5, 0.5, EXACT), "upper", "LoPAGT or GTSGD"),
    "LoPA": (hg.LoPA(0.01, 0.1, 0.1), "upper", "LoPAGT or GTSGD"),
    "TTSA": (hg.TTSA(0.01, 0.1, EXACT), "upper", "LoPAGT or GTSGD"),
    "D-SOBA": (hg.DSOBA(0.01, 0.1, 0.1), "both", "Sparkle or SlamTracked"),
    "SPARKLE without a correction": (hg.Sparkle(0.01, 0.1, 0.1, correction="none"), "both", "Sparkle or SlamTracked"),
    "MA-DSBO": (hg.MADSBO(0.01, 0.1, 0.1, 0.5, 2, 2, tracked="lower"), "both", "Sparkle or SlamTracked"),
}


def told(algorithm, problem, network=NETWORK):
    return [
        text
        for text in concerns(fitted(algorithm, problem.upper, problem.lower), facts(problem, network))
        if "differ, by" in text
    ]


@pytest.mark.parametrize("name", UNTRACKED)
def test_an_untracked_method_with_a_constant_step_says_so(name):
    algorithm, share, others = UNTRACKED[name]
    (text,) = told(algorithm, HETEROGENEOUS[share])
    assert "the agents' gradients differ, by" in text
    assert "upper_step" in text
    assert others in text
    assert not told(algorithm, EQUAL[share])


def test_steps_that_decay_or_are_zero_leave_no_bias():
    decaying = hg.PowerDecay(0.1, offset=2, power=1 / 3)
    assert not told(hg.DSGD(decaying, 0.1, EXACT), HETEROGENEOUS["upper"])
    assert not told(hg.DSGD(0.0, 0.1, EXACT), HETEROGENEOUS["upper"])
    (text,) = told(hg.DSOBA(decaying, decaying, 0.1), HETEROGENEOUS["both"])
    assert "the constant step adjoint_step" in text
    assert not told(hg.LoPA(0.01, 0.1, 0.1), hg.problems.quadratic(1, 3, 2, share="upper"), hg.networks.single())


TRACKED = [hg.Diamond, hg.GTSGD, hg.LoPAGT, hg.SlamTracked, hg.Sparkle, hg.SLDBO]


@every_method(lambda method: type(method.algorithm) in TRACKED)
def test_methods_without_bias_say_nothing(method):
    share = "both" if method.share == "both" else "upper"
    assert not told(method.algorithm, HETEROGENEOUS[share])


def test_slam_names_its_own_second_derivatives_where_both_levels_are_shared():
    slam = hg.Slam(0.01, 0.1, 1.0, 0.3, EXACT)
    (text,) = told(slam, HETEROGENEOUS["both"])
    assert "second derivatives differ" in text
    assert not told(slam, HETEROGENEOUS["upper"])
    assert not told(slam, EQUAL["both"])


def test_a_method_of_an_approximate_problem_is_named_with_what_decides_its_distance():
    methods = {
        "DSGDA-GT": hg.DSGDAGT(0.01, 0.1, penalty=20.0),
        "SUN": hg.SUNDSBO(0.01, 0.1, mu=0.1, gamma=1.0),
        "SO": hg.DSOBA(0.01, 0.1, 0.1),
        "FO": hg.DSOBA(0.01, 0.1, 0.1, difference=1e-3),
        "LoPA": hg.LoPA(0.01, 0.1, 0.1),
        "C2DFB": hg.C2DFB(0.01, 0.1, penalty=10.0, inner_steps=2),
        "held": hg.DUET(0.01, 0.1, 0.1, mu=0.05),
        "vanishing": hg.DUET(0.01, 0.1, 0.1, mu=hg.PowerDecay(1.0)),
    }
    text = approximations(methods)
    assert ": DSGDA-GT with penalty = 20, SUN with mu = 0.1 and gamma = 1, FO with difference = 0.001, C2DFB" in text
    assert "C2DFB with penalty = 10, held with mu = 0.05. Where" in text
    assert approximations({"LoPA": methods["LoPA"]}) == ""


def test_the_difference_is_that_from_the_mean():
    found = Start(
        *([np.zeros(3)] * 2), np.array([[1.0, 0], [3.0, 0], [2.0, 0]]), *([np.zeros((3, 2))] * 3), *([np.ones(3)] * 3)
    )
    assert gradient_difference(found) == pytest.approx(1 / 3)
    assert gradient_difference(found._replace(fx=np.zeros((3, 2)))) == 0.0
