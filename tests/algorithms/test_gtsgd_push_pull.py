"""GT-SGD by push-pull: GT-SGD where weights are doubly stochastic, and the optimum on directed networks."""

from dataclasses import replace

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.messages import messages
from hypergossip.networks import from_edges, over_time
from hypergossip.problems.quadratic import quadratic, solution
from laws import problems as laws
from laws import transcribed
from laws.running import final, trajectory
from laws.table import FEW_ROUNDS, REFERENCE
from laws.transcribed import ZEROS
from numpy_methods import gossip, graphs
from numpy_methods.steps import constant_steps

AGENTS, P, Q = 6, 3, 4
CIRCLE = [(i, (i + 1) % AGENTS) for i in range(AGENTS)]
CHORDS = [(0, 3), (4, 2)]
DIRECTED = from_edges(AGENTS, [*CIRCLE, *CHORDS], directed=True)
TURNED = from_edges(AGENTS, [(j, i) for i, j in CIRCLE] + [(1, 4)], directed=True)
NETWORKS = {"one digraph": DIRECTED, "two in turn": over_time.in_turn([DIRECTED, TURNED])}

STEPS = {"upper_step": 0.06, "lower_step": 0.12, "hypergradient": hg.Exact()}
MOMENTA = {"upper_momentum": 0.3, "lower_momentum": 0.4}
PUSH_PULL = hg.GTSGDPushPull(**STEPS)
OTHERS = {"DSGD": hg.DSGD(**STEPS), "GTSGD": hg.GTSGD(**STEPS), "Diamond": hg.Diamond(**STEPS, **MOMENTA)}
ROUNDS = 1500

every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
every_other = pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)


def problem(noise=0.0):
    return quadratic(AGENTS, P, Q, seed=3, noise=noise)


def error(state):
    """The squared distance of all agents' x and y from the closed form."""
    exact = solution(problem())
    return np.square(state.x - exact.x).sum() + np.square(state.y - exact.y).sum()


def test_the_networks_are_what_they_are_for():
    """Directed and connected, and neither A nor B is doubly stochastic."""
    for network in (DIRECTED, TURNED):
        A, B = network.mixing.toarray(), network.push.toarray()
        np.testing.assert_allclose(A.sum(axis=1), 1.0)
        np.testing.assert_allclose(B.sum(axis=0), 1.0)
        assert np.ptp(A.sum(axis=0)) > 0.1
        assert np.ptp(B.sum(axis=1)) > 0.1
        assert network.directed
        assert network.connected
        assert not network.doubly_stochastic


@pytest.mark.parametrize("make", [hg.networks.ring, hg.networks.directed_ring])
def test_where_weights_are_doubly_stochastic_it_is_gtsgd(make):
    """To the last bit without a compiler, which may round the two messages of a round otherwise than their pair."""
    noisy, network = problem(0.1), make(AGENTS)
    for engine, rounds, tolerance in ((hg.Debug(), FEW_ROUNDS + 1, 0.0), (REFERENCE, 50, 1e-14)):
        one, other = (final(engine, method, noisy, network, rounds) for method in (PUSH_PULL, OTHERS["GTSGD"]))
        for here, there in zip(one, other, strict=True):
            np.testing.assert_allclose(here, there, rtol=0, atol=tolerance)


@every_network
def test_without_noise_it_reaches_the_optimum(network):
    state = final(REFERENCE, PUSH_PULL, problem(), network, ROUNDS)
    assert error(state) < 1e-20
    result = hg.solve(PUSH_PULL, problem(), network, rounds=ROUNDS, progress=False)
    assert result.history["metric"].iloc[-1] < 1e-20


def test_at_the_fixed_point_the_trackers_are_zero_and_the_estimates_sum_to_zero():
    """u = B u and x = A x - alpha u leave no other."""
    state = final(REFERENCE, PUSH_PULL, problem(), DIRECTED, ROUNDS)
    np.testing.assert_allclose(state.u, 0.0, atol=1e-11)
    assert np.abs(state.G).max() > 0.1  # agents are heterogeneous: only the sum of the estimates is zero
    np.testing.assert_allclose(state.G.sum(axis=0), 0.0, atol=1e-11)


@every_other
def test_methods_for_doubly_stochastic_weights_are_refused(other):
    name = type(other).__name__
    with pytest.raises(ValueError, match=rf"^{name} needs doubly stochastic weights.*such as GTSGDPushPull\.$"):
        hg.solve(other, problem(), DIRECTED, rounds=1, progress=False)
    with pytest.raises(ValueError, match=r"mix is called without weights on a directed network"):
        hg.solve(other, problem(), DIRECTED, rounds=1, progress=False, check=False)


@every_other
def test_and_end_elsewhere_where_they_are_run_on_weights_whose_rows_alone_sum_to_one(other):
    """The distance remains where the step falls: the agents count by the left eigenvector, and no longer equally."""
    rows_alone = hg.networks.from_mixing(DIRECTED.mixing)
    with pytest.raises(ValueError, match=r"needs doubly stochastic weights"):
        hg.solve(other, problem(), rows_alone, rounds=1, progress=False)
    exact = solution(problem()).x
    for step in (0.06, 0.006):
        state = final(REFERENCE, replace(other, upper_step=step), problem(), rows_alone, 2 * ROUNDS)
        assert np.linalg.norm(state.x.mean(axis=0) - exact) > 0.3


def test_there_agents_count_by_the_left_eigenvector():
    A = DIRECTED.mixing.toarray()
    values, vectors = np.linalg.eig(A.T)
    share = np.real(vectors[:, np.argmax(values.real)])
    np.testing.assert_allclose(share @ A, share, atol=1e-12)
    G = final(REFERENCE, OTHERS["GTSGD"], problem(), hg.networks.from_mixing(DIRECTED.mixing), ROUNDS).G
    np.testing.assert_allclose(share / share.sum() @ G, 0.0, atol=1e-11)
    assert np.abs(G.mean(axis=0)).max() > 0.1


def test_without_weights_to_push_by_it_is_refused_itself():
    with pytest.raises(ValueError, match=r"^GTSGDPushPull asks for weights whose columns sum to one"):
        hg.solve(PUSH_PULL, problem(), hg.networks.from_mixing(DIRECTED.mixing), rounds=1, progress=False)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@every_network
def test_the_trackers_sum_to_the_estimates_in_every_round(network, noise):
    states = trajectory(REFERENCE, PUSH_PULL, problem(noise), network, range(1, 201))
    assert np.abs((states.u - states.G).sum(axis=1)).max() < 1e-12
    assert np.abs(states.u.sum(axis=1)).max() > 0.1


@every_network
def test_the_engines_agree(network):
    noisy, rounds = problem(0.1), 60
    one, other = (final(engine, PUSH_PULL, noisy, network, rounds) for engine in (REFERENCE, hg.Sharded(devices=4)))
    few, debug = (final(engine, PUSH_PULL, noisy, network, FEW_ROUNDS + 1) for engine in (REFERENCE, hg.Debug()))
    for here, there in (*zip(one, other, strict=True), *zip(few, debug, strict=True)):
        np.testing.assert_allclose(here, there, rtol=0, atol=1e-10)
    assert np.abs(one.x).max() > 0.1


def test_fed_the_same_noise_it_is_its_transcription_on_a_directed_network():
    edges = [*((i, (i + 1) % laws.AGENTS) for i in range(laws.AGENTS)), (0, 4), (6, 2)]
    noisy, network = laws.quadratic_problem("upper"), from_edges(laws.AGENTS, edges, directed=True)
    weights, steps = graphs.pull_and_push(laws.AGENTS, edges), constant_steps(0.06, 0.12, 1.0, 1.0)
    points = gossip.gtsgd_push_pull(transcribed.noisy_world(noisy), *weights, *ZEROS, transcribed.ROUNDS, steps)
    transcribed.same(transcribed.run(PUSH_PULL, noisy, network), points)


def test_a_round_sends_two_messages():
    some = problem()
    sent = messages(PUSH_PULL, (some.upper, some.lower), some.agent(0), some.x0, some.y0)
    assert [(one.times, one.upper, one.lower) for one in sent] == [(1, P, 0), (1, P, 0)]
    history = hg.solve(PUSH_PULL, some, DIRECTED, rounds=10, progress=False, measure=False).history
    assert history["bytes_sent"].iloc[-1] == 10 * 2 * P * 8 * len(DIRECTED.edges) / AGENTS
