"""Networks that change or are directed: the engines apply each round's weights, and what cannot work is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import hypergossip as hg
from engines.changing import (
    CHANGING,
    DIAMOND,
    HALVES,
    HUBS,
    NETWORKS,
    ONE_PEER,
    ONE_WAY,
    PROBLEM,
    PUSH_PULL,
    RENUMBERED,
    RING,
    STEPS,
)
from hypergossip.engines.halo import deal, halo_of
from hypergossip.engines.over_time import links_used, operator
from hypergossip.networks import over_time
from hypergossip.support.devices import AXIS, on_devices


def wanted(network, round, weights):
    here = network.at(round)
    return (here.push if weights == "push" and here.push is not None else here.mixing).toarray()


@jax.jit
def on_all(mixing, round, table):
    return {weights: mixing.at(round).of(weights).apply(table) for weights in ("pull", "push")}


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", NETWORKS | HUBS | RENUMBERED)
def test_the_operator_of_a_round_is_the_matrix_of_the_round(name, linked):
    network = (NETWORKS | HUBS | RENUMBERED)[name]
    mixing, table = operator(network, linked), jnp.eye(network.agents)
    for round in range(12):
        for weights, mixed in on_all(mixing, round, table).items():
            np.testing.assert_allclose(mixed, wanted(network, round, weights), rtol=0, atol=1e-15)


@pytest.mark.parametrize("devices", [2, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_devices_exchange_what_a_round_needs(name, devices):
    network, rows = NETWORKS[name], deal(6, devices)
    mesh, spec = Mesh(np.asarray(jax.devices()[:devices]), (AXIS,)), PartitionSpec(AXIS)

    def on_device(halo, block, round):
        here = halo.on_device().at(round)
        return {weights: here.of(weights).apply(block[0])[None] for weights in ("pull", "push")}

    apply = jax.jit(on_devices(on_device, mesh, (spec, spec, PartitionSpec()), spec))
    halo, table = halo_of(network, rows, "auto"), jnp.eye(6)[jnp.asarray(rows)]
    for round in range(6):
        for weights, mixed in apply(halo, table, round).items():
            expected = wanted(network, round, weights)[rows]
            np.testing.assert_allclose(mixed, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", NETWORKS | HUBS)
def test_messages_are_counted_by_the_links_of_each_round(name):
    network = (NETWORKS | HUBS)[name]
    degrees = np.array([network.at(t).degrees for t in range(30)])
    used = links_used(network)
    np.testing.assert_array_equal(used(0, 30), degrees.sum(axis=0))
    np.testing.assert_array_equal(used(7, 19), degrees[7:19].sum(axis=0))


@pytest.mark.parametrize("name", ["links up", "directed in turn"])
def test_bytes_are_those_of_the_links_of_each_round(name):
    network = NETWORKS[name]
    degrees = np.array([network.at(t).degrees for t in range(30)])
    done = hg.solve(PUSH_PULL, PROBLEM, network, rounds=30, observe_every=10, measure=False)
    sent = 2 * 4 * 8 * degrees.cumsum(axis=0)[[9, 19, 29]]
    np.testing.assert_allclose(done.history["bytes_sent"][1:], sent.mean(axis=1))
    np.testing.assert_array_equal(done.history["bytes_sent_max"][1:], sent.max(axis=1))


@pytest.mark.filterwarnings("ignore::hypergossip.channels.requirements.ChannelWarning")
def test_a_link_that_is_not_there_carries_no_noise_and_loses_nothing():
    network = over_time.in_turn([hg.networks.from_edges(6, [])] * 2 + [RING])
    settings = {"measure": False, "check": False}
    run = lambda rounds, channel: hg.solve(DIAMOND, PROBLEM, network, rounds=rounds, channel=channel, **settings).x
    for channel in (
        hg.channels.Noise(10.0),
        hg.channels.Noise(1e308),
        hg.channels.Loss(1.0),
        hg.channels.Loss(0.5, replace="renormalise"),
    ):
        np.testing.assert_array_equal(run(2, channel), run(2, None))
    assert np.abs(run(3, hg.channels.Noise(10.0)) - run(3, None)).max() > 0.1


@pytest.mark.parametrize("name", ["matchings", "directed in turn"])
def test_a_run_resumes_at_the_networks_round(name):
    run = lambda rounds, **more: hg.solve(PUSH_PULL, PROBLEM, NETWORKS[name], rounds=rounds, measure=False, **more)
    whole, half = run(37), run(14)
    resumed = run(23, start=half)
    for one, other in zip(jax.tree.leaves((whole.x, whole.y)), jax.tree.leaves((resumed.x, resumed.y)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_network_in_turn_is_that_network():
    again = over_time.in_turn([RING])
    one, other = (hg.solve(DIAMOND, PROBLEM, network, rounds=40, seeds=2) for network in (RING, again))
    np.testing.assert_allclose(one.x, other.x, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(one.history["bytes_sent"], other.history["bytes_sent"])
    alone = hg.problems.quadratic(1, 4, 3)
    single = hg.solve(DIAMOND, alone, hg.networks.single(), rounds=5, measure=False)
    for network in (over_time.one_peer_exponential(1), over_time.links_up(hg.networks.single(), 0.5)):
        for engine in (hg.Simulated(), hg.Sharded()):
            done = hg.solve(DIAMOND, alone, network, rounds=5, measure=False, engine=engine)
            np.testing.assert_allclose(done.x, single.x, rtol=0, atol=1e-14)


def test_checkpoints_belong_to_one_schedule(tmp_path):
    run = lambda network: hg.solve(DIAMOND, PROBLEM, network, rounds=10, checkpoint=tmp_path, measure=False)
    run(CHANGING["links up"])
    for other in (over_time.links_up(CHANGING["links up"].graph, 0.5, seed=5), CHANGING["links up"].graph):
        with pytest.raises(hg.CheckpointError, match="network"):
            run(other)


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ([hg.channels.EdgeSums(), hg.channels.Loss(0.1)], "EdgeSums needs the same weight for an edge in every round"),
        (hg.channels.CommonCopy(), "CommonCopy needs links that deliver every message"),
        (hg.channels.Delay(1), "uses a message in a later round"),
        (hg.channels.Loss(0.1, replace="last"), "uses a message in a later round"),
    ],
)
def test_stages_that_need_the_same_links_in_every_round_are_refused(channel, words):
    for check in (True, False):
        with pytest.raises(ValueError, match=words):
            hg.solve(DIAMOND, PROBLEM, CHANGING["links up"], rounds=1, channel=channel, check=check)


def test_a_channel_needs_links_in_both_directions():
    with pytest.raises(ValueError, match=r"but this network's weights are not symmetric .* one-way edge"):
        hg.solve(DIAMOND, PROBLEM, ONE_PEER, rounds=1, channel=hg.channels.Loss(0.1), check=False)


def test_what_a_method_cannot_use_is_refused_in_a_sentence():
    cases = (
        (hg.Slam(**STEPS, rho=0.5, gamma=1.0), ONE_PEER, "Slam needs symmetric weights, but .*one-way edge"),
        (DIAMOND, ONE_WAY[0], "Diamond needs doubly stochastic weights.* GTSGDPushPull"),
        (DIAMOND, HALVES[0], r"Diamond needs a connected graph, but .* \(3 components\)"),
        (DIAMOND, over_time.in_turn(HALVES[:1]), "not connected over its rounds together: agents 0 and 1"),
        (DIAMOND, hg.networks.from_mixing(np.roll(np.eye(6), 1, 1)), "Diamond needs agents that agree in the long run"),
        (PUSH_PULL, hg.networks.from_mixing(ONE_WAY[0].mixing), r"columns sum to one, .*from_mixing\(W, push=\.\.\.\)"),
    )
    for method, network, words in cases:
        with pytest.raises(ValueError, match=words):
            hg.solve(method, PROBLEM, network, rounds=1)


def test_weights_of_pushing_of_their_own_serve_pushing_alone():
    """W is doubly stochastic, so a method that asks for no weights uses it; a channel has no place for the other."""
    laplacian = hg.networks.ring(6, weights="laplacian")
    network = hg.networks.from_mixing(RING.mixing, push=laplacian.mixing)
    run = lambda network, engine: hg.solve(DIAMOND, PROBLEM, network, rounds=2, engine=engine, measure=False).x
    for engine in (hg.Simulated(), hg.Sharded(2), hg.Debug()):
        np.testing.assert_allclose(run(network, engine), run(RING, engine), rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="needs one matrix of weights"):
        hg.solve(PUSH_PULL, PROBLEM, network, rounds=1, channel=hg.channels.Loss(0.1))


@pytest.mark.parametrize("engine", [hg.Simulated(), hg.Sharded(2), hg.Debug()])
def test_mix_without_weights_is_refused_where_pulling_and_pushing_differ(engine):
    with pytest.raises((ValueError, hg.DebugError), match="mix is called without weights on a directed network"):
        hg.solve(DIAMOND, PROBLEM, ONE_WAY[0], rounds=1, check=False, engine=engine)


def test_weights_have_two_names():
    class Pulls(type(DIAMOND)):
        def step(self, agent, mix, round, state, key):
            mix(upper=state.x, weights="pulls")

    Pulls = hg.core.declarations.register(Pulls)
    with pytest.raises(ValueError, match='weights is \'pulls\'; give "pull" or "push"'):
        hg.solve(Pulls(**STEPS, upper_momentum=0.3, lower_momentum=0.3), PROBLEM, RING, rounds=1)
