"""Every form of the average on irregular graphs: it is W, it leaves agents that agree alone, and it keeps the sum."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from engines.running import ALGORITHMS, distance, problem_for, rounds_on
from engines.test_halo import applied
from hypergossip.engines.halo import deal, make_halo
from hypergossip.engines.mixing import choose

FORMS = ("dense", "neighbours", "edges")
ENTRIES = 500
NETWORKS = [
    hg.networks.erdos_renyi(11, 0.3, seed=1),
    hg.networks.erdos_renyi(23, 0.5, seed=2, weights="laplacian"),
    hg.networks.star(13),
    hg.networks.complete(7),
    hg.networks.ring(8, weights="lazy-metropolis"),
]
every_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: f"{network.name} {network.weights}")
every_form = pytest.mark.parametrize("form", FORMS)


@jax.jit
def apply(mixing: Any, table: Any) -> Any:
    return mixing.apply(table)


def sizes(seed: int) -> np.ndarray:
    """Entries of float32 between 1e-6 and 1e6, of both signs."""
    random = np.random.default_rng(seed)
    return (random.standard_normal(ENTRIES) * 10.0 ** random.uniform(-6, 6, ENTRIES)).astype(np.float32)


@every_network
@every_form
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agents_that_agree_stay_as_they_are(form: str, network: Any, dtype: type) -> None:
    table = np.broadcast_to(sizes(0).astype(dtype), (network.agents, ENTRIES))
    np.testing.assert_array_equal(apply(choose(network.mixing, form), jnp.asarray(table)), table)
    if dtype == np.float32:
        rows = deal(network.agents, 3)
        np.testing.assert_array_equal(applied(make_halo(network.mixing, rows, form), rows, table), table[rows])
        assert (network.mixing.toarray().astype(dtype) @ table != table).any()  # the plain product does not do it


@every_network
@every_form
def test_it_is_w(form: str, network: Any) -> None:
    table = np.random.default_rng(3).standard_normal((network.agents, ENTRIES))
    mixed = apply(choose(network.mixing, form), jnp.asarray(table))
    np.testing.assert_allclose(mixed, network.mixing @ table, rtol=0, atol=1e-14)
    # To float32's last digits of the largest vector, too: neither form cancels what it should not.
    rounded = apply(choose(network.mixing, form), jnp.asarray(table, jnp.float32))
    np.testing.assert_allclose(rounded, network.mixing @ table.astype(np.float32), rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["erdos_renyi", "star", "exponential"])
@pytest.mark.parametrize("form", ["neighbours", "edges"])
def test_lists_keep_the_sum_to_the_last_bit_near_agreement(form: str, name: str) -> None:
    """With weights that leave no ties: to even is not the same for both ends of an edge."""
    constructor = {"erdos_renyi": partial(hg.networks.erdos_renyi, p=0.4), "star": hg.networks.star}
    network = constructor.get(name, hg.networks.exponential)(17, weights="laplacian")
    digits = np.random.default_rng(4).integers(0, 1000, (network.agents, ENTRIES))
    table = (1.25 + digits * 2.0**-23).astype(np.float32)
    mixing, mixed = choose(network.mixing, form), jnp.asarray(table)
    for _ in range(10):
        mixed = apply(mixing, mixed)
        np.testing.assert_array_equal(np.asarray(mixed, np.float64).sum(axis=0), table.sum(axis=0, dtype=np.float64))
    assert np.ptp(mixed, axis=0).max() < 0.9 * np.ptp(table, axis=0).max()
    # One product, rounded once: the sum moves.
    product = np.asarray(apply(choose(network.mixing, "dense"), jnp.asarray(table)), np.float64)
    assert (product.sum(axis=0) != table.sum(axis=0, dtype=np.float64)).mean() > 0.5


@every_form
def test_only_neighbours_are_heard_in_a_list(form: str) -> None:
    """Not even with weight zero, which would turn what is not finite into NaN: padding is the agent itself."""
    network = hg.networks.star(6)
    table = np.zeros((6, 2))
    table[3] = np.inf
    for mixing in (choose(network.mixing, form), make_halo(network.mixing, deal(6, 1), form).on_device().local):
        mixed = np.asarray(apply(mixing, jnp.asarray(table)))
        heard = ~np.isfinite(mixed).all(axis=1)
        np.testing.assert_array_equal(heard, [form == "dense" or i in (0, 3) for i in range(6)])


@every_form
def test_one_agent_has_nobody_to_average_with(form: str) -> None:
    problem, network, algorithm = problem_for("DSGD", 1), hg.networks.complete(1), ALGORITHMS["DSGD"]
    run = lambda runs: rounds_on(hg.Simulated(form), algorithm, problem, network, 5, runs)[0]
    one, two = run(1), run(2)
    assert distance(one, jax.tree.map(lambda leaf: leaf[:1], two)) < 1e-12
    assert np.abs(two.x[1] - two.x[0]).max() > 1e-3
