"""C2DFB: its transcription with a code and without, the penalised optimum, one copy for a loop, and its bytes."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import hypergossip as hg
from channels import setting
from hypergossip import channels
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from laws.transcribed import SEED, ZEROS
from numpy_methods import penalties

ROUNDS, LAM, TURNS, GAMMA = 200, 10.0, 2, 0.3
STEPS = 0.04, 0.05
METHOD = hg.C2DFB(*STEPS, LAM, inner_steps=TURNS)
W = NETWORK.mixing.toarray()
TOP = [channels.CommonCopy(GAMMA, level="lower"), channels.TopK(1)]
ROUGH = [channels.CommonCopy(level="lower"), channels.Quantize(4)]


def largest(v):
    """The entry of largest magnitude, zero elsewhere."""
    return np.where(np.arange(v.size) == np.abs(v).argmax(), v, 0.0)


@cache
def noise(agents, p, q, seed):
    return penalties.draw_noise_of_loops(seed, ROUNDS, agents, p, q, NOISE, TURNS)


def equal(states, points):
    for name, expected in zip("xyz", points, strict=True):
        np.testing.assert_allclose(getattr(states, name), expected, rtol=0, atol=1e-9)
    assert np.abs(points[0][-1]).max() > 0.1
    assert np.ptp(points[1][-1], axis=0).max() > 1e-3


@pytest.mark.parametrize("share", ["both", "upper"])
def test_fed_the_same_noise_it_is_its_transcription(share):
    problem = quadratic_problem(share)
    losses = penalties.Losses(problem.oracles, noise(AGENTS, P, Q, SEED))
    matrices = W, W if share == "both" else np.eye(AGENTS)
    states = trajectory(REFERENCE, METHOD, problem, NETWORK, range(1, ROUNDS + 1), seed=SEED)
    equal(states, penalties.compressed_loops(losses, LAM, matrices, *ZEROS, ROUNDS, STEPS, TURNS))


def test_with_one_entry_of_four_sent_it_is_its_transcription():
    """The references are kept from one inner step to the next, and over the rounds; x is not compressed."""
    agents, p, q = setting.AGENTS, setting.P, setting.Q
    whole = setting.problem(NOISE, "both")
    losses = penalties.Losses(whole.oracles, noise(agents, p, q, 0))
    points = penalties.compressed_loops(
        losses, LAM, (setting.W, setting.W), np.zeros((agents, p)), np.zeros((agents, q)), ROUNDS, STEPS, TURNS, GAMMA,
        largest,
    )  # fmt: skip
    found = [(s.x[0], s.y[0], s.z[0]) for s in setting.states(METHOD, whole, TOP, ROUNDS)][1:]
    for k, expected in enumerate(points):
        np.testing.assert_allclose(np.stack([point[k] for point in found]), expected, rtol=0, atol=1e-9)


def penalised(problem):
    """x, y and z of the penalised optimum."""
    return penalties.optimum(penalties.penalty(penalties.Losses(problem.oracles), LAM), AGENTS, P, Q, True)


@pytest.mark.parametrize(("channel", "turns"), [(None, 1), (None, 4), (ROUGH, 4), (TOP, 10)])
def test_it_reaches_the_penalised_optimum_compressed_or_not(channel, turns):
    problem = quadratic_problem("both", noise=0.0)
    x, y, _ = penalised(problem)
    found = setting.run(replace(METHOD, inner_steps=turns), problem, channel, 1500, NETWORK)
    np.testing.assert_allclose(found.x, np.broadcast_to(x, found.x.shape), rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.y, np.broadcast_to(y, found.y.shape), rtol=0, atol=1e-10)
    assert np.linalg.norm(x - solution(problem).x) > 1e-3


def test_with_personal_lower_levels_as_well():
    problem = quadratic_problem("upper", noise=0.0)
    d = penalties.penalty(penalties.Losses(problem.oracles), LAM)
    x, y, z = penalties.optimum(d, AGENTS, P, Q, False)
    state = final(REFERENCE, METHOD, problem, NETWORK, 1500)
    for found, expected in ((state.x, x), (state.y, y), (state.z, z)):
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("channel", "kept"), [(TOP, 2), ([channels.EdgeSums()], TURNS + 1)])
def test_a_loop_has_one_common_copy_and_running_sums_for_each_of_its_messages(channel, kept):
    whole = setting.problem(share="both")
    found = setting.run(METHOD, whole, channel, 1)
    wide = 4 * setting.Q  # y, z and their trackers
    ends = [leaf for leaf in found.saved.leaves if leaf.ndim == 4 and leaf.shape[-1] == wide]
    assert len(ends) == kept - 1


def test_its_bytes_are_those_of_whole_x_and_of_coded_y_and_z():
    whole, links = setting.problem(share="both"), (setting.W != 0).sum() - setting.AGENTS
    sent = lambda channel: setting.run(METHOD, whole, channel, 1).history["bytes_sent"].iloc[-1] * setting.AGENTS
    x, lower = 2 * setting.P * 8, 4 * setting.Q * 8
    assert sent(None) == links * (x + TURNS * lower)
    assert sent(TOP) == links * (x + TURNS * 4 * (8 + 4))  # one entry of each vector, and its index


def test_engines_agree_and_a_resumed_run_is_never_stopped(tmp_path):
    whole = setting.problem(noise=0.1, share="both")
    setting.agree(METHOD, whole, TOP, setting.ENGINES["unequal blocks"], 20)
    small = hg.problems.quadratic(4, 5, 4, noise=0.1, share="both")
    setting.agree(replace(METHOD, inner_steps=2), small, TOP, hg.Debug(), 3, hg.networks.ring(4))
    once = setting.run(METHOD, whole, TOP, 13, observe_every=4)
    setting.run(METHOD, whole, TOP, 6, observe_every=4, checkpoint=tmp_path)
    again = setting.run(METHOD, whole, TOP, 13, observe_every=4, checkpoint=tmp_path)
    for one, other in zip(once.saved.leaves, again.saved.leaves, strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_refuses_what_cannot_work():
    known = facts(quadratic_problem("both"), NETWORK)
    assert concerns(METHOD, known) == []
    with pytest.raises(ValueError, match=r"C2DFB: penalty = 0; it must be finite and positive"):
        concerns(replace(METHOD, penalty=0.0), known)
    with pytest.raises(ValueError, match=r"C2DFB: inner_steps = 0; take at least one"):
        concerns(replace(METHOD, inner_steps=0), known)
    assert concerns(replace(METHOD, penalty=8 * LAM), known) == []  # its steps do not depend on the penalty
    (text,) = concerns(replace(METHOD, lower_step=0.5), known)
    assert "lower_step = 0.5 is likely to be unstable" in text
