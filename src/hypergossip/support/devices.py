"""Arrays of agents that are spread over the devices of one or several processes, a block of agents on each device."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding

AXIS = "devices"  # the name of the only axis of a mesh


def mesh_of(tree: Any) -> Mesh | None:
    """Returns the devices over which the agents of a tree are spread, or None if they are not spread.

    Args:
        tree: A pytree of arrays, leaves (agents, ...).
    """
    for leaf in jax.tree.leaves(tree):
        sharding = getattr(leaf, "sharding", None)
        if isinstance(sharding, NamedSharding) and len(sharding.spec) and sharding.spec[0] == AXIS:
            assert isinstance(sharding.mesh, Mesh)  # arrays, and not their shapes, have devices
            return sharding.mesh
    return None


def refuse_several_processes(tree: Any, who: str, remedy: str) -> None:
    """Raises ValueError if agents live in several processes, for operations that need all of them in one.

    Args:
        tree: All agents' oracles.
        who: The name of the operation.
        remedy: What to do instead.
    """
    if jax.process_count() > 1 and mesh_of(tree) is not None:
        raise ValueError(
            f"{who} needs all agents in one process, but the data of these agents were loaded by "
            f"{jax.process_count()} processes, each its own; {remedy}."
        )


def devices_of_all_processes(count: int) -> list[Any]:
    """Returns `count` devices, evenly from every process."""
    processes = jax.process_count()
    shares = [count // processes + (i < count % processes) for i in range(processes)]
    return [d for i, share in enumerate(shares) for d in [d for d in jax.devices() if d.process_index == i][:share]]


def part_of_device(tree: Any, device: Any) -> Any:
    """Returns the blocks that one of this process's devices holds of a tree that is spread over devices."""
    cut = lambda leaf: next(shard.data for shard in leaf.addressable_shards if shard.device == device)
    return jax.tree.map(cut, tree)


def global_array(host: Any, sharding: NamedSharding) -> jax.Array:
    """Makes a global array from a full copy on the host of every process."""
    if jax.process_count() == 1:
        return jax.device_put(host, sharding)
    copy = np.asarray(host)
    copy = copy.astype(jax.dtypes.canonicalize_dtype(copy.dtype), copy=False)
    return jax.make_array_from_callback(copy.shape, sharding, lambda index: copy[index])


def on_devices(function: Callable[..., Any], mesh: Any, in_specs: Any, out_specs: Any) -> Any:
    """Runs a function on every device for its own block of agents.

    Args:
        function: A function of the blocks of one device.
        mesh: The devices.
        in_specs: As for `jax.shard_map`.
        out_specs: Likewise.
    """
    # The types of `jax.shard_map` are not checked: the carry of a loop may start with values that all devices share.
    return jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)


def to_host(tree: Any) -> Any:
    """Returns a tree of arrays as full host arrays on every process. All processes must call it."""

    def whole(leaf: Any) -> np.ndarray:
        if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable or leaf.is_fully_replicated:
            return np.asarray(leaf)
        return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))

    return jax.tree.map(whole, tree)
