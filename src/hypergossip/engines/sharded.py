"""The agents over several devices and processes: `shard_map` over blocks of agents, rows permuted between them."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from hypergossip.algorithm import Algorithm, Cost
from hypergossip.compilation import compiled
from hypergossip.engines.arrays import ArraySession
from hypergossip.engines.engine import Job
from hypergossip.engines.halo import AXIS, Halo, deal, make_halo
from hypergossip.engines.lifting import Placed, initial_states, run_rounds
from hypergossip.engines.mixing import MIXINGS
from hypergossip.messages import Spaces


@dataclass(frozen=True)
class Sharded:
    """Runs blocks of agents on several devices, of one process or of all processes of `jax.distributed`.

    Every process makes the same problem and network and calls `solve` alike; each gets the whole result, and process 0
    writes the files. In every round a device sends only those rows that other devices average: on a ring one each way.

    A number of agents that is a multiple of the devices spreads state and data over them for good. Otherwise some
    devices run an agent twice (`hypergossip.engines.halo.deal`), and between chunks of rounds every device holds a
    copy of all.

    Args:
        devices: How many devices, spread evenly over the processes; all if absent. Never more than agents.
        mixing: How a device averages its own and the received rows, as for `Simulated`.
    """

    devices: int | None = None
    mixing: str = "auto"

    def open(self, job: Job) -> "ShardedSession":
        """Puts each device's agents there.

        Raises:
            ValueError: If there are not so many devices, fewer agents than processes, or no such form of mixing.
        """
        if self.mixing not in MIXINGS:
            raise ValueError(f"mixing is {self.mixing!r}; choose one of {', '.join(MIXINGS)}.")
        problem = job.problem
        mesh = Mesh(np.asarray(_devices(self.devices, problem.agents)), (AXIS,))
        rows = deal(problem.agents, mesh.size)
        even = rows.size == problem.agents
        shared = lambda tree, spec: jax.tree.map(lambda leaf: _put(leaf, NamedSharding(mesh, spec)), tree)
        oracles, identities = shared((problem.oracles, problem.identities), P(AXIS) if even else P())
        halo = shared(make_halo(job.network.mixing, rows, self.mixing), P(AXIS))
        return ShardedSession(job, Placed(oracles, identities, halo))


class ShardedSession(ArraySession):
    """A job on several devices, of one process or of several."""

    @property
    def leads(self) -> bool:
        """Is this process 0?"""
        return jax.process_index() == 0

    def tell(self, *numbers: float | int) -> np.ndarray:
        """Returns what every process told, (processes, numbers); process 0 first. All must call it."""
        mine = np.asarray(numbers, np.float64)
        if jax.process_count() == 1:
            return mine[None]
        # As 32-bit words, because without JAX's x64 switch float64 would be rounded on its way.
        words = multihost_utils.process_allgather(mine.view(np.uint32))
        return np.ascontiguousarray(words).view(np.float64)

    def start(self, x: Any, y: Any) -> Any:
        """Returns every agent's state before round 0."""
        job, sharding = self.job, _of_states(self.placed)
        return _start(job.algorithm, job.swept, self.placed, *self.put((x, y)), job.keys, sharding)

    def advance(self, state: Any, first: int, last: int) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1 and waits for them."""
        job, bounds = self.job, (np.int32(first), np.int32(last))
        return jax.block_until_ready(
            _advance(
                job.algorithm, job.swept, self.placed, self.spaces, state, job.keys, *bounds, _of_states(self.placed)
            )
        )

    def put(self, tree: Any) -> Any:
        """Puts a tree of host arrays, leaves (runs, agents, ...), on the devices."""
        return jax.tree.map(lambda leaf: _put(leaf, _of_states(self.placed)), tree)

    def fetch(self, tree: Any) -> Any:
        """Returns a tree of device arrays as host arrays, on every process."""

        def whole(leaf: Any) -> np.ndarray:
            if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable or leaf.is_fully_replicated:
                return np.asarray(leaf)
            return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))

        return jax.tree.map(whole, tree)


def _devices(wanted: int | None, agents: int) -> list[Any]:
    """Returns so many devices (all if None, at most one an agent), evenly from every process."""
    everywhere, processes = jax.devices(), jax.process_count()
    if wanted is not None and (isinstance(wanted, bool) or not 1 <= wanted <= len(everywhere)):
        raise ValueError(
            f"devices is {wanted!r}, and there are {len(everywhere)}: give a number from 1 to {len(everywhere)}, or "
            'None for all. On a CPU, jax.config.update("jax_num_cpu_devices", n) makes n of them, before JAX is used.'
        )
    count = min(wanted or len(everywhere), agents)
    if count < processes:
        raise ValueError(
            f"{processes} processes cannot share {count} {'agents' if count == agents else 'devices'}: "
            f"start at most {count} processes."
        )
    shares = [count // processes + (i < count % processes) for i in range(processes)]
    return [d for i, share in enumerate(shares) for d in [d for d in everywhere if d.process_index == i][:share]]


def _put(leaf: Any, sharding: NamedSharding) -> Any:
    """Makes a global array of a whole copy on every process' host."""
    if jax.process_count() == 1:
        return jax.device_put(leaf, sharding)
    host = np.asarray(leaf)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _of_states(placed: Placed) -> NamedSharding:
    """Returns the sharding of states between chunks, leaves (runs, agents, ...)."""
    of_agents = placed.identities.sharding
    return NamedSharding(of_agents.mesh, P(None, *of_agents.spec) if len(of_agents.spec) else P())


@compiled("swept", "sharding")
def _start(
    algorithm: Algorithm, swept: bool, placed: Placed, x: Any, y: Any, keys: Any, sharding: NamedSharding
) -> Any:
    return lax.with_sharding_constraint(initial_states(algorithm, swept, placed, x, y, keys), sharding)


@compiled("swept", "spaces", "sharding")
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
            oracles, identities = jax.tree.map(lambda leaf: leaf[own[0]], (oracles, identities))
            state = jax.tree.map(lambda leaf: leaf[:, own[0]], state)
        return run_rounds(algorithm, swept, Placed(oracles, identities, mixing), spaces, state, keys, first, last)

    # The runs' axis is mapped inside: collectives over a mesh axis and a `vmap` axis at once are refused.
    of_agents, of_states = sharding.spec[1:], sharding.spec
    states_out = P(None, AXIS)
    done = jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(P(), Placed(P(*of_agents), P(*of_agents), P(AXIS)), P(AXIS), of_states, P(), P(), P()),
        out_specs=states_out,
        check_vma=False,  # the loop's carry starts with zeros, which are the same on all devices
    )(algorithm, placed, jnp.asarray(rows), state, keys, first, last)
    if not even:
        once = np.unique(rows, return_index=True)[1]  # the first row of every agent
        done = jax.tree.map(lambda leaf: leaf[:, once], done)
    return lax.with_sharding_constraint(done, sharding)
