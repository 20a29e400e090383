"""How much: what every mixing matrix has in common, and the fastest one against bounds from elsewhere."""

import networkx
import numpy as np
import pytest
from scipy.optimize import linprog

from hypergossip import networks

CONSTRUCTORS = {
    "ring": lambda weights: networks.ring(9, weights=weights),
    "path": lambda weights: networks.path(6, weights=weights),
    "grid": lambda weights: networks.grid(3, 4, weights=weights),
    "torus": lambda weights: networks.torus(3, 4, weights=weights),
    "complete": lambda weights: networks.complete(5, weights=weights),
    "star": lambda weights: networks.star(6, weights=weights),
    "exponential": lambda weights: networks.exponential(10, weights=weights),
    "hypercube": lambda weights: networks.hypercube(3, weights=weights),
    "erdos_renyi": lambda weights: networks.erdos_renyi(12, 0.3, seed=3, weights=weights),
    "random_regular": lambda weights: networks.random_regular(10, 3, weights=weights),
    "small_world": lambda weights: networks.small_world(12, 4, 0.2, weights=weights),
    "from_edges": lambda weights: networks.from_edges(4, [(2, 0), (0, 1), (1, 3), (3, 0)], weights=weights),
    "from_networkx": lambda weights: networks.from_networkx(networkx.petersen_graph(), weights=weights),
}
ALL_WEIGHTS = [prefix + name for name in networks.WEIGHTS for prefix in ("", "lazy-")]


def dense_lambda(mixing):
    """The spectral norm of W - 11'/n, which is lambda by another route."""
    return np.linalg.norm(mixing.toarray() - 1.0 / mixing.shape[0], 2)


@pytest.mark.parametrize("weights", ALL_WEIGHTS)
@pytest.mark.parametrize("constructor", CONSTRUCTORS)
def test_mixing_is_symmetric_doubly_stochastic_and_sparse_as_the_graph(constructor, weights):
    network = CONSTRUCTORS[constructor](weights)
    mixing = network.mixing.toarray()
    np.testing.assert_array_equal(mixing, mixing.T)
    np.testing.assert_allclose(mixing.sum(axis=0), 1.0, rtol=0, atol=1e-14)
    np.testing.assert_allclose(mixing.sum(axis=1), 1.0, rtol=0, atol=1e-14)
    reference = CONSTRUCTORS[constructor]("metropolis")
    off_diagonal = ~np.eye(network.agents, dtype=bool)
    pattern = (mixing != 0) & off_diagonal
    adjacency = networkx.to_numpy_array(reference.to_networkx(), nodelist=range(network.agents), weight=None) != 0
    if "fastest" in weights:  # a fastest weight may be zero
        assert not (pattern & ~adjacency).any()
    else:
        np.testing.assert_array_equal(pattern, adjacency)
        assert mixing.min() >= 0.0
    assert network.mixing.dtype == np.float64
    assert network.mixing.has_canonical_format
    assert network.weights == weights
    assert network.lambda_ == pytest.approx(dense_lambda(network.mixing), abs=1e-12)
    assert network.lambda_ < 1.0


@pytest.mark.parametrize("constructor", CONSTRUCTORS)
def test_named_weights_equal_their_definitions_and_fastest_is_at_least_as_fast(constructor):
    graph = CONSTRUCTORS[constructor]("metropolis").to_networkx()
    n = graph.number_of_nodes()
    degrees = dict(graph.degree)
    metropolis = np.zeros((n, n))
    for i, j in graph.edges:
        metropolis[i, j] = metropolis[j, i] = 1 / (1 + max(degrees[i], degrees[j]))
    metropolis += np.diag(1 - metropolis.sum(axis=1))
    laplacian = networkx.laplacian_matrix(graph, nodelist=range(n), weight=None).toarray()
    by_definition = {
        "metropolis": metropolis,
        "laplacian": np.eye(n) - 2 * laplacian / (3 * np.linalg.eigvalsh(laplacian)[-1]),
        "max-degree": np.eye(n) - laplacian / (1 + max(degrees.values())),
    }
    fastest = CONSTRUCTORS[constructor]("fastest").lambda_
    for name, expected in by_definition.items():
        for full, matrix in ((name, expected), (f"lazy-{name}", (np.eye(n) + expected) / 2)):
            network = CONSTRUCTORS[constructor](full)
            np.testing.assert_allclose(network.mixing.toarray(), matrix, rtol=0, atol=1e-14)
            assert fastest <= network.lambda_ + 1e-8


@pytest.mark.parametrize("weights", ["metropoli", "", "lazy", "lazy-", "lazy-lazy-metropolis", "Metropolis"])
def test_unknown_weights_are_refused_with_the_list(weights):
    with pytest.raises(ValueError, match="metropolis, laplacian, max-degree, fastest, or prepend 'lazy-'"):
        networks.ring(5, weights=weights)


COS = np.cos(2 * np.pi * np.arange(9) / 9)  # the Laplacian of the ring has the eigenvalues 2 - 2 COS


@pytest.mark.parametrize(
    ("network", "least"),
    [
        (networks.complete(2, weights="fastest"), 0.0),
        (networks.complete(7, weights="fastest"), 0.0),
        (networks.path(2, weights="fastest"), 0.0),
        (networks.path(3, weights="fastest"), 1 / 2),
        (networks.path(10, weights="fastest"), np.cos(np.pi / 10)),
        # On an edge-transitive graph all edges have one weight, 2 / (l_2 + l_max) of the graph Laplacian.
        (networks.star(4, weights="fastest"), 3 / 5),
        (networks.star(12, weights="fastest"), 11 / 13),
        (networks.ring(9, weights="fastest"), (COS[1] - COS[4]) / (2 - COS[1] - COS[4])),
        (networks.hypercube(4, weights="fastest"), (8 - 2) / (8 + 2)),
        (networks.from_networkx(networkx.petersen_graph(), weights="fastest"), (5 - 2) / (5 + 2)),
        (networks.from_networkx(networkx.complete_bipartite_graph(6, 6), weights="fastest"), 1 / 3),
    ],
    ids=lambda value: value.name if isinstance(value, networks.Network) else "",
)
def test_fastest_equals_the_closed_form(network, least):
    assert network.lambda_ == pytest.approx(least, abs=1e-8)


def cutting_plane_bound(graph, tolerance):
    """A lower bound on every lambda of the graph, from linear programmes: s >= |v'Wv| for ever more unit vectors v."""
    n, edges = graph.number_of_nodes(), np.array(graph.edges)
    rows, offsets = [], []
    while True:
        # |W_ij| <= 1 + 1/n for any W with lambda <= 1, so the box loses nothing.
        programme = linprog(
            np.append(np.zeros(len(edges)), 1.0),
            A_ub=np.array(rows) if rows else None,
            b_ub=np.array(offsets) if rows else None,
            bounds=[(-2, 2)] * len(edges) + [(0, None)],
        )
        mixing = np.eye(n)
        for (i, j), weight in zip(edges, programme.x[:-1], strict=True):
            vector = np.zeros(n)
            vector[[i, j]] = 1, -1
            mixing -= weight * np.outer(vector, vector)
        eigenvalues, vectors = np.linalg.eigh(mixing - 1 / n)
        if np.abs(eigenvalues).max() - programme.x[-1] < tolerance:
            return programme.x[-1]
        for value, vector in zip(eigenvalues, vectors.T, strict=True):
            if abs(value) > programme.x[-1]:
                sign, squares = np.sign(value), (vector[edges[:, 0]] - vector[edges[:, 1]]) ** 2
                constant = vector @ vector - vector.sum() ** 2 / n
                rows.append(np.append(-sign * squares, -1.0))  # sign v'(W - 11'/n)v <= s
                offsets.append(-sign * constant)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fastest_meets_a_lower_bound_from_cutting_planes(seed):
    network = networks.erdos_renyi(8, 0.4, seed=seed, weights="fastest")
    graph = networks.erdos_renyi(8, 0.4, seed=seed).to_networkx()
    bound = cutting_plane_bound(graph, tolerance=1e-6)
    assert bound - 1e-7 <= network.lambda_ <= bound + 2e-6


def test_fastest_does_not_depend_on_the_numbering():
    order = [3, 0, 4, 1, 2, 5, 6]
    graph = networkx.lollipop_graph(4, 3)
    fastest = networks.from_networkx(graph, weights="fastest")
    renumbered = networks.from_networkx(
        networkx.relabel_nodes(graph, {old: new for new, old in enumerate(order)}), weights="fastest"
    )
    np.testing.assert_allclose(
        renumbered.mixing.toarray(), fastest.relabelled(order).mixing.toarray(), rtol=0, atol=1e-6
    )


def test_fastest_is_faster_on_fifty_agents_and_refuses_more_with_advice():
    metropolis = networks.erdos_renyi(50, 0.15, seed=2)
    fastest = networks.erdos_renyi(50, 0.15, seed=2, weights="fastest")
    assert fastest.lambda_ < 0.9 * metropolis.lambda_
    with pytest.raises(ValueError, match=r"at most 50 agents, but this network has 51; use 'metropolis'"):
        networks.ring(51, weights="lazy-fastest")
