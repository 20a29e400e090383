"""Who talks: the edges that each constructor promises, redraws, and what is refused."""

import time

import networkx
import numpy as np
import pytest

from hypergossip import networks


@pytest.mark.parametrize(
    ("network", "graph"),
    [
        (networks.path(7), networkx.path_graph(7)),
        (networks.ring(7), networkx.cycle_graph(7)),
        (networks.complete(6), networkx.complete_graph(6)),
        (networks.star(6), networkx.star_graph(5)),
        (networks.grid(3, 4), networkx.convert_node_labels_to_integers(networkx.grid_2d_graph(3, 4))),
        (networks.torus(3, 5), networkx.convert_node_labels_to_integers(networkx.grid_2d_graph(3, 5, periodic=True))),
        (networks.hypercube(4), networkx.from_edgelist((i, i ^ 2**k) for i in range(16) for k in range(4))),
        (networks.exponential(11), networkx.circulant_graph(11, [1, 2, 4, 8])),
        (networks.exponential(12), networkx.circulant_graph(12, [1, 2, 4, 8])),
        (networks.exponential(16), networkx.circulant_graph(16, [1, 2, 4, 8])),
        (networks.exponential(6), networkx.circulant_graph(6, [1, 2, 4])),
        # Short sides give no double edges.
        (networks.torus(2, 2), networkx.cycle_graph([0, 1, 3, 2])),
        (networks.torus(1, 5), networkx.cycle_graph(5)),
        (networks.torus(2, 5), networkx.convert_node_labels_to_integers(networkx.grid_2d_graph(2, 5, periodic=True))),
        *[(make(2), networkx.path_graph(2)) for make in (networks.ring, networks.path, networks.star)],
        (networks.exponential(2), networkx.path_graph(2)),
    ],
    ids=lambda value: value.name if isinstance(value, networks.Network) else "",
)
def test_edges_are_those_of_the_graph(network, graph):
    assert network.edges.tolist() == sorted(sorted(edge) for edge in graph.edges)
    degrees = dict(graph.degree)
    assert network.degrees.tolist() == [degrees[i] for i in range(network.agents)]


@pytest.mark.parametrize(
    "network",
    [
        networks.single(),
        networks.ring(1),
        networks.path(1),
        networks.complete(1),
        networks.star(1),
        networks.exponential(1),
        networks.hypercube(0),
        networks.grid(1, 1),
        networks.torus(1, 1),
        networks.erdos_renyi(1, 0.3),
        networks.random_regular(1, 0),
        networks.small_world(1, 0, 0.5),
        networks.from_edges(1, []),
        networks.from_mixing([[1.0]]),
        *[networks.ring(1, weights=weights) for weights in networks.WEIGHTS],
    ],
    ids=lambda network: f"{network.name} {network.weights}",
)
def test_one_agent_alone(network):
    assert (network.agents, network.density, network.degrees.tolist(), network.edges.shape) == (1, 0.0, [0], (0, 2))
    assert (network.mixing.toarray().tolist(), network.laplacian.toarray().tolist()) == ([[1.0]], [[0.0]])
    assert (network.lambda_, network.spectral_gap, network.smallest_eigenvalue) == (0.0, 1.0, 1.0)


def test_erdos_renyi_is_drawn_again_until_connected():
    first = next(
        seed for seed in range(1000) if not networkx.is_connected(networkx.fast_gnp_random_graph(9, 0.2, seed=seed))
    )
    network = networks.erdos_renyi(9, 0.2, seed=first)
    assert network.seed is not None
    assert network.seed > first
    for seed in range(first, network.seed):
        assert not networkx.is_connected(networkx.fast_gnp_random_graph(9, 0.2, seed=seed))
    again = networks.erdos_renyi(9, 0.2, seed=network.seed)
    assert again.seed == network.seed
    np.testing.assert_array_equal(again.mixing.toarray(), network.mixing.toarray())
    assert network.name == "erdos_renyi(9, 0.2)"


def test_random_graphs_have_the_stated_degrees_and_depend_on_the_seed():
    regular = networks.random_regular(20, 3, seed=4)
    assert regular.degrees.tolist() == [3] * 20
    world = networks.small_world(20, 4, 0.3, seed=4)
    assert len(world.edges) == 40
    assert networks.small_world(12, 2, 0).edges.tolist() == networks.ring(12).edges.tolist()
    assert networks.erdos_renyi(6, 1).density == 1.0
    for constructor, arguments in [
        (networks.random_regular, (20, 3)),
        (networks.small_world, (20, 4, 0.3)),
        (networks.erdos_renyi, (20, 0.3)),
    ]:
        one, two, other = (constructor(*arguments, seed=seed).edges.tolist() for seed in (4, 4, 40))
        assert one == two
        assert one != other


def test_erdos_renyi_has_about_the_expected_number_of_edges():
    n, p = 400, 0.05
    pairs = n * (n - 1) / 2
    edges = len(networks.erdos_renyi(n, p, seed=1).edges)
    assert abs(edges - p * pairs) < 4 * np.sqrt(pairs * p * (1 - p))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: networks.erdos_renyi(1000, 0.001), r"log\(n\)/n = 0\.00691"),
        (lambda: networks.erdos_renyi(9, 1.5), "probability"),
        (lambda: networks.erdos_renyi(9, 0), "probability"),
        (lambda: networks.erdos_renyi(9, 0.5, seed=-1), "seed must be at least 0"),
        (lambda: networks.random_regular(5, 3), "each edge has two ends"),
        (lambda: networks.random_regular(5, 5), "at most 4 neighbours"),
        (lambda: networks.random_regular(6, 1), "degree must be at least 2"),
        (lambda: networks.small_world(10, 3, 0.1), "must be even"),
        (lambda: networks.small_world(4, 4, 0.1), "below the number of agents, 4"),
        (lambda: networks.small_world(10, 4, -0.1), "from 0 to 1"),
        (lambda: networks.ring(0), "n must be at least 1"),
        (lambda: networks.grid(3, 0), "columns must be at least 1"),
        (lambda: networks.hypercube(-1), "dimension must be at least 0"),
    ],
)
def test_arguments_out_of_range_are_refused_with_advice(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_graph_that_stays_unconnected_is_given_up_with_advice(monkeypatch):
    monkeypatch.setattr("hypergossip.networks.random_graphs.DRAWS", 3)
    with pytest.raises(ValueError, match=r"None of the 3 draws of erdos_renyi\(200, 0\.02\) from seed 5 on"):
        networks.erdos_renyi(200, 0.02, seed=5)


@pytest.mark.parametrize(
    "build",
    [
        lambda: networks.ring(100_000),
        lambda: networks.path(100_000),
        lambda: networks.star(100_000),
        lambda: networks.grid(250, 400),
        lambda: networks.torus(250, 400),
        lambda: networks.exponential(100_000),
        lambda: networks.hypercube(16),
    ],
)
def test_large_graphs_are_built_without_loops_over_agents(build):
    started = time.process_time()
    network = build()
    # About a tenth of this on an idle core; a Python loop over the agents takes several times as long.
    assert time.process_time() - started < 2.0
    assert network.agents >= 65_536
    assert np.abs(network.mixing.sum(axis=1) - 1.0).max() < 1e-12
