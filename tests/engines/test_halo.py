"""The rows that devices exchange: as few as the graph allows, and together exactly W."""

from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import hypergossip as hg
from engines.running import GRAPHS
from hypergossip.engines.halo import AXIS, Halo, deal, make_halo
from hypergossip.engines.mixing import Dense, Edges, Neighbours


def applied(halo: Halo, rows: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Every device's block of W times the table, (devices, block, entries)."""
    mesh = Mesh(np.asarray(jax.devices()[: len(rows)]), (AXIS,))
    spec = PartitionSpec(AXIS)

    def on_device(halo: Halo, block: Any) -> Any:
        return halo.on_device().apply(block[0])[None]

    blocks = jax.jit(jax.shard_map(on_device, mesh=mesh, in_specs=spec, out_specs=spec))
    return np.asarray(blocks(halo, table[rows]))


@pytest.mark.parametrize(("agents", "devices"), [(1, 1), (8, 8), (9, 8), (16, 8), (100_003, 8), (7, 3)])
def test_agents_are_dealt_evenly_and_in_order(agents: int, devices: int) -> None:
    rows = deal(agents, devices)
    assert rows.shape == (devices, -(-agents // devices))
    assert np.array_equal(np.unique(rows), np.arange(agents))
    assert np.all(np.diff(rows.ravel()) >= 0)
    own = [len(set(row)) for row in rows.tolist()]
    assert max(own) - min(own) <= 1


@pytest.mark.parametrize("form", ["dense", "neighbours", "edges"])
@pytest.mark.parametrize("name", GRAPHS)
def test_the_blocks_together_are_w(name: str, form: str) -> None:
    network = GRAPHS[name](17)
    rows = deal(17, 5)
    table = np.random.default_rng(0).standard_normal((17, 3))
    mixed = applied(make_halo(network.mixing, rows, form), rows, table)
    assert np.allclose(mixed, (network.mixing @ table)[rows], rtol=0, atol=1e-14)


def test_one_device_sends_nothing() -> None:
    network = hg.networks.ring(6)
    halo = make_halo(network.mixing, deal(6, 1), "dense")
    assert halo.sends == ()
    assert np.array_equal(np.asarray(halo.local.weights[0]), network.mixing.toarray())


@pytest.mark.parametrize("agents", [100_000, 100_003])
def test_a_long_ring_sends_one_row_each_way(agents: int) -> None:
    halo = make_halo(hg.networks.ring(agents).mixing, deal(agents, 8))
    assert [rows.shape for rows in halo.sends] == [(8, 1), (8, 1)]
    assert [len(pairs) for pairs in halo.pairs] == [8, 8]
    assert halo.rows_sent == 2
    assert {(to - source) % 8 for pairs in halo.pairs for source, to in pairs} == {1, 7}


def test_only_pairs_of_devices_with_an_edge_between_them_talk() -> None:
    halo = make_halo(hg.networks.star(16).mixing, deal(16, 4))
    talk = {pair for pairs in halo.pairs for pair in pairs}
    assert talk == {(0, d) for d in (1, 2, 3)} | {(d, 0) for d in (1, 2, 3)}
    path = make_halo(hg.networks.path(16).mixing, deal(16, 4))
    assert {pair for pairs in path.pairs for pair in pairs} == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)}


def test_unlike_blocks_take_the_form_that_suits_the_sparsest() -> None:
    assert isinstance(make_halo(hg.networks.star(600).mixing, deal(600, 4)).local, Edges)
    assert isinstance(make_halo(hg.networks.ring(600).mixing, deal(600, 4)).local, Neighbours)
    assert isinstance(make_halo(hg.networks.complete(40).mixing, deal(40, 4)).local, Dense)
