"""Networks that change: what each round's weights are, how often edges meet, and how fast agents agree on average."""

import numpy as np
import pytest

from hypergossip import networks
from hypergossip.networks import over_time

LAPLACIAN = networks.ring(8, weights="laplacian")
RING, GRAPH = networks.ring(8), networks.erdos_renyi(9, 0.4, seed=2)
HALVES = [
    networks.from_edges(8, [(i, i + 1) for i in range(0, 8, 2)]),
    networks.from_edges(8, [(i, (i + 1) % 8) for i in range(1, 8, 2)]),
]
DRAWN = {
    "links up": over_time.links_up(GRAPH, 0.6, seed=3),
    "one edge": over_time.random_edge(GRAPH, seed=3),
    "matchings": over_time.random_matchings(GRAPH, seed=3),
}
ROUNDS = 1000


def rounds(network, count=ROUNDS):
    return np.stack([network.at(t).mixing.toarray() for t in range(count)])


@pytest.mark.parametrize("name", DRAWN)
def test_every_round_is_symmetric_doubly_stochastic_and_on_the_graph(name):
    network = DRAWN[name]
    W = rounds(network, 200)
    np.testing.assert_array_equal(W, W.transpose(0, 2, 1))
    np.testing.assert_allclose(W.sum(axis=1), 1, rtol=0, atol=1e-15)
    apart = (network.graph.mixing.toarray() == 0) & ~np.eye(9, dtype=bool)
    assert not W[:, apart].any()
    assert (network.symmetric, network.doubly_stochastic, network.directed, network.connected) == (
        True,
        True,
        False,
        True,
    )
    assert np.linalg.eigvalsh(W)[:, 0].min() >= network.smallest_eigenvalue - 1e-12


def test_an_edge_is_up_with_its_probability_independently_of_the_others():
    up = rounds(DRAWN["links up"])[:, *GRAPH.edges.T] > 0
    error = np.sqrt(0.6 * 0.4 / ROUNDS)
    assert np.abs(up.mean(axis=0) - 0.6).max() < 4 * error
    correlations = np.corrcoef(up.T) - np.eye(len(GRAPH.edges))
    assert np.abs(correlations).max() < 4.5 / np.sqrt(ROUNDS)
    again = np.corrcoef(up[1:, 0], up[:-1, 0])[0, 1]
    assert abs(again) < 4 / np.sqrt(ROUNDS)
    weights = GRAPH.mixing.toarray()[*GRAPH.edges.T]
    np.testing.assert_array_equal(rounds(DRAWN["links up"], 50)[:, *GRAPH.edges.T], np.where(up[:50], weights, 0))
    always = over_time.links_up(GRAPH, 1)
    np.testing.assert_allclose(rounds(always, 3), [GRAPH.mixing.toarray()] * 3, rtol=0, atol=1e-15)


def test_one_edge_a_round_is_every_edge_equally_often():
    met = rounds(DRAWN["one edge"])[:, *GRAPH.edges.T]
    assert (met.sum(axis=1) == 0.5).all()
    edges = len(GRAPH.edges)
    expected = ROUNDS / edges
    chi_squared = (((met > 0).sum(axis=0) - expected) ** 2 / expected).sum()
    assert chi_squared < edges + 4 * np.sqrt(2 * edges)


def test_a_matching_pairs_neighbours_and_leaves_no_two_of_them_alone():
    for t in range(300):
        W = DRAWN["matchings"].at(t).mixing.toarray()
        met = W - np.diag(np.diag(W))
        assert set(np.unique(met)) <= {0.0, 0.5}
        alone = met.sum(axis=1) == 0
        i, j = GRAPH.edges.T
        assert not (alone[i] & alone[j]).any()


def test_matchings_of_all_agents_are_uniform():
    W = rounds(over_time.random_matchings(networks.complete(4)))
    partner_of_0 = (W[:, 0, 1:] > 0).mean(axis=0)
    np.testing.assert_allclose(partner_of_0, 1 / 3, atol=4 * np.sqrt(2 / 9 / ROUNDS))
    assert (np.trace(W, axis1=1, axis2=2) == 2).all()


@pytest.mark.parametrize("name", DRAWN)
def test_lambda_is_the_root_mean_square_factor_of_a_round(name):
    network = DRAWN[name]
    W = rounds(network)
    moment = np.mean(W.transpose(0, 2, 1) @ W, axis=0)
    assert network.lambda_ == pytest.approx(np.sqrt(np.linalg.eigvalsh(moment)[-2]), rel=0.02)
    assert network.averages


def test_a_round_of_one_peer_receives_from_one_agent_and_some_rounds_average_exactly():
    network = over_time.one_peer_exponential(8)
    product = np.linalg.multi_dot([network.at(t).mixing.toarray() for t in (2, 1, 0)])
    np.testing.assert_allclose(product, 1 / 8, rtol=0, atol=1e-16)
    assert network.lambda_ == 0
    assert (network.symmetric, network.doubly_stochastic, network.directed) == (False, True, True)
    for t, hop in enumerate((1, 2, 4, 1)):
        expected = (np.eye(8) + np.roll(np.eye(8), hop, axis=1)) / 2
        np.testing.assert_array_equal(network.at(t).mixing.toarray(), expected)
    assert 0 < over_time.one_peer_exponential(9).lambda_ < 1
    assert over_time.one_peer_exponential(1).agents == 1


def test_networks_in_turn_are_connected_together_and_their_product_says_how_fast():
    network = over_time.in_turn(HALVES)
    assert [HALVES[0].connected, HALVES[1].connected, network.connected] == [False, False, True]
    assert network.at(5) is HALVES[1]
    product = HALVES[1].mixing.toarray() @ HALVES[0].mixing.toarray()
    assert network.lambda_ == pytest.approx(np.sqrt(np.sort(np.abs(np.linalg.eigvals(product)))[-2]))
    assert network.averages
    assert sorted(map(tuple, network.edges.tolist())) == sorted(map(tuple, RING.edges.tolist()))
    once = over_time.in_turn(HALVES[:1])
    assert (once.connected, once.averages) == (False, False)
    assert once.fault("connected").startswith("agents 0 and 1 are cut off")


def test_edges_whose_weights_cancel_over_the_turns_are_edges():
    W = [[[0.6, 0.4, 0], [0.4, 0.2, 0.4], [0, 0.4, 0.6]], [[1.2, -0.4, 0.2], [-0.4, 1.4, 0], [0.2, 0, 0.8]]]
    network = over_time.in_turn([networks.from_mixing(one) for one in W])
    assert network.edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert network.degrees.tolist() == [2, 2, 2]


def test_hubs_and_many_agents_average_though_their_gaps_are_small_or_unknown():
    for network in (
        over_time.random_matchings(networks.star(300)),
        over_time.random_edge(networks.ring(100_000)),
        over_time.random_matchings(networks.ring(20_000)),
        over_time.in_turn([networks.ring(2000), networks.path(2000)]),
    ):
        assert network.averages
    assert np.isnan(network.lambda_)
    star = networks.star(12)  # a matching is one edge
    gaps = [1 - make(star).lambda_ for make in (over_time.random_matchings, over_time.random_edge)]
    assert gaps[0] == pytest.approx(gaps[1], rel=0.2)


def test_the_bound_of_eigenvalues_holds_for_negative_weights():
    W = networks.from_mixing([[0.5, 0.7, -0.2], [0.7, 0.5, -0.2], [-0.2, -0.2, 1.4]])
    network = over_time.links_up(W, 0.5)
    least = np.linalg.eigvalsh(rounds(network, 60)).min()
    assert least < W.smallest_eigenvalue - 0.1
    assert network.smallest_eigenvalue == pytest.approx(least, abs=1e-12)


@pytest.mark.parametrize("round", [-1, 2**31, 2**32, 1.5, "0"])
def test_a_round_is_a_whole_number_of_a_run(round, unchecked):
    for network in (DRAWN["one edge"], over_time.in_turn(HALVES)):
        with pytest.raises((ValueError, TypeError), match="round"):
            network.at(round)


def test_another_seed_is_another_draw_and_the_same_seed_the_same():
    one, same, other = (over_time.links_up(GRAPH, 0.5, seed=seed) for seed in (1, 1, 2**40 + 1))
    np.testing.assert_array_equal(rounds(one, 50), rounds(same, 50))
    assert (rounds(one, 50) != rounds(other, 50)).any()


def test_agents_keep_their_names_and_may_be_renumbered():
    for network in DRAWN.values():
        order = np.random.default_rng(0).permutation(9)
        again = np.random.default_rng(1).permutation(9)
        moved = network.relabelled(order).relabelled(again)
        for t in range(20):
            W = network.at(t).mixing.toarray()[np.ix_(order[again], order[again])]
            np.testing.assert_array_equal(moved.at(t).mixing.toarray(), W)
    named = over_time.in_turn([network.named(tuple("abcdefgh")) for network in HALVES])
    order = [3, 1, 0, 2, 7, 6, 5, 4]
    moved = named.relabelled(order)
    assert moved.names == tuple("dbachgfe")
    expected = HALVES[1].mixing.toarray()[np.ix_(order, order)]
    np.testing.assert_array_equal(moved.at(1).mixing.toarray(), expected)
    assert named.named(None).names is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: over_time.links_up(RING, 0), "above 0 and at most 1; got 0"),
        (lambda: over_time.links_up(RING, 1.5), "got 1.5"),
        (lambda: over_time.links_up(RING, True), "got True"),
        (lambda: over_time.links_up(RING, "0.5"), "got '0.5'"),
        (
            lambda: over_time.links_up(networks.from_mixing(RING.mixing, push=LAPLACIAN.mixing), 0.5),
            "one symmetric matr",
        ),
        (lambda: over_time.in_turn(3), "takes a list of networks"),
        (lambda: over_time.in_turn([over_time.random_edge(RING)]), r"but random_edge\(ring\(8\)\) changes; give the"),
        (lambda: over_time.links_up(networks.directed_ring(5), 0.5), "links_up needs an undirected network"),
        (lambda: over_time.random_edge(over_time.random_edge(RING)), r"but random_edge\(ring\(8\)\) changes"),
        (lambda: over_time.random_matchings(RING.mixing), "takes a network, such as networks.ring"),
        (lambda: over_time.random_edge(RING, seed=-1), "seed must be at least 0"),
        (lambda: over_time.random_edge(RING, seed=2**64), "below 2"),
        (lambda: over_time.in_turn([]), "takes a list of networks"),
        (lambda: over_time.in_turn([RING, "ring"]), "takes a list of networks"),
        (lambda: over_time.in_turn([RING, networks.ring(9)]), r"network 1 \(ring\(9\)\) have different numbers"),
        (lambda: over_time.in_turn([RING, RING.named(tuple("abcdefgh"))]), "have different names of agents"),
        (lambda: over_time.one_peer_exponential(0), "n must be at least 1"),
    ],
)
def test_what_cannot_change_is_refused(make, words, unchecked):
    with pytest.raises(ValueError, match=words):
        make()
