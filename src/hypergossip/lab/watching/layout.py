"""Where the agents stand in the drawing of a network."""

import math
from collections.abc import Sequence

from hypergossip.support.extras import require

EXACT = 100  # agents up to which distances in the drawing follow those in the graph


def positions(numbers: Sequence[int], edges: Sequence[tuple[int, int]]) -> dict[int, tuple[float, float]]:
    """Returns a place in the square [0, 1] x [0, 1] for every agent, the same for the same network.

    Distances follow those in the graph (Kamada & Kawai, 1989); in large networks, and in those that are not connected,
    neighbours attract each other (Fruchterman & Reingold, 1991).

    Args:
        numbers: The agents' identities.
        edges: The pairs of neighbours.
    """
    networkx = require("networkx", "networks", "the drawing of a network")
    graph = networkx.Graph()
    graph.add_nodes_from(sorted(numbers))
    graph.add_edges_from(edges)
    if len(graph) == 1:
        return {numbers[0]: (0.5, 0.5)}
    start = networkx.circular_layout(graph)
    if 2 < len(graph) <= EXACT and networkx.is_connected(graph):
        # Grids and tori, which would be tangled from a circle, unfold from the slowest modes of the graph.
        start = start if len(graph) <= 12 else networkx.spectral_layout(graph, weight=None)
        places = networkx.kamada_kawai_layout(graph, pos=start)
    elif len(graph) > 2:
        places = networkx.spring_layout(graph, pos=start, seed=0, iterations=200)
    else:
        places = {number: (-x, y) for number, (x, y) in start.items()}  # from the left to the right
    return _into_square({number: (float(x), float(y)) for number, (x, y) in places.items()})


def _into_square(places: dict[int, tuple[float, float]]) -> dict[int, tuple[float, float]]:
    xs, ys = zip(*places.values())
    extent = max(max(xs) - min(xs), max(ys) - min(ys))
    if not (math.isfinite(extent) and extent > 0):
        extent = 1.0
    left, low = (max(xs) + min(xs) - extent) / 2, (max(ys) + min(ys) - extent) / 2
    return {number: ((x - left) / extent, (y - low) / extent) for number, (x, y) in places.items()}
