"""The weighted average over the neighbours as a linear operator on the agents' vectors, in three forms.

W is stochastic, so W v = v + (W - I) v. Every form computes it by differences: v_i + sum_j W_ij (v_j - v_i), or the
same from another agent's vector. The entries of W rounded to float32 do not sum to one. Computed as a plain product,
W v would make quantities that accumulate round-off, such as a dual variable, drift. Differences of equal vectors are
zero, so agents that agree keep their vectors to the last bit, independently of how the weights are rounded.

The lists also add one neighbour after the other. The term that i receives from j is then rounded to the last digit of
v_i, and the term that j receives from i to that of v_j. If the two vectors are of similar size, nothing is lost over
the network, and the sum of the v_i is preserved. The dense product is rounded once for each agent, so the sum may
change by a few last digits a round.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jax import lax
from jaxtyping import Array, Float

from hypergossip.core.algorithm import ChangingOracles, WorldOracles
from hypergossip.support.pytree import register_pytree

MIXINGS = ("auto", "dense", "neighbours", "edges")
# Thresholds that select the fastest form on a CPU (benchmarks/mixing.py):
FEW_COLUMNS = 16  # with at most this many columns a padded list is at most two microseconds slower than a dense product
DEGREES_IN_COLUMNS = 6  # a padded list is faster if the columns are at least this many times the largest degree
EDGES_IN_ENTRIES = 50  # a list of edges is faster than a dense product of at least this many times as many entries


class OnOneDevice:
    """An operator whose agents are all on one device."""

    def table(self, vectors: Array) -> Array:
        """Returns the table whose rows the lists name: every agent's vectors, which are all on this device."""
        return vectors

    def gather(self, vectors: Array, agents: int) -> Array:
        """Returns every agent's vectors, (agents, ...), which are all on this device."""
        return vectors


class Constant(OnOneDevice):
    """An operator that is the same in every round and for every message."""

    def at(self, round: Any) -> Any:
        """Returns the operator of a round."""
        return self

    def of(self, weights: str | None) -> Any:
        """Returns the operator for the weights that a message asks for: W is both row and column stochastic."""
        return self


@register_pytree()
@dataclass(frozen=True)
class Dense(Constant):
    """W as a dense matrix: one matrix product with the differences from the table's first row.

    Attributes:
        weights: W, (agents, table), its columns in the order of the table.
    """

    weights: Any

    def apply(self, table: Float[Array, "table entries"]) -> Float[Array, "agents entries"]:
        """Returns W table."""
        # Any row is suitable, but not the mean, because the computed mean of equal rows need not equal them.
        first = table[:1]
        return first + jnp.dot(self.weights.astype(table.dtype), table - first, precision=lax.Precision.HIGHEST)


@register_pytree()
@dataclass(frozen=True)
class Neighbours(Constant):
    """W as lists of neighbours, padded to the largest degree with weight zero: one gather for each neighbour.

    Attributes:
        indices: The neighbours' rows of the table, (degree, agents); agent i is row i.
        weights: The weights W_ij of these neighbours, (degree, agents).
    """

    indices: Any
    weights: Any

    def apply(self, table: Float[Array, "table entries"]) -> Float[Array, "agents entries"]:
        """Returns W table."""
        weights = self.weights.astype(table.dtype)
        degree, agents = self.indices.shape
        own = total = table[:agents]
        for k in range(degree):
            total = total + weights[k][:, None] * (table[self.indices[k]] - own)
        return total

    @property
    def lists(self) -> "Neighbours":
        """The lists of the agents' neighbours in the table."""
        return self


@register_pytree("agents")
@dataclass(frozen=True)
class Edges(Constant):
    """W as a list of its entries, for graphs whose degrees differ widely, such as a star.

    Attributes:
        rows: The row of each entry of W off the diagonal, (entries,), sorted; agent i is row i of the table.
        columns: The other agent's row of the table, (entries,).
        weights: The weights, (entries,).
        agents: The number of agents. Static.
    """

    rows: Any
    columns: Any
    weights: Any
    agents: int

    def apply(self, table: Float[Array, "table entries"]) -> Float[Array, "agents entries"]:
        """Returns W table."""
        own = table[: self.agents]
        here = own[self.rows]
        moved = here + self.weights.astype(table.dtype)[:, None] * (table[self.columns] - here)
        # The subtraction rounds each term as if it were the only one that is added.
        received = jax.ops.segment_sum(moved - here, self.rows, self.agents, indices_are_sorted=True)
        return own + received


Mixing = Any  # one of the above, or an engine's own class with the same methods


def choose(mixing: scipy.sparse.csr_array, form: str = "auto") -> Dense | Neighbours | Edges:
    """Converts a sparse mixing matrix into a given form, or into the fastest one.

    Args:
        mixing: W, (agents, table), with row sums 1; its first square block belongs to the agents themselves.
        form: "auto", or one of "dense", "neighbours", "edges".

    Raises:
        ValueError: If the form is unknown.
    """
    if form not in MIXINGS:
        raise ValueError(f"mixing is {form!r}; choose one of {', '.join(MIXINGS)}.")
    agents, columns = (int(size) for size in np.asarray(mixing.shape))
    dtype = jnp.result_type(float)
    others = (mixing - scipy.sparse.diags_array(mixing.diagonal(), shape=mixing.shape)).tocsr()
    others.eliminate_zeros()
    degrees = np.diff(others.indptr)
    degree = int(degrees.max(initial=0))
    if form == "auto":
        form = _fastest_form(agents, columns, degree, others.nnz)
    if form == "dense" or columns == 1:
        return Dense(jnp.asarray(mixing.toarray(), dtype))
    rows = np.repeat(np.arange(agents), degrees)
    if form == "edges":
        return Edges(jnp.asarray(rows), jnp.asarray(others.indices), jnp.asarray(others.data, dtype), agents)
    place = np.arange(others.nnz) - np.repeat(others.indptr[:-1], degrees)
    indices, weights = np.tile(np.arange(agents, dtype=np.int32), (degree, 1)), np.zeros((degree, agents))
    indices[place, rows], weights[place, rows] = others.indices, others.data
    return Neighbours(jnp.asarray(indices), jnp.asarray(weights, dtype))


def neighbour_lists(mixing: scipy.sparse.csr_array) -> Neighbours:
    """Converts a sparse mixing matrix of several agents into lists of neighbours.

    Args:
        mixing: W, (agents, agents).
    """
    lists = choose(mixing, "neighbours")
    assert isinstance(lists, Neighbours)
    return lists


def _fastest_form(agents: int, columns: int, degree: int, edges: int) -> str:
    if columns <= FEW_COLUMNS or degree * DEGREES_IN_COLUMNS <= columns:
        return "neighbours"
    return "edges" if edges * EDGES_IN_ENTRIES <= agents * columns else "dense"


def enter(oracles: Any, mixing: Mixing, round: Any, alone: bool = False) -> Any:
    """Returns an agent's oracles in a round, connected to the other agents' if they share a world.

    Args:
        oracles: The agent's oracles.
        mixing: The operator by which the agents average; its `gather` collects their vectors.
        round: The round.
        alone: Whether there is one agent, and therefore no `vmap` over the agents.
    """
    if isinstance(oracles, ChangingOracles):
        oracles = oracles.in_round(round)
    if alone or not isinstance(oracles, WorldOracles):
        return oracles  # a single agent has every role in its world
    gather = _gather(oracles.agents)
    return oracles.within(lambda vector: gather(mixing, vector))


@cache
def _gather(agents: int) -> Any:
    """Returns a function that collects every agent's array; `vmap` over the agents turns it into ``mixing.gather``."""

    @jax.custom_batching.custom_vmap
    def gather(mixing: Mixing, vector: Any) -> Any:
        return jnp.broadcast_to(vector, (agents, *vector.shape))

    @gather.def_vmap
    def _over_agents(axis_size: int, in_batched: list, mixing: Mixing, vectors: Any) -> tuple[Any, bool]:
        # It is equal for all agents, so it is not mapped. Its consequences, such as the next state, are computed once.
        if not in_batched[1]:
            return jnp.broadcast_to(vectors, (agents, *vectors.shape)), False
        return mixing.gather(vectors, agents), False

    return gather


@jax.custom_batching.custom_vmap
def average(mixing: Mixing, vector: Float[Array, "entries"]) -> Float[Array, "entries"]:
    """Averages one agent's vector with its neighbours'; `vmap` over the agents turns it into ``mixing.apply``."""
    return vector


@average.def_vmap
def _average_over_agents(axis_size: int, in_batched: list, mixing: Mixing, vectors: Any) -> tuple[Any, bool]:
    if not in_batched[1]:
        return vectors, False  # all agents have the same vector, and W is stochastic
    return mixing.apply(vectors), True
