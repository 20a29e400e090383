"""Arrays of agents spread over devices, of one process or of several: each device holds a block of agents."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding

AXIS = "devices"  # the name of a mesh's only axis


def mesh_of(tree: Any) -> Mesh | None:
    """Returns the devices over which the agents of a tree are spread; None where they are in one place, or everywhere.

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
    """Raises ValueError where agents live in several processes, for what wants all of them in one.

    Args:
        tree: All agents' oracles.
        who: What wants them.
        remedy: What to do instead.
    """
    if jax.process_count() > 1 and mesh_of(tree) is not None:
        raise ValueError(
            f"{who} needs all agents in one process, and these agents' data were loaded by {jax.process_count()} "
            f"processes, each its own; {remedy}."
        )


def devices_of_all_processes(count: int) -> list[Any]:
    """Returns so many devices, evenly from every process."""
    processes = jax.process_count()
    shares = [count // processes + (i < count % processes) for i in range(processes)]
    return [d for i, share in enumerate(shares) for d in [d for d in jax.devices() if d.process_index == i][:share]]


def part_of_device(tree: Any, device: Any) -> Any:
    """Returns the blocks of one of this process's devices, of a tree that is spread over devices."""
    cut = lambda leaf: next(shard.data for shard in leaf.addressable_shards if shard.device == device)
    return jax.tree.map(cut, tree)


def global_array(host: Any, sharding: NamedSharding) -> jax.Array:
    """Makes a global array of a whole copy on every process' host."""
    if jax.process_count() == 1:
        return jax.device_put(host, sharding)
    copy = np.asarray(host)
    copy = copy.astype(jax.dtypes.canonicalize_dtype(copy.dtype), copy=False)
    return jax.make_array_from_callback(copy.shape, sharding, lambda index: copy[index])


def on_devices(function: Callable[..., Any], mesh: Any, in_specs: Any, out_specs: Any) -> Any:
    """Runs a function on every device for its own block of agents.

    Args:
        function: Of one device's blocks.
        mesh: The devices.
        in_specs: As for `jax.shard_map`.
        out_specs: Likewise.
    """
    # The types of `jax.shard_map` are not checked: a loop's carry may begin with what is the same on all devices.
    return jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)


def to_host(tree: Any) -> Any:
    """Returns a tree of arrays as host arrays, whole on every process; all processes must call it."""

    def whole(leaf: Any) -> np.ndarray:
        if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable or leaf.is_fully_replicated:
            return np.asarray(leaf)
        return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))

    return jax.tree.map(whole, tree)
