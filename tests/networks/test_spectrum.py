"""How fast: eigenvalues against closed forms, on both sides of the dense limit and for each sparse route."""

import networkx
import numpy as np
import pytest

from hypergossip import networks
from hypergossip.networks.spectrum import LARGEST_DENSE


def ring_laplacian(n):
    return 2 - 2 * np.cos(2 * np.pi * np.arange(n) / n)


def path_laplacian(n):
    return 2 - 2 * np.cos(np.pi * np.arange(n) / n)


def products(one, other):
    """The Laplacian eigenvalues of a Cartesian product are the sums."""
    return np.add.outer(one, other).ravel()


CLOSED_FORMS = {
    # Regular graphs of degree d and paths: Metropolis is W = I - L / (1 + d_max).
    "ring(12)": (networks.ring(12), 1 - ring_laplacian(12) / 3),
    "ring(13)": (networks.ring(13), 1 - ring_laplacian(13) / 3),
    "path(12)": (networks.path(12), 1 - path_laplacian(12) / 3),
    "torus(4, 7)": (networks.torus(4, 7), 1 - products(ring_laplacian(4), ring_laplacian(7)) / 5),
    "hypercube(5)": (networks.hypercube(5), 1 - 2 * np.repeat(np.arange(6), [1, 5, 10, 10, 5, 1]) / 6),
    "complete(8)": (networks.complete(8), np.append(1.0, np.zeros(7))),
    "star(8)": (networks.star(8), 1 - np.array([0, 8] + [1] * 6) / 8),
    "grid(4, 7) max-degree": (
        networks.grid(4, 7, weights="max-degree"),
        1 - products(path_laplacian(4), path_laplacian(7)) / 5,
    ),
    "ring(13) laplacian": (
        networks.ring(13, weights="laplacian"),
        1 - 2 * ring_laplacian(13) / (3 * ring_laplacian(13).max()),
    ),
    "star(8) laplacian": (networks.star(8, weights="laplacian"), 1 - 2 * np.array([0, 8] + [1] * 6) / 24),
    "path(9) lazy": (networks.path(9, weights="lazy-metropolis"), 1 - path_laplacian(9) / 6),
    # Large: rings, grids and stars by factors, hypercubes and complete graphs by Lanczos.
    "ring(1000)": (networks.ring(1000), 1 - ring_laplacian(1000) / 3),
    "ring(1001)": (networks.ring(1001), 1 - ring_laplacian(1001) / 3),
    "ring(20_000) laplacian": (networks.ring(20_000, weights="laplacian"), 1 - 2 * ring_laplacian(20_000) / 12),
    "ring(100_000)": (networks.ring(100_000), 1 - ring_laplacian(100_000) / 3),
    "path(20_000)": (networks.path(20_000), 1 - path_laplacian(20_000) / 3),
    "torus(60, 61)": (networks.torus(60, 61), 1 - products(ring_laplacian(60), ring_laplacian(61)) / 5),
    "grid(40, 41) max-degree": (
        networks.grid(40, 41, weights="max-degree"),
        1 - products(path_laplacian(40), path_laplacian(41)) / 5,
    ),
    "hypercube(13)": (networks.hypercube(13), 1 - 2 * np.arange(14) / 14),
    "star(3000)": (networks.star(3000), 1 - np.array([0, 1, 3000]) / 3000),
    "complete(1200)": (networks.complete(1200), np.array([0.0, 0.0, 1.0])),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name):
    network, eigenvalues = CLOSED_FORMS[name]
    eigenvalues = np.sort(eigenvalues)
    second, smallest = eigenvalues[-2], eigenvalues[0]
    # The gap of the large ring is 1.3e-9.
    assert network.lambda_ == pytest.approx(
        max(abs(second), abs(smallest)), rel=0, abs=1e-14 if second > 0.9 else 1e-12
    )
    assert network.smallest_eigenvalue == pytest.approx(smallest, rel=0, abs=1e-10)
    assert network.spectral_gap == 1 - network.lambda_
    assert network.spectral_gap == pytest.approx(1 - max(abs(second), abs(smallest)), rel=1e-6)
    if network.agents <= LARGEST_DENSE:
        np.testing.assert_allclose(np.linalg.eigvalsh(network.mixing.toarray()), eigenvalues, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "network",
    [
        networks.erdos_renyi(1100, 0.012, seed=1),
        networks.erdos_renyi(1100, 0.012, seed=1, weights="laplacian"),
        networks.random_regular(1100, 4),
        networks.small_world(1100, 4, 0.01),
        networks.exponential(1100),
        # A tree has a wide profile and a tiny gap: Lanczos gives up, the factor is sparse.
        networks.from_networkx(networkx.balanced_tree(2, 9)),
    ],
    ids=lambda network: f"{network.name} {network.weights}",
)
def test_sparse_routes_agree_with_all_eigenvalues(network):
    assert network.agents > LARGEST_DENSE
    eigenvalues = np.linalg.eigvalsh(network.mixing.toarray())
    assert network.smallest_eigenvalue == pytest.approx(eigenvalues[0], abs=1e-10)
    assert network.lambda_ == pytest.approx(max(abs(eigenvalues[-2]), abs(eigenvalues[0])), abs=1e-12)


def test_a_large_random_graph_agrees_with_power_iteration():
    network = networks.erdos_renyi(5000, 0.004)
    # Power iteration on W^2 without the mean: its Rayleigh quotients rise towards lambda^2.
    vector = np.random.default_rng(0).standard_normal(network.agents)
    estimate = 0.0
    for _ in range(400):
        vector -= vector.mean()
        vector /= np.linalg.norm(vector)
        twice = network.mixing @ (network.mixing @ vector)
        estimate, vector = np.sqrt(vector @ twice), twice
    assert estimate - 1e-12 <= network.lambda_ <= estimate + 1e-3


@pytest.mark.parametrize(("half", "own", "tolerance"), [(1, 0.1, 1e-15), (510, 0.02, 1e-12)])
def test_a_negative_eigenvalue_can_decide(half, own, tolerance):
    """own I + (1 - own) of a complete bipartite walk has the eigenvalues 1, own and 2 own - 1."""
    walk = np.kron([[0.0, 1.0], [1.0, 0.0]], np.full((half, half), 1.0 / half))
    network = networks.from_mixing(own * np.eye(2 * half) + (1 - own) * walk)
    assert network.smallest_eigenvalue == pytest.approx(2 * own - 1, abs=tolerance)
    assert network.lambda_ == pytest.approx(1 - 2 * own, abs=tolerance)
