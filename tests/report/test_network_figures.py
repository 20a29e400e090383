"""Figures of networks: agents, edges, weights and names."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.patches import FancyArrowPatch

from hypergossip import networks
from hypergossip.figures import curves as figures
from hypergossip.figures import network as network_drawing


def test_directed_edges_are_arrows_and_a_graph_without_edges_is_drawn():
    one_way = networks.from_edges(4, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)], directed=True)
    axes = figures.network_figure(one_way).axes[0]
    assert len([patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]) == 5
    assert "1 to 2 receivers" in " ".join(text.get_text() for text in axes.texts)
    alone = figures.network_figure(networks.from_edges(3, [])).axes[0]
    assert "3 agents, 0 edges" in " ".join(text.get_text() for text in alone.texts)
    large = network_drawing.description(networks.directed_ring(1200))
    assert large.endswith("λ not computed")


def drawn_edges(network):
    axes = figures.network_figure(network).axes[0]
    return [artist for artist in axes.collections if isinstance(artist, LineCollection)]


@pytest.mark.parametrize(
    "network",
    [
        networks.single(),
        networks.path(2),
        networks.star(7),
        networks.complete(8),
        networks.grid(3, 4),
        networks.erdos_renyi(9, 0.3, seed=0),
        networks.small_world(60, 4, 0.2, seed=0),
        networks.over_time.links_up(networks.ring(5), 0.5),
    ],
    ids=lambda network: network.name,
)
def test_every_agent_and_edge_is_drawn(network):
    axes = figures.network_figure(network).axes[0]
    (agents,) = [artist for artist in axes.collections if isinstance(artist, PathCollection)]
    positions = np.asarray(agents.get_offsets())
    assert positions.shape == (network.agents, 2)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1) + np.eye(network.agents)
    assert distances.min() > 0.02 * distances.max()
    assert sum(len(part.get_segments()) for part in drawn_edges(network)) == len(network.edges)
    text = " ".join([axes.get_title("left"), *(text.get_text() for text in axes.texts)])
    assert network.name in text
    if network.agents > 1:
        assert f"{network.lambda_:.3f}" in text


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("NL", "DE", "FR", "it", "x"), ("NL", "DE", "FR", "it", "x")),
        (("Paris", "a$b$", "O\nslo", "x" * 40, 7), ("Paris", "a$b$", "O slo", "x" * 17 + "…", "7")),
        (None, ("0", "1", "2", "3", "4")),
    ],
)
def test_agents_are_labelled_with_their_names(names, shown):
    network = replace(networks.star(5), names=names)
    axes = figures.network_figure(network).axes[0]
    (agents,) = [artist for artist in axes.collections if isinstance(artist, PathCollection)]
    texts = [text for text in axes.texts if text.get_text() in shown]
    assert [text.get_text() for text in texts] == list(shown)
    np.testing.assert_allclose(np.asarray(agents.get_offsets()), [text.get_position() for text in texts])
    axes.figure.canvas.draw()
    below = [agents.get_offset_transform().transform(text.get_position())[1] for text in texts]
    assert all(text.get_window_extent().y0 < y for text, y in zip(texts, below, strict=True))
    np.testing.assert_array_equal(network_drawing.layout(network), network_drawing.layout(networks.star(5)))


def test_special_characters_in_names_are_drawn_literally(tmp_path):
    network = replace(networks.path(3), name="a$b$_x", names=("$x$", "<b>", "\\alpha"))
    assert figures.network(network, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_widths_of_edges_are_proportional_to_weights_and_negative_weights_are_dashed():
    edges = drawn_edges(networks.from_mixing([[0.6, 0.3, 0.1], [0.3, 0.5, 0.2], [0.1, 0.2, 0.7]]))
    widths = np.asarray(edges[0].get_linewidth())  # edges 0-1, 0-2, 1-2
    np.testing.assert_allclose(widths / widths.max(), [1, 1 / 3, 2 / 3])
    assert len(edges) == 1
    edges = drawn_edges(networks.from_mixing([[0.7, 0.4, -0.1], [0.4, 0.2, 0.4], [-0.1, 0.4, 0.7]]))
    assert [len(part.get_segments()) for part in edges] == [2, 1]
    assert edges[0].get_linestyle() != edges[1].get_linestyle()


def test_a_large_network_is_described_and_not_drawn():
    axes = figures.network_figure(networks.ring(1000)).axes[0]
    assert not axes.collections
    (text,) = axes.texts
    assert "1,000 agents, 1,000 edges, 2 neighbours" in text.get_text()
    assert figures.network_figure(networks.single()).axes[0].texts[0].get_text() == "0"
