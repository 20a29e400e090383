"""SLDBO by push-pull: its transcription on a directed network, SLDBO elsewhere, and the optimum on digraphs."""

from dataclasses import replace

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.running.preflight import concerns, facts
from laws.digraphs import DIGRAPHS, DIRECTED, EDGES
from laws.one_point import LAZY, ROUNDS, ZEROS, distance, rounds_of, same_rounds, world
from laws.problems import AGENTS, NETWORK, quadratic_problem
from laws.running import final
from laws.table import REFERENCE
from numpy_methods import graphs, penalties

A_STEP, B_STEP = 0.04, 0.06
METHOD = hg.SLDBOPushPull(A_STEP, B_STEP, B_STEP)


def directions(t, i, x, y, z):
    """D_x, D_y and D_z of agent i with the samples of a round."""
    fx, fy, H, J = world("both").derivatives(t, i, x, y)
    return fx - J @ z, world("both").lower_gradient(t, i, x, y), H @ z - fy


def test_fed_the_same_noise_it_is_its_transcription_on_a_directed_network():
    A, B = graphs.pull_and_push(AGENTS, EDGES)
    assert min(np.ptp(A.sum(axis=0)), np.ptp(B.sum(axis=1))) > 0.1
    points = penalties.tracked(directions, (A, A), (B, B), *ZEROS, ROUNDS, A_STEP, B_STEP)
    same_rounds(rounds_of(METHOD, "both", DIRECTED), points)


@pytest.mark.parametrize("radius", [None, 1.0])
def test_on_doubly_stochastic_weights_it_is_sldbo(radius):
    one, two = (rounds_of(replace(m, radius=radius), "both", LAZY) for m in (METHOD, hg.SLDBO(A_STEP, B_STEP, B_STEP)))
    for name in one._fields:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", DIGRAPHS.values(), ids=DIGRAPHS)
@pytest.mark.parametrize("share", ["both", "upper"])
def test_on_directed_networks_it_reaches_the_optimum_itself(network, share):
    assert distance(METHOD, share, 2500, network) < 1e-10
    problem = quadratic_problem(share, noise=0.0)
    state = final(REFERENCE, METHOD, problem, network, 2500)
    for one, other in (("t_x", "D_x"), ("t_y", "D_y"), ("t_z", "D_z")):
        sums = (getattr(state, one) - getattr(state, other)).sum(axis=0)
        np.testing.assert_allclose(sums, 0.0, rtol=0, atol=1e-11)


def test_fab_stops_where_it_does_not():
    fab = hg.FAB(A_STEP, 0.005, penalty=10.0)
    assert distance(fab, "both", 2500, DIRECTED) > 1e-3


def test_sldbo_itself_is_refused_there_and_it_is_not():
    problem = quadratic_problem("both")
    with pytest.raises(ValueError, match="doubly stochastic"):
        hg.solve(hg.SLDBO(A_STEP, B_STEP, B_STEP), problem, DIRECTED, rounds=1, progress=False)
    assert hg.solve(METHOD, problem, DIRECTED, rounds=1, progress=False).rounds == 1


def test_it_refuses_what_cannot_work():
    known = facts(quadratic_problem("both"), NETWORK)
    assert concerns(METHOD, known) == []
    with pytest.raises(
        ValueError, match=r"SLDBOPushPull: radius = 0; it must be finite and positive: take one above the norm of z\*"
    ):
        concerns(replace(METHOD, radius=0.0), known)
    (text,) = concerns(replace(METHOD, adjoint_step=0.5), known)
    assert "adjoint_step = 0.5 is likely to be unstable" in text
