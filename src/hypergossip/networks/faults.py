"""What a network lacks, in sentences that name the agents at fault."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, shortest_path

from hypergossip.networks.spectrum import agents_of
from hypergossip.support.agent_names import called, listed

# Far above the round-off of a matrix computed in float64, and far below that of one computed in float32.
TOLERANCE = 1e-9
ROUNDED = 1e-5  # a sum of weights rounded to float32 differs from 1 by less
# A number below 1 by less than this is the round-off of the eigenvalue 1.
NO_GAP = 1e-12


def check_weights(mixing: csr_array, push: csr_array | None, names: Sequence[Any] | None) -> None:
    """Raises a ValueError that names the agents at fault unless agents can average with these weights.

    Args:
        mixing: any shape, float64: its rows must sum to one.
        push: likewise, or None: its columns must sum to one, and its edges must be those of `mixing`.
        names: the agents' names, or None.
    """
    agents = agents_of(mixing)
    for matrix in (mixing, push):
        if matrix is None:
            continue
        if agents == 0 or matrix.shape != (agents, agents):
            raise ValueError(f"A mixing matrix has one row and one column for each agent; got shape {matrix.shape}.")
        entries = matrix.tocoo()
        bad = np.flatnonzero(~np.isfinite(entries.data))
        if bad.size:
            i, j = int(entries.row[bad[0]]), int(entries.col[bad[0]])
            raise ValueError(f"{_pair(i, j, names)}: W[{i},{j}]={entries.data[bad[0]]} is not finite.")
    _check_rows(mixing, names)
    if push is None:
        return
    if (off := _off(push, 0)).size:
        raise ValueError(
            f"{listed(off.tolist(), names)}: column {off[0]} of the weights with which values are pushed sums to "
            f"{push.sum(axis=0)[off[0]]:.12g} and not to 1, so that pushing would change the sum over the network."
        )
    different = csr_array(abs(_adjacency(mixing) - _adjacency(push))).tocoo()
    if different.nnz and different.data.max() > 0:
        k = int(different.data.argmax())
        i, j = int(different.row[k]), int(different.col[k])
        raise ValueError(
            f"{_pair(i, j, names)}: one of the weights of pulling and pushing, [{i},{j}], is zero and the other is "
            "not; both belong to the same edges."
        )


def _check_rows(matrix: csr_array, names: Sequence[Any] | None) -> None:
    """Raises ValueError unless the rows sum to one."""
    off = _off(matrix, 1)
    if not off.size:
        return
    sums, columns = matrix.sum(axis=1), _off(matrix, 0)
    asymmetry = csr_array(matrix - matrix.T).tocoo()
    if not columns.size:
        raise ValueError(
            f"{listed(off.tolist(), names)}: row {off[0]} of W sums to {sums[off[0]]:.12g} and not to 1, but all "
            "columns do. These are weights with which values are pushed: give them as push=..., and the weights with "
            "which an agent averages what it receives, whose rows sum to one, as the first matrix."
        )
    rounded = np.abs(sums - 1.0).max() < ROUNDED
    if rounded and asymmetry.nnz and np.abs(asymmetry.data).max() > ROUNDED:
        raise ValueError(
            f"{listed(off.tolist(), names)}: row {off[0]} of W sums to {sums[off[0]]:.12g} and not to 1; rescale the "
            "weights in float64."
        )
    if not rounded and asymmetry.nnz and np.abs(asymmetry.data).max() > TOLERANCE:
        worst = np.abs(asymmetry.data).argmax()
        i, j = sorted((int(asymmetry.row[worst]), int(asymmetry.col[worst])))
        raise ValueError(
            f"{_pair(i, j, names)}: W[{i},{j}]={matrix[i, j]:.10g} but W[{j},{i}]={matrix[j, i]:.10g}, and row "
            f"{off[0]} of W sums to {sums[off[0]]:.12g} and not to 1; give both directions the same weight, or rows "
            "that sum to one."
        )
    raise ValueError(
        f"{listed(off.tolist(), names)}: row and column {off[0]} of W sum to {sums[off[0]]:.12g} and not to 1; "
        f"rescale the weights in float64."
    )


def not_symmetric(network: Any) -> str | None:
    """Returns which pair of agents has different weights in its two directions, or None."""
    matrix, names = network.mixing, network.names
    difference = csr_array(matrix - matrix.T).tocoo()
    if not difference.nnz or np.abs(difference.data).max() <= TOLERANCE:
        return None
    worst = np.abs(difference.data).argmax()
    i, j = sorted((int(difference.row[worst]), int(difference.col[worst])))
    one, other = float(matrix[i, j]), float(matrix[j, i])
    if one == 0 or other == 0:
        sender, receiver = (i, j) if one == 0 else (j, i)
        return f"{listed([sender, receiver], names)} have a one-way edge"
    return f"{_pair(i, j, names)}: W[{i},{j}]={one:.10g} but W[{j},{i}]={other:.10g}"


def not_doubly_stochastic(network: Any) -> str | None:
    """Returns which columns of W do not sum to one, or None."""
    off = _off(network.mixing, 0)
    if not off.size:
        return None
    total = network.mixing.sum(axis=0)[off[0]]
    return f"{listed(off.tolist(), network.names)}: column {off[0]} of W sums to {total:.12g}"


def not_connected(network: Any) -> str | None:
    """Returns which agents are cut off from the others, in one direction or in both, or None."""
    adjacency, names = network._adjacency, network.names
    parts, label = connected_components(adjacency, directed=True, connection="strong")
    if parts == 1:
        return None
    apart, weakly = connected_components(adjacency, directed=False)
    if apart > 1:
        smallest = np.flatnonzero(weakly == np.argmin(np.bincount(weakly)))
        return f"{listed(smallest.tolist(), names)} {_verb(smallest)} cut off from the others ({apart} components)"
    # Row i of the adjacency has the agents from which i receives, so a search follows messages backwards.
    smallest = np.argsort(np.bincount(label), kind="stable")
    for part in smallest:
        members = np.flatnonzero(label == part)
        for matrix, verb in ((adjacency, "receive{} nothing from"), (adjacency.T.tocsr(), "send{} nothing to")):
            if len(breadth_first_order(matrix, members[0], return_predecessors=False)) == len(members):
                said = verb.format("s" if len(members) == 1 else "")
                return f"{listed(members.tolist(), names)} {said} the others along the edges' direction"
    return None  # never: among the strong components there is one that no path enters


def not_averaging(network: Any) -> str | None:
    """Returns why mixing over and over does not make the agents of a connected network agree, or None.

    Nonnegative weights need no eigenvalues: W is irreducible, so by the Perron-Frobenius theorem it has a second
    eigenvalue of magnitude 1 only if no agent gives weight to itself. Negative weights have no such criterion.
    """
    data, diagonal, names = network.mixing.data, network.mixing.diagonal(), network.names
    if network.agents == 1 or (data.min() >= 0 and diagonal.max() > 0):
        return None
    if data.min() >= 0 and not network.directed:
        side = shortest_path(network._adjacency, unweighted=True, indices=0) % 2
        i, j = network.edges.T
        if (side[i] == side[j]).any():
            return None
        one, other = (listed(np.flatnonzero(side == k).tolist(), names) for k in (0, 1))
        return (
            f"between {one} on one side and {other} on the other, values are exchanged, never averaged: no weight "
            f"joins agents of one side, and lambda is 1"
        )
    if data.min() >= 0:
        if _period(network._adjacency) == 1:
            return None
        return "no agent gives weight to its own value, values go round in circles, and lambda is 1"
    if not network.lambda_ >= 1.0 - NO_GAP:
        return None
    entries = network.mixing.tocoo()
    worst = int(entries.data.argmin())
    i, j = int(entries.row[worst]), int(entries.col[worst])
    return f"{_pair(i, j, names)}: W[{i},{j}]={data.min():.10g} is too negative, so that lambda is not below 1"


def _period(adjacency: csr_array) -> int:
    """The greatest common divisor of the lengths of all cycles of a strongly connected graph."""
    distance = shortest_path(adjacency, unweighted=True, indices=0).astype(np.int64)
    here, there = adjacency.tocoo().coords
    return int(np.gcd.reduce(np.abs(distance[here] + 1 - distance[there])))


FAULTS = {
    "symmetric": not_symmetric,
    "doubly_stochastic": not_doubly_stochastic,
    "connected": not_connected,
    "averages": not_averaging,
}


def _off(matrix: csr_array, axis: int) -> np.ndarray:
    """The rows (axis 1) or columns (axis 0) that do not sum to one."""
    return np.flatnonzero(np.abs(matrix.sum(axis=axis) - 1.0) > TOLERANCE)


def _adjacency(matrix: csr_array) -> csr_array:
    entries = matrix.tocoo()
    kept = (entries.row != entries.col) & (entries.data != 0)
    return csr_array((np.ones(kept.sum()), (entries.row[kept], entries.col[kept])), shape=matrix.shape)


def _verb(agents: np.ndarray) -> str:
    return "is" if len(agents) == 1 else "are"


def _pair(i: int, j: int, names: Sequence[Any] | None) -> str:
    return f"agent {called(i, names)}" if i == j else f"agents {called(i, names)} and {called(j, names)}"
