"""What every agent does by itself, for some agents at a time: data are copied to float64 for those alone."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hypergossip.core.agent_data.axis import is_packed, number_of_agents
from hypergossip.support.devices import mesh_of
from hypergossip.support.float64 import to_float64

BLOCK_BYTES = 32e6  # of agents' data in float64 at a time


def agents_at_a_time(oracles: Any) -> int | None:
    """Returns for how many agents to measure at a time; None for all, where a copy of their data in float64 is small.

    Args:
        oracles: Every agent's oracles, leaves (agents, ...) or `Packed`. Of agents that are spread over devices it is
            so many on each.
    """
    if is_packed(oracles):
        return None  # on all their rows they are computed one after another
    agents, mesh = number_of_agents(oracles), mesh_of(oracles)
    here = agents if mesh is None else agents // mesh.size
    bytes_of_agent = sum(8 * np.size(leaf) for leaf in jax.tree.leaves(oracles)) / agents
    block = int(max(BLOCK_BYTES // max(bytes_of_agent, 1), 1))
    return None if block >= here else block


def in_blocks(function: Callable[..., Any], block: int, index: Any, *arguments: Any) -> Any:
    """Calls a function of one agent, in float64; `vmap` over the agents takes so many of them at a time.

    Args:
        function: Of pytrees of arrays, one agent's.
        block: Agents at a time.
        index: Which agent it is; what is mapped with it is the agents' own.
        arguments: The function's, floating arrays of any precision.
    """

    @jax.custom_batching.custom_vmap
    def call(index: Any, arguments: tuple) -> Any:
        return function(*to_float64(arguments))

    @call.def_vmap
    def _over_agents(agents: int, in_batched: list, index: Any, arguments: tuple) -> tuple[Any, Any]:
        leaves, structure = jax.tree.flatten(arguments)
        mapped = jax.tree.leaves(in_batched[1])
        starts = np.minimum(np.arange(-(-agents // block)) * block, agents - block)

        def of_block(start: Any) -> Any:
            cut = lambda leaf: lax.dynamic_slice_in_dim(leaf, start, block)
            own = [cut(leaf) if own else leaf for leaf, own in zip(leaves, mapped, strict=True)]
            if block == 1:
                # Without an axis of one: with it and without it XLA would hold two copies of the data.
                alone = [leaf[0] if own else leaf for leaf, own in zip(own, mapped, strict=True)]
                found = function(*to_float64(jax.tree.unflatten(structure, alone)))
                return jax.tree.map(lambda leaf: leaf[None], found)
            axes = jax.tree.unflatten(structure, [0 if own else None for own in mapped])
            return jax.vmap(lambda arguments: function(*to_float64(arguments)), (axes,))(
                jax.tree.unflatten(structure, own)
            )

        found = lax.map(of_block, jnp.asarray(starts))
        # The last block begins earlier where the blocks do not divide the agents.
        number = np.arange(agents) // block
        rows = number * block + np.arange(agents) - starts[number]
        joined = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[rows], found)
        return joined, jax.tree.map(lambda _: True, joined)

    return call(index, arguments)
