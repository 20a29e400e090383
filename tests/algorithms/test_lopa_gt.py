"""LoPA-GT and LoPA: their transcription, SOBA as a special case, and the bias that tracking removes."""

from dataclasses import replace

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.running.preflight import concerns, facts
from laws.one_point import NETWORK, ROUNDS, ZEROS, distance, order, rounds_of, same_rounds, world
from laws.problems import quadratic_problem
from laws.running import final
from laws.table import REFERENCE
from numpy_methods.one_point import lopa

STEPS = (0.06, 0.12, 0.15)
TRACKED = hg.LoPAGT(*STEPS)
W = NETWORK.mixing.toarray()


@pytest.mark.parametrize(("gamma", "tau"), [(1.0, 1.0), (0.2, 0.5)])
def test_fed_the_same_noise_it_is_its_transcription(gamma, tau):
    algorithm = hg.LoPAGT(*STEPS, upper_momentum=gamma, relaxation=tau)
    points = lopa(world("upper"), W, *ZEROS, ROUNDS, STEPS, gamma, tau, tracked=True)
    same_rounds(rounds_of(algorithm, "upper"), points)


def test_lopa_is_its_transcription_and_soba():
    states = rounds_of(hg.LoPA(*STEPS), "upper")
    same_rounds(states, lopa(world("upper"), W, *ZEROS, ROUNDS, STEPS, 1.0, 1.0, tracked=False))
    for one, other in zip(states, rounds_of(hg.SOBA(*STEPS), "upper"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_in_round_0_the_tracker_is_the_direction():
    """A tracker that began at zero against a direction that did not would be biased for ever."""
    state = final(REFERENCE, hg.LoPAGT(*STEPS, upper_momentum=0.2), quadratic_problem("upper"), NETWORK, 1)
    np.testing.assert_array_equal(state.u, state.d)
    assert np.abs(state.u).max() > 0.1


@pytest.mark.parametrize(("gamma", "tau"), [(1.0, 1.0), (0.2, 0.5)])
def test_tracking_reaches_the_optimum_whatever_is_averaged_and_relaxed(gamma, tau):
    algorithm = hg.LoPAGT(*STEPS, upper_momentum=gamma, relaxation=tau)
    assert distance(algorithm, "upper", 2500) < 1e-10


def test_without_tracking_the_bias_is_of_first_order():
    steps = (0.005, 0.0025, 0.00125)
    biases = [distance(hg.LoPA(a, 0.12, 0.15), "upper", int(40 / a)) for a in steps]
    assert biases[-1] > 1e-3
    assert order(biases)[-1] == pytest.approx(1.0, abs=0.15)
    assert distance(hg.LoPA(*STEPS), "upper", 2500, heterogeneity=0.0) < 1e-10  # homogeneous agents


def test_it_refuses_what_cannot_work():
    known = facts(quadratic_problem("upper"), NETWORK)
    assert concerns(TRACKED, known) == []
    for tau in (0.0, 1.5):
        with pytest.raises(ValueError, match=r"LoPAGT: relaxation = .* lies in \(0, 1\]"):
            concerns(replace(TRACKED, relaxation=tau), known)
    for method in (TRACKED, hg.LoPA(*STEPS)):
        with pytest.raises(ValueError, match=r"personal lower levels"):
            concerns(method, facts(quadratic_problem("both"), NETWORK))
