"""AdaSDBO: its transcription, equal steps with full mixing, how it converges, and its numbers under channels."""

from dataclasses import replace

import numpy as np
import pytest

import hypergossip as hg
from channels.setting import CHANNELS, ENGINES, agree, problem, run
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.one_point import LAZY, NETWORK, ROUNDS, ZEROS, distance, order, rounds_of, same_rounds, world
from laws.problems import AGENTS, P, Q, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from numpy_methods.one_point import ada_sdbo

METHOD = hg.AdaSDBO()
W = NETWORK.mixing.toarray()
NUMBERS = ("m_x", "m_y", "m_z")


def accumulators(states):
    """(..., 3)."""
    return np.stack([getattr(states, name) for name in NUMBERS], axis=-1)


@pytest.mark.parametrize("share", ["both", "upper"])
def test_fed_the_same_noise_it_is_its_transcription(share):
    states = rounds_of(METHOD, share)
    *points, numbers = ada_sdbo(world(share), W, *ZEROS, ROUNDS, lower=share == "both")
    same_rounds(states, points)
    np.testing.assert_allclose(accumulators(states), numbers, rtol=1e-11)
    assert np.ptp(numbers[-1], axis=0).max() > 1e-3


def test_with_full_mixing_all_agents_have_the_same_steps():
    full = hg.networks.complete(AGENTS)
    numbers = accumulators(final(REFERENCE, METHOD, quadratic_problem("both"), full, 20))
    np.testing.assert_allclose(numbers, np.broadcast_to(numbers[0], numbers.shape), rtol=1e-13)
    assert (numbers > 1.5).all()


def test_on_homogeneous_agents_it_reaches_the_optimum_untuned():
    assert distance(METHOD, "both", 4000, LAZY, heterogeneity=0.0) < 1e-10
    state = final(REFERENCE, METHOD, quadratic_problem("both", noise=0.0, heterogeneity=0.0), LAZY, 4000)
    assert accumulators(state).max() < 1000  # the steps do not shrink to zero


@pytest.mark.parametrize(("share", "rate"), [("both", 0.25), ("upper", 0.5)])
def test_on_heterogeneous_agents_it_approaches_the_optimum_slowly(share, rate):
    """D_y and D_z of a personal lower level vanish, so only the step of x shrinks."""
    exact = quadratic_problem(share, noise=0.0)
    states = trajectory(REFERENCE, METHOD, exact, LAZY, (3000, 6000, 12000))
    errors = [float(np.linalg.norm(x.mean(axis=0) - solution(exact).x)) for x in states.x]
    assert order(errors)[-1] == pytest.approx(rate, abs=0.15)
    assert errors[-1] > 1e-4


def test_factors_multiply_the_steps():
    """In round 0 all accumulators are `initial`, so the steps are a factor by its powers."""
    start = {"x": np.ones((AGENTS, P)), "y": np.ones((AGENTS, Q))}
    moves = []
    for method in (METHOD, replace(METHOD, upper_scale=3.0, lower_scale=2.0), replace(METHOD, initial=4.0)):
        state = final(REFERENCE, method, quadratic_problem("both", noise=0.0), NETWORK, 1, **start)
        moves.append((state.x - W @ start["x"], state.y - W @ start["y"], state.z))
    plain, scaled, begun = moves
    for one, factors in ((scaled, (3.0, 2.0, 1.0)), (begun, (0.25, 0.5, 0.5))):
        for found, expected, factor in zip(one, plain, factors, strict=True):
            np.testing.assert_allclose(found, factor * expected, rtol=1e-12)


CASES = {
    "one-sided loss": CHANNELS["last value"],
    "edge sums": CHANNELS["edge sums"],
    "delay": CHANNELS["same age"],
    "rounding": CHANNELS["rounding"],
    "copy": CHANNELS["largest"],
    "lower level": CHANNELS["lower level"],
}


@pytest.mark.parametrize("name", CASES)
def test_under_a_channel_several_devices_agree_with_one(name):
    agree(METHOD, problem(noise=0.1, share="both"), CASES[name], ENGINES["Sharded"], 20)


def test_under_a_channel_one_agent_at_a_time_agrees_with_all_together():
    whole = hg.problems.quadratic(4, 5, 4, noise=0.1, share="both")
    agree(METHOD, whole, CHANNELS["edge sums"], hg.Debug(), 5, hg.networks.ring(4))


@pytest.mark.parametrize("name", ["rounding", "copy"])
def test_codes_leave_the_numbers_alone_and_their_bytes_are_counted(name):
    """In round 0 all start alike, so only what is sent after it differs: the accumulators of one round are exact."""
    whole = problem(share="both")
    coded, plain = (run(METHOD, whole, channel, 1) for channel in (CASES[name], None))
    for one, other in zip(*(accumulators_of(found) for found in (coded, plain)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)
    assert np.abs(coded.x - plain.x).max() > 1e-5
    sends = lambda method: run(method, whole, CASES[name], 1).history["bytes_sent"].iloc[-1]
    links = whole.agents * sends(METHOD) - whole.agents * sends(hg.DSOBA(0.1, 0.1, 0.1))
    degrees = (np.asarray(hg.networks.erdos_renyi(9, 0.3, seed=1).mixing.toarray()) != 0).sum() - 9
    assert links == 3 * 8 * degrees


def accumulators_of(result):
    """The accumulators of all agents, from the saved state."""
    return [leaf for leaf in result.saved.leaves if leaf.shape[-1:] == (9,)][:3]


def test_resumed_is_never_stopped(tmp_path):
    whole = problem(noise=0.1, share="both")
    given = {"observe_every": 4, "seed": 5}
    once = run(METHOD, whole, CASES["edge sums"], 13, **given)
    run(METHOD, whole, CASES["edge sums"], 6, checkpoint=tmp_path, **given)
    again = run(METHOD, whole, CASES["edge sums"], 13, checkpoint=tmp_path, **given)
    for one, other in zip(once.saved.leaves, again.saved.leaves, strict=True):
        np.testing.assert_array_equal(one, other)


def test_lost_messages_with_edge_sums_leave_the_accumulators_right():
    """What is lost comes with the next running sum, so their mean is that of the run without losses, to 20 %."""
    whole = problem(share="both")
    lossy = [hg.channels.EdgeSums(), hg.channels.Loss(0.2, symmetric=False)]
    found, ideal = (run(METHOD, whole, channel, 400) for channel in (lossy, None))
    for one, other in zip(accumulators_of(found), accumulators_of(ideal), strict=True):
        assert np.isfinite(one).all()
        assert one.mean() == pytest.approx(other.mean(), rel=0.2)


def test_noise_on_the_links_never_makes_a_step_larger_than_the_first():
    """The noise is larger than the accumulators, some of which are negative after the first round."""
    whole, noise = problem(share="both"), hg.channels.Noise(30.0)
    assert min(one.min() for one in accumulators_of(run(METHOD, whole, noise, 1))) < 0
    assert np.isfinite(run(METHOD, whole, noise, 2).x).all()


def test_it_warns_of_heterogeneous_agents_and_refuses_what_cannot_work():
    known = facts(quadratic_problem("both", heterogeneity=0.0), NETWORK)
    assert concerns(METHOD, known) == []
    (text,) = concerns(METHOD, facts(quadratic_problem("both"), NETWORK))
    assert "AdaSDBO: the derivatives of the agents' losses differ, by " in text
    equal_curvature = quadratic_problem("both", curvature_heterogeneity=0.0)  # only their gradients differ
    assert concerns(METHOD, facts(equal_curvature, NETWORK))
    assert "about as t^(-1/4)" in text
    with pytest.raises(ValueError, match=r"AdaSDBO: initial = 0; it must be finite and positive"):
        concerns(replace(METHOD, initial=0.0), known)
    with pytest.raises(ValueError, match=r"shares only its lower level"):
        concerns(METHOD, facts(quadratic_problem("lower"), NETWORK))
