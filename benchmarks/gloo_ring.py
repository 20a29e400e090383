"""Processes that pass vectors around a ring by JAX's own collectives on CPUs (gloo), which do not encrypt."""

import socket
from multiprocessing.connection import Connection

from benchmarks.process_group import ProcessGroup, asked


def gloo_ring(agents: int, entries: int) -> ProcessGroup:
    """Returns processes that send a vector to both neighbours in every round.

    Args:
        agents: The number of processes.
        entries: The number of entries of a vector, in float32.
    """
    with socket.create_server(("127.0.0.1", 0)) as one:
        address = f"127.0.0.1:{one.getsockname()[1]}"
    return ProcessGroup(_pass_around, [(address, i, agents, entries) for i in range(agents)])


def _pass_around(pipe: Connection, address: str, i: int, agents: int, entries: int) -> None:
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, agents, i)
    spec = PartitionSpec("agents")
    mesh = Mesh(jax.devices(), ("agents",))

    def around(x: jax.Array) -> jax.Array:
        to_next = [(k, (k + 1) % agents) for k in range(agents)]
        to_last = [(k, (k - 1) % agents) for k in range(agents)]
        return (x + jax.lax.ppermute(x, "agents", to_next) + jax.lax.ppermute(x, "agents", to_last)) / 3

    program = jax.jit(jax.shard_map(around, mesh=mesh, in_specs=spec, out_specs=spec))
    own = jnp.ones((1, entries), jnp.float32)
    x = jax.make_array_from_process_local_data(NamedSharding(mesh, spec), own)
    x = jax.block_until_ready(program(x))
    for count in asked(pipe):
        for _ in range(count):
            x = jax.block_until_ready(program(x))
    jax.distributed.shutdown()
