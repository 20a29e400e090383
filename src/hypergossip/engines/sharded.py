"""Agents on several devices and processes: `shard_map` over blocks of agents, which exchange rows by permutations."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from hypergossip.channels.stack import Stack
from hypergossip.core.agent_data.axis import dealt, take_agents
from hypergossip.core.algorithm import Algorithm, Cost
from hypergossip.core.flat_messages import Spaces
from hypergossip.engines.arrays import ArraySession
from hypergossip.engines.engine import Job
from hypergossip.engines.halo import Halo, deal, halo_of
from hypergossip.engines.lifting import Placed, initial_states, run_rounds
from hypergossip.engines.mixing import MIXINGS
from hypergossip.support.compilation import compiled
from hypergossip.support.devices import AXIS, devices_of_all_processes, global_array, mesh_of, on_devices, to_host
from hypergossip.support.processes import gather


@dataclass(frozen=True)
class Sharded:
    """Runs blocks of agents on several devices, of one process or of all processes of `jax.distributed`.

    Every process builds the same problem and network and calls `solve` with the same arguments. Each gets the whole
    result, and process 0 writes the files. In every round a device sends only the rows that other devices average: on a
    ring, one in each direction.

    If the number of agents is a multiple of the number of devices, state and data stay distributed over the devices.
    Otherwise some devices run an agent twice (`hypergossip.engines.halo.deal`), and between chunks of rounds every
    device holds a copy of all agents.

    Args:
        devices: The number of devices, distributed evenly over the processes; None uses all. It is at most the number
            of agents.
        mixing: The form in which a device averages its own and the received rows, as for `Simulated`.
    """

    devices: int | None = None
    mixing: str = "auto"

    def open(self, job: Job) -> "ShardedSession":
        """Puts each device's agents on the device and returns the session.

        Raises:
            ValueError: If there are too few devices, fewer agents than processes, or no such form of mixing.
        """
        if self.mixing not in MIXINGS:
            raise ValueError(f"mixing is {self.mixing!r}; choose one of {', '.join(MIXINGS)}.")
        problem = job.problem
        mesh = self._mesh(problem)
        rows = deal(problem.agents, mesh.size)
        even = rows.size == problem.agents
        sharding = NamedSharding(mesh, P(AXIS) if even else P())
        oracles = problem.oracles
        if mesh_of(oracles) is None:
            oracles = _put(dealt(oracles, rows) if even else oracles, sharding)
        identities = _put(problem.identities, sharding)
        form = self.mixing if job.channel is None else "neighbours"
        halo = _put(halo_of(job.network, rows, form), NamedSharding(mesh, P(AXIS)))
        return ShardedSession(job, Placed(oracles, identities, halo))

    def _mesh(self, problem: Any) -> Mesh:
        """Returns the devices to run on: those that hold the agents' data, if each process has loaded its own."""
        loaded = mesh_of(problem.oracles)
        if loaded is None:
            return Mesh(np.asarray(_devices(self.devices, problem.agents)), (AXIS,))
        if self.devices not in (None, loaded.size):
            raise ValueError(
                f"devices is {self.devices}, but the agents' data were loaded onto {loaded.size} devices; omit devices."
            )
        return loaded


class ShardedSession(ArraySession):
    """A job on several devices, of one process or of several."""

    @property
    def is_leader(self) -> bool:
        """Whether this is process 0."""
        return jax.process_index() == 0

    def all_gather(self, *numbers: float | int) -> np.ndarray:
        """Returns every process's numbers, (processes, numbers), process 0 first. All processes must call it."""
        return gather(np.asarray(numbers, np.float64))

    def start(self, x: Any, y: Any) -> Any:
        """Returns every agent's state before round 0."""
        job, sharding = self.job, _of_states(self.placed)
        return self.linked(_start(job.algorithm, job.swept, self.placed, *self.put((x, y)), job.keys, sharding))

    def advance(self, state: Any, first: int, last: int) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1 and waits for them."""
        job, bounds = self.job, (np.int32(first), np.int32(last))
        setting = job.algorithm, job.swept, self.placed, self.spaces, state, job.keys
        return jax.block_until_ready(_advance(*setting, *bounds, _of_states(self.placed), job.channel))

    def put(self, tree: Any) -> Any:
        """Puts a tree of host arrays, with leaves (runs, agents, ...), on the devices."""
        return _put(tree, _of_states(self.placed))

    def to_host(self, tree: Any) -> Any:
        """Returns a tree of device arrays as host arrays, on every process."""
        return to_host(tree)


def _devices(wanted: int | None, agents: int) -> list[Any]:
    """Returns this number of devices (all if None, at most one for each agent), evenly from every process."""
    everywhere, processes = jax.devices(), jax.process_count()
    if wanted is not None and (isinstance(wanted, bool) or not 1 <= wanted <= len(everywhere)):
        raise ValueError(
            f"devices is {wanted!r}, and there are {len(everywhere)}; give a number from 1 to {len(everywhere)}, or "
            'None for all. On a CPU, jax.config.update("jax_num_cpu_devices", n) creates n devices; call it before '
            "JAX is used."
        )
    count = min(wanted or len(everywhere), agents)
    if count < processes:
        raise ValueError(
            f"{processes} processes cannot share {count} {'agents' if count == agents else 'devices'}; "
            f"start at most {count} processes."
        )
    return devices_of_all_processes(count)


def _put(tree: Any, sharding: NamedSharding) -> Any:
    """Makes global arrays of a tree of host arrays; every process has a copy of them."""
    return jax.tree.map(lambda leaf: global_array(leaf, sharding), tree)


def _of_states(placed: Placed) -> NamedSharding:
    """Returns the sharding of states between chunks, whose leaves are (runs, agents, ...)."""
    of_agents = placed.identities.sharding
    return NamedSharding(of_agents.mesh, P(None, *of_agents.spec) if len(of_agents.spec) else P())


@compiled("swept", "sharding")
def _start(
    algorithm: Algorithm, swept: bool, placed: Placed, x: Any, y: Any, keys: Any, sharding: NamedSharding
) -> Any:
    """`initial_states` on every device for its own agents, or for all agents if devices run an agent twice."""
    mesh, of_agents, of_states = sharding.mesh, P(*sharding.spec[1:]), sharding.spec

    def on_device(algorithm: Algorithm, oracles: Any, identities: Any, x: Any, y: Any, keys: Any) -> Any:
        return initial_states(algorithm, swept, Placed(oracles, identities, ()), x, y, keys)

    specs = P(), of_agents, of_agents, of_states, of_states, P()
    start = on_devices(on_device, mesh, specs, of_states)
    return start(algorithm, placed.oracles, placed.identities, x, y, keys)


@compiled("swept", "spaces", "sharding", "channel")
def _advance(
    algorithm: Algorithm,
    swept: bool,
    placed: Placed,
    spaces: Spaces,
    state: Any,
    keys: Any,
    first: Any,
    last: Any,
    sharding: NamedSharding,
    channel: Stack | None = None,
) -> tuple[Any, Cost]:
    """`run_rounds` on every device for its own agents; `sharding` is that of states between chunks."""
    mesh, agents = sharding.mesh, placed.identities.size
    rows = deal(agents, mesh.size)
    even = rows.size == agents

    def on_device(
        algorithm: Algorithm, placed: Placed, own: Any, state: Any, keys: Any, first: Any, last: Any
    ) -> tuple[Any, Cost]:
        mixing: Halo = placed.mixing.on_device()
        oracles, identities = placed.oracles, placed.identities
        if not even:
            oracles, identities = take_agents(oracles, own[0]), identities[own[0]]
            state = jax.tree.map(lambda leaf: leaf[:, own[0]], state)
        placed = Placed(oracles, identities, mixing)
        return run_rounds(algorithm, swept, placed, spaces, state, keys, first, last, channel)

    # The axis of runs is mapped inside, because JAX refuses collectives over a mesh axis and a `vmap` axis at once.
    of_agents, of_states = sharding.spec[1:], sharding.spec
    specs = P(), Placed(P(*of_agents), P(*of_agents), P(AXIS)), P(AXIS), of_states, P(), P(), P()
    run = on_devices(on_device, mesh, specs, P(None, AXIS))
    done = run(algorithm, placed, jnp.asarray(rows), state, keys, first, last)
    if not even:
        once = np.unique(rows, return_index=True)[1]  # the index of every agent's first row
        done = jax.tree.map(lambda leaf: leaf[:, once], done)
    return lax.with_sharding_constraint(done, sharding)
