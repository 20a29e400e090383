"""The weighted average over the neighbours as a linear operator on the agents' vectors, in three forms.

W is stochastic, so W v = v + (W - I) v, and every form computes it by differences: v_i + sum_j W_ij (v_j - v_i), or the
same from another agent's vector. W's entries rounded to float32 do not sum to one, and what sums round-off up, such as
a dual variable, would wander away with W v as it stands. Differences of equal vectors are zero: where the agents agree
nothing changes, to the last bit, however the weights are rounded.

The lists also add one neighbour after the other. What i receives from j is then rounded to the last digit of v_i, as
what j receives from i is to that of v_j: where the two are alike nothing is lost over the network, and the sum of the
v_i stays. The product is rounded once, each agent's for itself, so its sum may move by a few last digits a round.
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

from hypergossip.core.algorithm import WorldOracles
from hypergossip.support.pytree import register_pytree

MIXINGS = ("auto", "dense", "neighbours", "edges")
# Where each form is the fastest on a CPU (benchmarks/mixing.py):
FEW_COLUMNS = 16  # up to so many columns a padded list costs two microseconds more than a dense product at most
DEGREES_IN_COLUMNS = 6  # a padded list wins while the largest degree fits so often into the columns
EDGES_IN_ENTRIES = 50  # a list of edges wins over a dense product while they fit so often into its entries


@register_pytree()
@dataclass(frozen=True)
class Dense:
    """W as a matrix: one matrix product, of the differences from the table's first row.

    Attributes:
        weights: (agents, table): W, its columns in the table's order.
    """

    weights: Any

    def apply(self, table: Float[Array, "table entries"]) -> Float[Array, "agents entries"]:
        """Returns W table."""
        # Any row would do, but not the mean: the computed mean of equal rows need not equal them.
        first = table[:1]
        return first + jnp.dot(self.weights.astype(table.dtype), table - first, precision=lax.Precision.HIGHEST)

    def gather(self, vectors: Array, agents: int) -> Array:
        """Returns every agent's vectors, (agents, ...): they are here."""
        return vectors


@register_pytree()
@dataclass(frozen=True)
class Neighbours:
    """W as a list of neighbours, padded to the largest degree with weight zero: one gather a neighbour.

    Attributes:
        indices: (degree, agents) rows of the table; agent i is row i.
        weights: (degree, agents) W_ij of those neighbours.
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

    def gather(self, vectors: Array, agents: int) -> Array:
        """Returns every agent's vectors, (agents, ...): they are here."""
        return vectors


@register_pytree("agents")
@dataclass(frozen=True)
class Edges:
    """W as a list of its entries: for graphs whose degrees differ widely, as a star's.

    Attributes:
        rows: (entries of W off the diagonal,) sorted; agent i is row i of the table.
        columns: (entries,) rows of the table.
        weights: (entries,).
        agents: How many. Static.
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
        # Less what it was added to: rounded as if it were the only one that is added.
        received = jax.ops.segment_sum(moved - here, self.rows, self.agents, indices_are_sorted=True)
        return own + received

    def gather(self, vectors: Array, agents: int) -> Array:
        """Returns every agent's vectors, (agents, ...): they are here."""
        return vectors


Mixing = Any  # one of the above, or an engine's own with the same `apply`


def choose(mixing: scipy.sparse.csr_array, form: str = "auto") -> Dense | Neighbours | Edges:
    """Turns a sparse mixing matrix into its cheapest form.

    Args:
        mixing: (agents, table) W, rows with sum 1; its first square block belongs to the agents themselves.
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
        form = _cheapest(agents, columns, degree, others.nnz)
    if form == "dense" or columns == 1:
        return Dense(jnp.asarray(mixing.toarray(), dtype))
    rows = np.repeat(np.arange(agents), degrees)
    if form == "edges":
        return Edges(jnp.asarray(rows), jnp.asarray(others.indices), jnp.asarray(others.data, dtype), agents)
    place = np.arange(others.nnz) - np.repeat(others.indptr[:-1], degrees)
    indices, weights = np.tile(np.arange(agents, dtype=np.int32), (degree, 1)), np.zeros((degree, agents))
    indices[place, rows], weights[place, rows] = others.indices, others.data
    return Neighbours(jnp.asarray(indices), jnp.asarray(weights, dtype))


def _cheapest(agents: int, columns: int, degree: int, edges: int) -> str:
    if columns <= FEW_COLUMNS or degree * DEGREES_IN_COLUMNS <= columns:
        return "neighbours"
    return "edges" if edges * EDGES_IN_ENTRIES <= agents * columns else "dense"


def enter(oracles: Any, mixing: Mixing, alone: bool = False) -> Any:
    """Returns an agent's oracles within its world, where they have one.

    Args:
        oracles: The agent's.
        mixing: How the agents average; it knows where they are.
        alone: Is there no `vmap` over the agents, since there is one?
    """
    if alone or not isinstance(oracles, WorldOracles):
        return oracles  # alone, an agent plays every part
    gather = _gather(oracles.agents)
    return oracles.within(lambda vector: gather(mixing, vector))


@cache
def _gather(agents: int) -> Any:
    """Makes what collects an array of every agent; `vmap` over the agents turns it into ``mixing.gather``."""

    @jax.custom_batching.custom_vmap
    def gather(mixing: Mixing, vector: Any) -> Any:
        return jnp.broadcast_to(vector, (agents, *vector.shape))

    @gather.def_vmap
    def _over_agents(axis_size: int, in_batched: list, mixing: Mixing, vectors: Any) -> tuple[Any, bool]:
        # The same for all, so it is not mapped: what follows from it, such as the world's next state, is computed once.
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
        return vectors, False  # the same vector everywhere: W is stochastic
    return mixing.apply(vectors), True
