"""Draws a network: agents, edges with widths by weight, and how fast it mixes."""

import textwrap
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import offset_copy

from hypergossip.figures import style
from hypergossip.networks.changing import AnyNetwork

MAX_DRAWN = 300  # agents
MAX_LABELLED = 40  # agents
MAX_INSIDE = 3  # characters of a label that fits into a node
MAX_LABEL = 18  # characters
LINE = 48  # characters of a line about the channel
WIDTHS = (0.4, 2.6)  # points, at least for the lightest and exactly for the heaviest edge
WEIGHT_NAMES = {"metropolis": "Metropolis", "laplacian": "Laplacian"}


def draw(network: AnyNetwork, axes: Axes, channel: str = "") -> None:
    """Draws a network with its name, its weights and its lambda, and names the channel that its messages pass.

    The width of an edge is proportional to the magnitude of its weight, with a lower limit for visibility. Edges with
    negative weights are dashed, and edges in one direction are arrows to the receiver. Of a network that changes, the
    edges of all rounds are drawn. Up to 40 agents are labelled with their names, or else their numbers; labels too long
    for the nodes are placed below them. A network of more than 300 agents is described in a sentence instead.

    Args:
        network: The network.
        axes: The axes to draw on; its frame is removed.
        channel: The stages of the channel in words; empty for the ideal one.
    """
    style.without_frame(axes)
    axes.set_title(network.name, parse_math=False)  # may be the name of a file
    lines = [description(network), *textwrap.wrap(f"channel: {channel}" if channel else "", LINE)]
    if network.agents > MAX_DRAWN:
        text = "\n".join([*lines, "", "Too large to draw."])
        axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, parse_math=False)
        return
    graph = _graph(network)
    positions = dict(enumerate(layout(network)))
    _draw_edges(graph, positions, axes)
    _draw_nodes(graph, positions, axes)
    if network.agents <= MAX_LABELLED:
        _draw_labels(graph, positions, labels(network), axes)
    place = {"ha": "center", "va": "top", "transform": axes.transAxes}
    axes.text(0.5, -0.05, "\n".join(lines), **place, color=style.INK, parse_math=False)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)


def layout(network: AnyNetwork) -> Float[np.ndarray, "agents 2"]:
    """Returns positions of the agents in the plane, (agents, 2), whose distances approximate those in the graph.

    The algorithm is that of Kamada & Kawai, "An algorithm for drawing general undirected graphs" (1989). It starts
    from the slowest modes of the graph, which unfold grids and tori that would be tangled from a circle. The result is
    the same for the same network.
    """
    import networkx

    if network.agents < 3:
        return np.array([[i, 0.0] for i in range(network.agents)])
    graph = _graph(network).to_undirected()
    start = networkx.circular_layout(graph) if network.agents <= 12 else networkx.spectral_layout(graph, weight=None)
    hops = dict(networkx.all_pairs_shortest_path_length(graph))
    positions = networkx.kamada_kawai_layout(graph, dist=hops, pos=start)
    centred = np.array([positions[i] for i in range(network.agents)])
    centred -= centred.mean(axis=0)
    _, extents, directions = np.linalg.svd(centred, full_matrices=False)
    # The longest direction is horizontal, as in most axes; a ring or a square has none.
    return centred @ directions.T if extents[0] > 1.1 * extents[1] else centred


def labels(network: AnyNetwork) -> list[str]:
    """Returns the labels of the agents: their names, shortened where they are long, or their numbers."""
    if network.names is None:
        return [str(agent) for agent in range(network.agents)]
    names = [" ".join(str(name).split()) for name in network.names]
    return [name if len(name) <= MAX_LABEL else f"{name[: MAX_LABEL - 1]}…" for name in names]


def description(network: AnyNetwork) -> str:
    """Returns the counts, the weights and the lambda of a network in two lines, or one line for a single agent."""
    counts = f"{_counted(network.agents, 'agent')}, {_counted(len(network.edges), 'edge')}"
    if network.agents == 1:
        return counts
    gap, low, high = network.spectral_gap, int(network.degrees.min()), int(network.degrees.max())
    whom = "receiver" if network.directed else "neighbour"
    neighbours = _counted(high, whom) if low == high else f"{low:,} to {high:,} {whom}s"
    mixing = f"1 − λ = {gap:.2g}" if gap < 1e-3 else f"λ = {network.lambda_:.3f}"
    if np.isnan(gap):
        mixing = "λ not computed"
    if network.schedule is not None:
        return f"{counts}, {neighbours}\n{network.schedule.description}, {mixing}"
    if not len(network.edges):
        return counts
    kind = WEIGHT_NAMES.get(network.weights, network.weights)
    return f"{counts}, {neighbours}\n{kind} weights {_range(network)}, {mixing}"


def _graph(network: AnyNetwork) -> Any:
    """Returns a `networkx.Graph` whose nodes are the numbers of the agents."""
    import networkx

    return networkx.convert_node_labels_to_integers(network.to_networkx())


def _draw_edges(graph: Any, positions: dict[int, np.ndarray], axes: Axes) -> None:
    import networkx

    weights = networkx.get_edge_attributes(graph, "weight")
    heaviest = max(map(abs, weights.values()), default=1.0)
    widths = {edge: max(WIDTHS[1] * abs(weight) / heaviest, WIDTHS[0]) for edge, weight in weights.items()}
    arrows = {"node_size": _node_size(graph), "arrowsize": 7} if graph.is_directed() else {}
    for negative, dashes in ((False, "-"), (True, "--")):
        edges = [edge for edge, weight in weights.items() if (weight < 0) == negative]
        own = [widths[edge] for edge in edges]
        networkx.draw_networkx_edges(
            graph, positions, edges, own, edge_color="#9a9a9a", style=dashes, ax=axes, **arrows
        )


def _node_size(graph: Any) -> float:
    """Returns the area of a node in square points."""
    return float(np.clip(3600 / len(graph), 12, 190))


def _draw_nodes(graph: Any, positions: dict[int, np.ndarray], axes: Axes) -> None:
    import networkx

    labelled = len(graph) <= MAX_LABELLED
    nodes = networkx.draw_networkx_nodes(
        graph,
        positions,
        node_size=_node_size(graph),
        node_color="white" if labelled else style.FAINT,
        edgecolors=style.INK,
        linewidths=0.9 if labelled else 0,
        ax=axes,
    )
    nodes.set_clip_on(False)


def _draw_labels(graph: Any, positions: dict[int, np.ndarray], texts: list[str], axes: Axes) -> None:
    import networkx

    inside = max(map(len, texts)) <= MAX_INSIDE
    drawn = networkx.draw_networkx_labels(
        graph,
        positions,
        dict(enumerate(texts)),
        font_size=7.5 if len(texts) <= 20 else 6,
        font_color=style.INK,
        verticalalignment="center_baseline" if inside else "top",
        clip_on=False,
        ax=axes,
    )
    for text in drawn.values():
        text.set(parse_math=False, zorder=3)
        if not inside:  # below the node, with a halo over the edges
            text.set_transform(offset_copy(axes.transData, axes.get_figure(root=True), y=-9, units="points"))
            text.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _range(network: AnyNetwork) -> str:
    weights = [weight for _, _, weight in network.to_networkx().edges(data="weight")]
    low, high = (f"{weight:.3g}".replace("-", "−") for weight in (min(weights), max(weights)))
    return low if low == high else f"{low} to {high}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
