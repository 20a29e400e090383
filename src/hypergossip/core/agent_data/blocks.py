"""Local computations for a block of agents at a time, so that only their data are copied to float64."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hypergossip.core.agent_data.axis import is_packed, number_of_agents
from hypergossip.support.devices import mesh_of

BLOCK_BYTES = 64e6  # of agents' data in float64 at a time


def agents_at_a_time(oracles: Any) -> int | None:
    """Returns the number of agents to measure at a time, or None for all if a float64 copy of their data is small.

    Args:
        oracles: Every agent's oracles, leaves (agents, ...) or `Packed`. If the agents are spread over devices, the
            result is the number on each device.
    """
    if is_packed(oracles):
        return None  # packed agents are computed one after another on all their rows
    agents, mesh = number_of_agents(oracles), mesh_of(oracles)
    here = agents if mesh is None else agents // mesh.size
    bytes_of_agent = sum(8 * np.size(leaf) for leaf in jax.tree.leaves(oracles)) / agents
    block = int(max(BLOCK_BYTES // max(bytes_of_agent, 1), 1))
    if block >= here:
        return None
    blocks = -(-here // block)
    return -(-here // blocks)  # blocks of nearly equal size, as the last one is filled up with agents measured before


def in_blocks(function: Callable[..., Any], block: int, index: Any, *arguments: Any) -> Any:
    """Calls a function of one agent. `vmap` over the agents computes a block of them at a time.

    Args:
        function: A function of pytrees of arrays of one agent.
        block: The number of agents at a time.
        index: The agent's number. Arguments that are mapped together with it belong to the agents.
        arguments: The arguments of the function, which casts large ones itself, so that a block at a time is cast.
    """

    @jax.custom_batching.custom_vmap
    def call(index: Any, arguments: tuple) -> Any:
        return function(*arguments)

    @call.def_vmap
    def _over_agents(agents: int, in_batched: list, index: Any, arguments: tuple) -> tuple[Any, Any]:
        leaves, structure = jax.tree.flatten(arguments)
        mapped = jax.tree.leaves(in_batched[1])
        starts = np.minimum(np.arange(-(-agents // block)) * block, agents - block)

        def of_block(start: Any) -> Any:
            cut = lambda leaf: lax.dynamic_slice_in_dim(leaf, start, block)
            own = [cut(leaf) if own else leaf for leaf, own in zip(leaves, mapped, strict=True)]
            if block == 1:
                # Drop the axis of size one, as XLA would otherwise hold two copies of the data.
                alone = [leaf[0] if own else leaf for leaf, own in zip(own, mapped, strict=True)]
                found = function(*jax.tree.unflatten(structure, alone))
                return jax.tree.map(lambda leaf: leaf[None], found)
            axes = jax.tree.unflatten(structure, [0 if own else None for own in mapped])
            return jax.vmap(lambda arguments: function(*arguments), (axes,))(jax.tree.unflatten(structure, own))

        found = lax.map(of_block, jnp.asarray(starts))
        # The last block begins earlier if the block size does not divide the number of agents.
        number = np.arange(agents) // block
        rows = number * block + np.arange(agents) - starts[number]
        joined = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[rows], found)
        return joined, jax.tree.map(lambda _: True, joined)

    return call(index, arguments)
