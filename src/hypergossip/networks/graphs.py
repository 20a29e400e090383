"""Networks whose graphs are given by a rule.

Every constructor takes plain numbers and the name of the weights (see `mixing_matrix`), and also works for one agent.
"""

import numpy as np
from jaxtyping import Int

from hypergossip.networks.build import assemble, assemble_directed, distinct, whole
from hypergossip.networks.network import Network


def single() -> Network:
    """A single agent, W = [[1]], for which decentralised methods become centralised ones."""
    return assemble(1, _no_edges(), "single()", "metropolis")


def path(n: int, weights: str = "metropolis") -> Network:
    """A path of n agents, each joined with the next.

    Args:
        n: the number of agents, at least 1.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    n = whole(n, "n")
    agents = np.arange(n)
    return assemble(n, np.stack([agents[:-1], agents[1:]], axis=1), f"path({n})", weights)


def ring(n: int, weights: str = "metropolis") -> Network:
    """A cycle of n agents, each joined with the next; two agents share one edge.

    With Metropolis weights and at least three agents, the eigenvalues of W are 1 - (2 - 2 cos(2 pi k / n)) / 3.

    Args:
        n: the number of agents, at least 1.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    n = whole(n, "n")
    return assemble(n, _lattice((n,), wrap=True), f"ring({n})", weights)


def grid(rows: int, columns: int, weights: str = "metropolis") -> Network:
    """A rectangle of agents, each joined with the agents next to it, above it and below it.

    Agent r * columns + c is in row r and column c.

    Args:
        rows: at least 1.
        columns: at least 1.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    shape = whole(rows, "rows"), whole(columns, "columns")
    return assemble(shape[0] * shape[1], _lattice(shape, wrap=False), f"grid({rows}, {columns})", weights)


def torus(rows: int, columns: int, weights: str = "metropolis") -> Network:
    """A grid whose opposite sides are joined; a side of two agents has one edge, not two.

    Args:
        rows: at least 1.
        columns: at least 1.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    shape = whole(rows, "rows"), whole(columns, "columns")
    return assemble(shape[0] * shape[1], _lattice(shape, wrap=True), f"torus({rows}, {columns})", weights)


def complete(n: int, weights: str = "metropolis") -> Network:
    """The complete graph. With Metropolis weights one round averages exactly.

    Args:
        n: the number of agents, at least 1; all n^2 weights are stored.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    n = whole(n, "n")
    return assemble(n, np.stack(np.triu_indices(n, k=1), axis=1), f"complete({n})", weights)


def star(n: int, weights: str = "metropolis") -> Network:
    """Agent 0 joined with each of the n - 1 others: the graph of a server and its clients.

    Args:
        n: the number of agents, at least 1, including the central agent.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    n = whole(n, "n")
    leaves = np.arange(1, n)
    return assemble(n, np.stack([np.zeros_like(leaves), leaves], axis=1), f"star({n})", weights)


def exponential(n: int, weights: str = "metropolis") -> Network:
    """Agent i joined with i + 2^k and i - 2^k modulo n for every 2^k < n: few neighbours, and a gap of order 1 / log n.

    Args:
        n: the number of agents, at least 1.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    n = whole(n, "n")
    hops = {2**k for k in range((n - 1).bit_length())}
    # Two hops that sum to n give the same edges, and so does a hop of n / 2 from either end.
    distances = sorted({min(hop, n - hop) for hop in hops})
    starts = [np.arange(n // 2 if 2 * distance == n else n) for distance in distances]
    pairs = [np.stack([agents, (agents + hop) % n], axis=1) for agents, hop in zip(starts, distances, strict=True)]
    return assemble(n, np.concatenate([_no_edges(), *pairs]), f"exponential({n})", weights)


def directed_ring(n: int, weights: str = "uniform") -> Network:
    """A cycle of n agents, each of which receives from the one before it alone.

    Its weights are doubly stochastic and not symmetric.

    Args:
        n: the number of agents, at least 1.
        weights: see `directed_weights`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    n = whole(n, "n")
    agents = np.arange(n)
    edges = np.stack([agents, (agents + 1) % n], axis=1) if n > 1 else _no_edges()
    return assemble_directed(n, edges, f"directed_ring({n})", weights)


def directed_exponential(n: int, weights: str = "uniform") -> Network:
    """Agent i receives from i + 2^k modulo n for every 2^k < n: a gap of order 1 / log n with half of the messages.

    Its weights are doubly stochastic and not symmetric (Assran et al. 2019, Ying et al. 2021).

    Args:
        n: the number of agents, at least 1.
        weights: see `directed_weights`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    n = whole(n, "n")
    agents = np.arange(n)
    pairs = [np.stack([(agents + 2**k) % n, agents], axis=1) for k in range((n - 1).bit_length())]
    return assemble_directed(n, np.concatenate([_no_edges(), *pairs]), f"directed_exponential({n})", weights)


def hypercube(dimension: int, weights: str = "metropolis") -> Network:
    """2^dimension agents, joined if their numbers differ in one binary digit.

    Args:
        dimension: at least 0.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: a size is out of range, or there are no such weights.
    """
    dimension = whole(dimension, "dimension", least=0)
    agents = np.arange(2**dimension)
    digits = 2 ** np.arange(dimension)
    zeros = [agents[agents & digit == 0] for digit in digits]
    pairs = [np.stack([low, low + digit], axis=1) for low, digit in zip(zeros, digits, strict=True)]
    return assemble(2**dimension, np.concatenate([_no_edges(), *pairs]), f"hypercube({dimension})", weights)


def _no_edges() -> Int[np.ndarray, "0 2"]:
    return np.empty((0, 2), dtype=np.int64)


def _lattice(shape: tuple[int, ...], wrap: bool) -> Int[np.ndarray, "edges 2"]:
    """The edges of a lattice with sides of these lengths, with opposite ends joined if `wrap`."""
    agents = np.arange(np.prod(shape)).reshape(shape)
    pairs = [_no_edges()]
    for axis, side in enumerate(shape):
        here = agents if wrap else np.take(agents, range(side - 1), axis=axis)
        there = np.roll(agents, -1, axis=axis) if wrap else np.take(agents, range(1, side), axis=axis)
        pairs.append(np.stack([here.ravel(), there.ravel()], axis=1))
    return distinct(agents.size, np.concatenate(pairs))
