"""A picture of a network: agents, edges as wide as their weights, and how fast it mixes."""

from typing import Any

import networkx
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke
from scipy.sparse import triu

from hypergossip.figures import style
from hypergossip.networks.network import Network

LARGEST_DRAWN = 300
NAMED = {"metropolis": "Metropolis", "laplacian": "Laplacian"}  # after people
LARGEST_NUMBERED = 40
LONGEST_WITHIN = 3  # characters of a name that a disc has room for
LONGEST_NAME = 18  # characters of a name that are drawn
WIDTHS = (0.4, 2.6)  # points, of the lightest and the heaviest edge


def draw(network: Network, axes: Axes) -> None:
    """Draws a network, its name, its weights and its lambda.

    Edges are as wide as their weight's magnitude (the lightest never thinner than can be seen), dashed where a weight
    is negative. Up to 40 agents have their names, or their numbers where nobody named them; names too long for their
    discs stand below. A network of more than 300 agents is told in a sentence instead.

    Args:
        network: The network.
        axes: Where to draw; its frame is taken off.
    """
    style.without_frame(axes)
    axes.set_title(network.name, parse_math=False)  # the name of a file, perhaps
    if network.agents > LARGEST_DRAWN:
        axes.text(
            0.5, 0.5, f"{facts(network)}\n\nToo large to draw.", ha="center", va="center", transform=axes.transAxes
        )
        return
    places = layout(network)
    _draw_edges(network, places, axes)
    _draw_agents(places, axes)
    if network.agents <= LARGEST_NUMBERED:
        _write_labels(labels(network), places, axes)
    axes.text(0.5, -0.05, facts(network), ha="center", va="top", transform=axes.transAxes, color=style.INK)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)


def layout(network: Network) -> Float[np.ndarray, "agents 2"]:
    """Returns the agents' places in the plane, (agents, 2): distances as like those in the graph as can be.

    Kamada & Kawai, "An algorithm for drawing general undirected graphs" (1989), begun from the graph's slowest modes,
    which unfolds grids and tori that a circle would tangle. The same network always gives the same picture.
    """
    graph = networkx.convert_node_labels_to_integers(network.to_networkx())
    if network.agents < 3:
        return np.array([[i, 0.0] for i in range(network.agents)])
    hops = dict(networkx.all_pairs_shortest_path_length(graph))
    begin = networkx.circular_layout(graph) if network.agents <= 12 else networkx.spectral_layout(graph, weight=None)
    places = networkx.kamada_kawai_layout(graph, dist=hops, pos=begin)
    centred = np.array([places[i] for i in range(network.agents)])
    centred -= centred.mean(axis=0)
    _, extents, directions = np.linalg.svd(centred, full_matrices=False)
    # Lie lengthwise, as panels do; a ring or a square has no length.
    return centred @ directions.T if extents[0] > 1.1 * extents[1] else centred


def edges(network: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the pairs i < j that mix, and with what weight, each (edges,), of a network."""
    upper = triu(network.mixing, k=1, format="coo")
    mixed = upper.data != 0
    return upper.row[mixed], upper.col[mixed], upper.data[mixed]


def widths(weights: Float[np.ndarray, " edges"]) -> Float[np.ndarray, " edges"]:
    """Returns how wide edges are drawn, in points: as their weight's magnitude, but never too thin to be seen."""
    return np.maximum(WIDTHS[1] * np.abs(weights) / np.abs(weights).max(), WIDTHS[0])


def _draw_edges(network: Network, places: Float[np.ndarray, "agents 2"], axes: Axes) -> None:
    i, j, weights = edges(network)
    for negative in (False, True):
        chosen = (weights < 0) == negative
        if chosen.any():
            segments = np.stack([places[i[chosen]], places[j[chosen]]], axis=1)
            dashes = "--" if negative else "-"
            axes.add_collection(
                LineCollection(
                    list(segments), linewidths=widths(weights)[chosen], colors="#9a9a9a", linestyles=dashes, zorder=1
                )
            )


def _draw_agents(places: Float[np.ndarray, "agents 2"], axes: Axes) -> None:
    agents = len(places)
    area = float(np.clip(3600 / agents, 12, 190))  # square points
    axes.scatter(
        *places.T,
        s=area,
        color="white" if agents <= LARGEST_NUMBERED else style.FAINT,
        edgecolors=style.INK,
        linewidths=0.9 if agents <= LARGEST_NUMBERED else 0,
        zorder=2,
        clip_on=False,
    )


def labels(network: Network) -> list[str]:
    """Returns what agents are called in a picture: their names, shortened where they are long, or their numbers."""
    if network.names is None:
        return [str(agent) for agent in range(network.agents)]
    names = [" ".join(str(name).split()) for name in network.names]
    return [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]


def within(words: list[str]) -> bool:
    """Do all of these labels fit into the agents' discs?"""
    return max(map(len, words)) <= LONGEST_WITHIN


def _write_labels(words: list[str], places: Float[np.ndarray, "agents 2"], axes: Axes) -> None:
    look: dict[str, Any] = {"ha": "center", "zorder": 3, "fontsize": 7.5 if len(words) <= 20 else 6}
    if within(words):
        look |= {"xytext": (0, 0), "va": "center_baseline"}
    else:  # over edges, which a halo keeps from crossing the letters
        look |= {"xytext": (0, -9), "va": "top", "path_effects": [withStroke(linewidth=2, foreground="white")]}
    for word, place in zip(words, places.tolist(), strict=True):
        axes.annotate(word, place, textcoords="offset points", parse_math=False, **look)


def facts(network: Network) -> str:
    """Returns a network's counts, weights and lambda in two lines; a single agent's in one."""
    counts = f"{_counted(network.agents, 'agent')}, {_counted(len(network.edges), 'edge')}"
    if network.agents == 1:
        return counts
    gap, least, most = network.spectral_gap, int(network.degrees.min()), int(network.degrees.max())
    neighbours = _counted(most, "neighbour") if least == most else f"{least:,} to {most:,} neighbours"
    speed = f"λ = {network.lambda_:.3f}" if gap >= 1e-3 else f"1 − λ = {gap:.2g}"
    return f"{counts}, {neighbours}\n{NAMED.get(network.weights, network.weights)} weights {_range(network)}, {speed}"


def _range(network: Network) -> str:
    _, _, weights = edges(network)
    least, most = (f"{weight:.3g}".replace("-", "−") for weight in (weights.min(), weights.max()))
    return least if least == most else f"{least} to {most}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
