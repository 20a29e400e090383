"""Random graphs, which are drawn again until they are connected.

The seeds seed, seed + 1, ... are tried in order. The network records the seed whose draw was used, and that seed gives
the same network immediately.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy.sparse.csgraph import connected_components

from hypergossip.networks.build import adjacency_matrix, assemble, whole
from hypergossip.networks.network import Network
from hypergossip.support.extras import require

DRAWS = 1000
# If more agents than this are expected to have no neighbour, a draw is connected with probability below about e^-7.
HOPELESS = 7.0


def erdos_renyi(n: int, p: float | int, seed: int = 0, weights: str = "metropolis") -> Network:
    """Every pair of agents is joined with probability p, independently of the others.

    Args:
        n: the number of agents, at least 1.
        p: the probability of an edge, in (0, 1]; connected draws are likely from log(n) / n on.
        seed: the first seed to try, at least 0.
        weights: see `mixing_matrix`.

    Returns:
        The first connected draw; `network.seed` is the seed that gave it.

    Raises:
        ValueError: an argument is out of range, or p is so small that no draw is connected.
    """
    n = whole(n, "n")
    if not 0 < p <= 1:
        raise ValueError(f"p is a probability above 0 and at most 1; got {p!r}.")
    advice = f"Use p of at least log(n)/n = {np.log(n) / n:.3g}, or fewer agents."
    if n > 1 and n * (1.0 - p) ** (n - 1) > HOPELESS:
        raise ValueError(f"With p = {p:g}, a connected graph of {n} agents is extremely unlikely. {advice}")
    return _first_connected(
        lambda trial: _generators().fast_gnp_random_graph(n, p, seed=trial),
        n,
        seed,
        f"erdos_renyi({n}, {p:g})",
        weights,
        advice,
    )


def random_regular(n: int, degree: int, seed: int = 0, weights: str = "metropolis") -> Network:
    """Every agent has the same number of neighbours. The graph is drawn nearly uniformly among such graphs.

    Args:
        n: the number of agents, at least 1; n times degree must be even.
        degree: each agent's number of neighbours, at least 2, at most n - 1; below that, 1 for two agents and 0 for
            one.
        seed: the first seed to try, at least 0.
        weights: see `mixing_matrix`.

    Returns:
        The first connected draw; `network.seed` is the seed that gave it.

    Raises:
        ValueError: an argument is out of range, or no connected graph has this degree.
    """
    n = whole(n, "n")
    degree = whole(degree, "degree", least=min(n - 1, 2))
    if degree >= n:
        raise ValueError(f"Each of {n} agents can have at most {n - 1} neighbours; got degree {degree}.")
    if n * degree % 2:
        raise ValueError(
            f"{n} agents cannot all have {degree} neighbours, because each edge has two ends; make n or degree even."
        )
    advice = "Use degree 3 or more, for which nearly every draw is connected."
    return _first_connected(
        lambda trial: _generators().random_regular_graph(degree, n, seed=trial),
        n,
        seed,
        f"random_regular({n}, {degree})",
        weights,
        advice,
    )


def small_world(n: int, neighbours: int, rewiring: float | int, seed: int = 0, weights: str = "metropolis") -> Network:
    """A ring lattice with some edges rewired at random (Watts and Strogatz, 1998).

    Args:
        n: the number of agents, at least 1.
        neighbours: each agent's number of neighbours before rewiring, half on either side: even, at least 2 and below n
            (0 for one agent).
        rewiring: the probability that an edge is rewired, in [0, 1].
        seed: the first seed to try, at least 0.
        weights: see `mixing_matrix`.

    Returns:
        The first connected draw; `network.seed` is the seed that gave it.

    Raises:
        ValueError: an argument is out of range, or no draw is connected.
    """
    n = whole(n, "n")
    neighbours = whole(neighbours, "neighbours", least=min(n - 1, 2))
    if neighbours >= n or neighbours % 2:
        raise ValueError(
            f"neighbours must be even (half on either side) and below the number of agents, {n}; got {neighbours}."
        )
    if not 0 <= rewiring <= 1:
        raise ValueError(f"rewiring is a probability from 0 to 1; got {rewiring!r}.")
    return _first_connected(
        lambda trial: _generators().watts_strogatz_graph(n, neighbours, rewiring, seed=trial),
        n,
        seed,
        f"small_world({n}, {neighbours}, {rewiring:g})",
        weights,
        "Use more neighbours, or less rewiring.",
    )


def _first_connected(draw: Callable[[int], Any], n: int, seed: int, name: str, weights: str, advice: str) -> Network:
    seed = whole(seed, "seed", least=0)
    for trial in range(seed, seed + DRAWS):
        edges = _edges(draw(trial))
        if connected_components(adjacency_matrix(n, edges), directed=False, return_labels=False) == 1:
            return assemble(n, edges, name, weights, seed=trial)
    raise ValueError(f"None of the {DRAWS} draws of {name} from seed {seed} on is connected. {advice}")


def _generators() -> Any:
    return require("networkx", "networks", "A random graph of this kind")


def _edges(graph: Any) -> Int[np.ndarray, "edges 2"]:
    return np.array(graph.edges, dtype=np.int64).reshape(-1, 2)
