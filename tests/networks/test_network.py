"""The network itself: what it says of its graph, and sentences that name the agents at fault."""

import dataclasses
import re

import networkx
import numpy as np
import pytest
from scipy.sparse import coo_array, csc_array, csr_array, diags_array

from hypergossip import networks


@pytest.fixture
def network():
    return networks.erdos_renyi(10, 0.3, seed=7)


def test_degrees_edges_density_and_laplacian_agree_with_networkx(network):
    graph = network.to_networkx()
    assert sorted(graph.nodes) == list(range(10))
    assert network.degrees.tolist() == [graph.degree[i] for i in range(10)]
    assert network.edges.tolist() == sorted(sorted(edge) for edge in graph.edges)
    assert network.density == pytest.approx(networkx.density(graph))
    expected = networkx.laplacian_matrix(graph, nodelist=range(10), weight=None).toarray()
    np.testing.assert_array_equal(network.laplacian.toarray(), expected)
    assert network.laplacian.dtype == np.float64
    mixing = network.mixing.toarray()
    assert {(i, j): graph[i][j]["weight"] for i, j in graph.edges} == {(i, j): mixing[i, j] for i, j in graph.edges}


def test_there_and_back_through_networkx_and_edges(network):
    for again in (networks.from_networkx(network.to_networkx()), networks.from_edges(10, network.edges)):
        np.testing.assert_array_equal(again.mixing.toarray(), network.mixing.toarray())


def test_degrees_count_nonzero_weights_only():
    mixing = csr_array(np.array([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25], [0.0, 0.25, 0.75]]))
    explicit = csr_array(
        (np.append(mixing.data, [0.0, 0.0]), np.append(mixing.indices, [2, 0]), mixing.indptr + np.array([0, 0, 0, 2]))
    )
    for network in (networks.from_mixing(explicit), networks.from_mixing(mixing)):
        assert network.degrees.tolist() == [1, 2, 1]
        assert network.edges.tolist() == [[0, 1], [1, 2]]


def test_relabelled_moves_agents(network):
    order = np.random.default_rng(3).permutation(10)
    moved = network.relabelled(order)
    old, new = network.mixing.toarray(), moved.mixing.toarray()
    np.testing.assert_array_equal(new, old[np.ix_(order, order)])
    assert moved.lambda_ == pytest.approx(network.lambda_, abs=1e-14)
    assert (moved.name, moved.weights, moved.seed) == (network.name, network.weights, network.seed)
    np.testing.assert_array_equal(moved.relabelled(np.argsort(order)).mixing.toarray(), old)


@pytest.mark.parametrize("order", [[0, 1], [0] * 10, list(range(1, 11)), [*range(9), 10], [], list(range(11))])
def test_an_order_that_is_no_permutation_is_refused(network, order):
    with pytest.raises(ValueError, match="each agent from 0 to 9 exactly once"):
        network.relabelled(order)


def test_a_network_is_frozen_and_has_a_seed_if_it_is_random(network):
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.name = "another"
    assert networks.ring(5).seed is None
    assert networks.erdos_renyi(5, 0.9, seed=3).seed == 3


@pytest.mark.parametrize("convert", [np.asarray, csr_array, csc_array, coo_array, lambda matrix: matrix.tolist()])
def test_from_mixing_takes_dense_and_sparse(convert):
    mixing = networks.path(5).mixing.toarray()
    network = networks.from_mixing(convert(mixing))
    np.testing.assert_array_equal(network.mixing.toarray(), mixing)
    assert network.weights == "given"
    assert network.edges.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]


def test_from_mixing_takes_negative_weights_that_average_and_odd_rings_without_own_weights():
    best = networks.erdos_renyi(12, 0.3, seed=3, weights="fastest")
    assert best.mixing.data.min() < 0
    assert networks.from_mixing(best.mixing).lambda_ == best.lambda_
    ring = networks.from_mixing((networks.ring(5).laplacian.toarray() != 0) / 2 - np.eye(5) / 2)
    assert ring.lambda_ == pytest.approx(np.cos(np.pi / 5), abs=1e-14)


def altered(entries, n=6):
    matrix = networks.ring(n).mixing.toarray()
    for place, value in entries.items():
        matrix[place] = value
    return matrix


def repelling_path(n):
    """I - L / 5 of a path whose middle edge has weight -5."""
    weights = np.ones(n - 1)
    weights[n // 2] = -5.0
    between = diags_array([weights / 5, weights / 5], offsets=[1, -1])
    return csr_array(between + diags_array(1 - between.sum(axis=1)))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (altered({(2, 3): 0.3, (3, 2): 0.1}), r"^agents 2 and 3: W\[2,3\]=0\.3 but W\[3,2\]=0\.1"),
        (altered({(2, 5): 0.3}), r"^agents 2 and 5: W\[2,5\]=0\.3 but W\[5,2\]=0, and row 2 of W sums to 1\.3"),
        (altered({(4, 4): 0.5}), r"^agent 4: row and column 4 of W sum to 1\.16666666667 and not to 1"),
        (altered({(0, 2): 0.1, (2, 0): 0.1}), r"^agents 0 and 2: row and column 0 of W sum to 1\.1 "),
        (altered({(1, 2): np.nan}), r"^agents 1 and 2: W\[1,2\]=nan is not finite"),
        (altered({(3, 3): np.inf}), r"^agent 3: W\[3,3\]=inf is not finite"),
        (0.9 * networks.complete(8).mixing, r"^agents 0, 1, 2, 3, 4 and 3 more: row and column 0"),
        (np.full((2, 3), 0.5), r"shape \(2, 3\)"),
        (np.ones(1), r"shape \(1,\)"),
        (np.ones((1, 1, 1)), r"shape \(1, 1, 1\)"),
        (np.zeros((0, 0)), r"shape \(0, 0\)"),
        (networks.ring(6).mixing.toarray().astype(np.float32), r"sum to 1\.0000000\d+ and not to 1; .*float64"),
    ],
)
def test_what_is_no_mixing_matrix_is_refused_by_name(matrix, words):
    with pytest.raises(ValueError, match=words):
        networks.from_mixing(matrix)


@pytest.mark.parametrize(
    ("matrix", "fact", "words"),
    [
        (np.kron(np.eye(2), np.full((2, 2), 0.5)), "connected", r"^agents 0 and 1 are cut off from the others \(2 "),
        (np.eye(3), "connected", r"^agent 0 is cut off from the others \(3 "),
        (np.array([[0.0, 1.0], [1.0, 0.0]]), "averages", "^between agent 0 on one side and agent 1 on the other"),
        (
            (networks.ring(6).laplacian.toarray() != 0) / 2 - np.eye(6) / 2,
            "averages",
            "^between agents 0, 2 and 4 on one side and agents 1, 3 and 5 on the other",
        ),
        (np.roll(np.eye(5), 1, axis=1), "averages", "^no agent gives weight to its own value"),
        (np.array([[1.5, -0.5], [-0.5, 1.5]]), "averages", r"^agents 0 and 1: W\[0,1\]=-0\.5 is too negative"),
        (np.array([[-0.5, 1.5], [1.5, -0.5]]), "averages", r"^agent 0: W\[0,0\]=-0\.5 is too negative"),
        (np.array([[0.5, 0.5], [0.25, 0.75]]), "symmetric", r"^agents 0 and 1: W\[0,1\]=0\.5 but W\[1,0\]=0\.25"),
        (np.array([[0.5, 0.5], [0.25, 0.75]]), "doubly_stochastic", r"^agents 0 and 1: column 0 of W sums to 0\.75"),
    ],
)
def test_what_weights_lack_is_a_fact_that_names_the_agents(matrix, fact, words):
    network = networks.from_mixing(matrix)
    assert not getattr(network, fact)
    assert re.search(words, network.fault(fact))
    assert network.averages == (np.sort(np.abs(np.linalg.eigvals(matrix)))[-2] < 1 - 1e-9)


def test_an_indefinite_matrix_of_many_agents_is_found_too():
    assert re.search(
        r"^agents 1500 and 1501: .*too negative", networks.from_mixing(repelling_path(3000)).fault("averages")
    )


def test_what_is_no_graph_and_complex_weights_are_refused():
    with pytest.raises(TypeError, match=r"got list\. See also from_edges"):
        networks.from_networkx([(0, 1)])
    with pytest.raises(TypeError, match="real numbers; got complex128"):
        networks.from_mixing(np.eye(2, dtype=complex))


def test_a_network_made_by_hand_is_checked_too():
    with pytest.raises(ValueError, match=r"^agents 0 and 1: row 0 of W sums to 0\.9 and not to 1, but all columns do"):
        networks.Network(mixing=csr_array(np.array([[0.5, 0.4], [0.5, 0.6]])), name="mine", weights="mine", seed=None)
    with pytest.raises(TypeError, match="float64"):
        networks.Network(mixing=csr_array(np.eye(1, dtype=np.float32)), name="mine", weights="mine", seed=None)


@pytest.mark.parametrize(
    ("n", "edges", "words"),
    [
        (4, [(0, 1), (1, 2), (2, 2), (2, 3)], "Self-loops at agent 2:"),
        (4, [(0, 1), (1, 2), (2, 1), (2, 3)], "between agents 1 and 2 occurs 2 times"),
        (4, [(0, 1), (1, 2), (2, 4)], r"no agent 4, as in the edge \(2, 4\): agents are whole numbers from 0 to 3"),
        (4, [(0, 1), (-1, 2), (7, 9)], r"no agents -1, 7 and 9, as in the edge \(-1, 2\)"),
        (4, [(0, 1), (1, 2.5)], r"no agent 2\.5, as in the edge \(1\.0, 2\.5\)"),
        (4, [(0, 1), (1, np.nan)], "no agent nan"),
        (4, [("a", "b")], r"got an edge \('a', 'b'\)"),
        (4, [(0, 1), (1, 2, 3)], r"pairs of agents; got \(1, 2, 3\)"),
        (4, [(0, 1, 2)], r"shape \(1, 3\)"),
        (4, [0, 1], r"shape \(2,\)"),
    ],
)
def test_bad_edges_are_refused_by_name(n, edges, words):
    with pytest.raises(ValueError, match=words):
        networks.from_edges(n, edges)


@pytest.mark.parametrize(
    ("n", "edges", "said"),
    [
        (6, [(0, 1), (1, 2), (2, 3), (4, 5)], "agents 4 and 5 are cut off from the others (2 components)"),
        (4, [(0, 1), (1, 2)], "agent 3 is cut off from the others (2 components)"),
        (3, [], "agent 0 is cut off from the others (3 components)"),
    ],
)
def test_a_graph_of_several_parts_says_which(n, edges, said):
    network = networks.from_edges(n, edges)
    assert (network.connected, network.averages, network.lambda_) == (False, False, 1.0)
    assert network.fault("connected") == said


def test_edges_may_come_from_any_iterable():
    expected = networks.path(3).mixing.toarray()
    for edges in (
        np.array([[1, 0], [2, 1]]),
        {(0, 1), (1, 2)},
        (pair for pair in [(0, 1), (2, 1)]),
        [[0.0, 1.0], [1, 2]],
    ):
        np.testing.assert_array_equal(networks.from_edges(3, edges).mixing.toarray(), expected)
