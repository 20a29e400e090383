"""The engine `Peers`: every agent in a process of its own, and its messages over a real network."""

import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.channels.delay import Delay
from hypergossip.channels.edge_sums import EdgeSums
from hypergossip.core.agent_data.axis import take_agents
from hypergossip.core.algorithm import Cost, WorldOracles
from hypergossip.engines.arrays import ArraySession
from hypergossip.engines.engine import Job
from hypergossip.engines.lifting import Placed
from hypergossip.engines.links import neighbourhoods
from hypergossip.engines.mixing import neighbour_lists
from hypergossip.engines.over_time import is_plain
from hypergossip.peers.agent_processes import AgentProcesses
from hypergossip.peers.agent_settings import Policy
from hypergossip.peers.certificates import Authority
from hypergossip.peers.link_faults import LinkFaults
from hypergossip.peers.worker import WorkerSettings
from hypergossip.support.devices import refuse_several_processes
from hypergossip.support.ports import free_ports

OPTIONS = ("jax_enable_x64", "jax_numpy_dtype_promotion", "jax_default_matmul_precision", "jax_threefry_partitionable")
MEETING_SECONDS = 60.0


@dataclass(frozen=True)
class Peers:
    """Runs every agent in a process of its own on this machine; neighbours send their messages over a network.

    The agents talk to their neighbours only, by Eclipse Zenoh over mutual TLS. This process gives each agent its own
    data, starts the rounds and collects the points for the history; it takes no part in the rounds.

    Args:
        policy: What an agent does when a neighbour's message has not come: "wait", "deadline", "quorum", or `Policy`.
        encrypted: Whether the links use mutual TLS, with certificates made for this run.
        faults: Artificial faults of the links, for tests: (sender's, receiver's position) -> `LinkFaults`, or one for
            all links. Each link draws its own.

    Raises:
        ValueError: If the policy is unknown.
    """

    policy: str | Policy = "wait"
    encrypted: bool = True
    faults: LinkFaults | Mapping[tuple[int, int], LinkFaults] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.policy, Policy):
            object.__setattr__(self, "policy", Policy(self.policy))

    def open(self, job: Job) -> "PeersSession":
        """Starts the agents' processes and waits until all neighbours have met.

        Raises:
            ValueError: If the engine cannot run the job.
            PeersError: If an agent's process fails.
        """
        refuse_several_processes(job.problem.oracles, "Peers", "use engine=Sharded()")
        _check(job, self.policy)
        return PeersSession(job, Placed(job.problem.oracles, job.problem.identities, None), self)


def _check(job: Job, policy: Any) -> None:
    """Raises ValueError if a job cannot run over a network."""
    if not is_plain(job.network) or (job.network.mixing != job.network.mixing.T).nnz:
        raise ValueError(
            "Peers: a link exists for the whole run, in both directions, but this network is directed or changes over "
            "time; use engine=Simulated(), or a network with one symmetric mixing matrix."
        )
    if isinstance(take_agents(job.problem.oracles, 0), WorldOracles):
        raise ValueError(
            "Peers: the agents of this game share one world, which no agent of a network has; use engine=Simulated()."
        )
    stages = () if job.channel is None else job.channel.stages
    if policy.name == "wait":
        return
    vectors = job.algorithm.vectors
    if (vectors.masses or vectors.differences) and not any(isinstance(part, EdgeSums) for part in stages):
        raise ValueError(
            f'Peers(policy="{policy.name}") continues without late messages, and trackers or dual variables never '
            'recover from it; give channel=hg.channels.EdgeSums(), which makes up for them, or the policy "wait".'
        )
    if any(isinstance(part, Delay) for part in stages):
        raise ValueError(f'Peers(policy="{policy.name}") has delays of its own; leave the stage Delay out.')


class PeersSession(ArraySession):
    """A job whose agents run in processes of their own."""

    def __init__(self, job: Job, placed: Placed, engine: Peers) -> None:
        """Starts the agents.

        Args:
            job: The job.
            placed: The problem, for measuring in this process.
            engine: The engine.
        """
        super().__init__(job, placed)
        assert isinstance(engine.policy, Policy)
        self._engine, self._policy, self._last, self._epoch, self._prepared = engine, engine.policy, None, 0, False
        self._folder = Path(tempfile.mkdtemp(prefix="hypergossip-"))
        agents = job.problem.agents
        self._processes = AgentProcesses(agents, job.problem.agent_label)
        try:
            self._processes.begin([self._duty(i) for i in range(agents)])
            self._meet()
        except BaseException:
            self.close()
            raise

    def start(self, x: Any, y: Any) -> Any:
        """Returns every agent's state before round 0."""
        asked = [(np.asarray(x[:, i]), np.asarray(y[:, i])) for i in range(x.shape[1])]
        leaves = [jnp.stack(of_agents, axis=1) for of_agents in zip(*self._processes.call("start", asked), strict=True)]
        agent, point = take_agents(self.placed.oracles, 0), (self.job.problem.x0, self.job.problem.y0)
        state = jax.eval_shape(lambda: _initial(self.job, agent, *point))
        return self.linked(jax.tree.unflatten(jax.tree.structure(state), leaves))

    def advance(self, state: Any, first: int, last: int) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1."""
        agents = self.job.problem.agents
        if not self._prepared:
            own = [self._own(state, i) for i in range(agents)]
            self._processes.call("prepare", [(own[0],)])  # the others read what the first has compiled
            self._processes.call("prepare", [(mine,) for mine in own[1:]], first=1)
            self._prepared = True
        if first == last:
            runs = self.job.keys.size
            return state, Cost(*(np.zeros((runs, agents), np.int64) for _ in Cost._fields))
        known = self._last is state
        self._epoch += not known
        asked = [(None if known else self._own(state, i), first, last, self._epoch) for i in range(agents)]
        answers = self._processes.call("advance", asked)
        leaves = [jnp.stack(of_agents, axis=1) for of_agents in zip(*(own for own, _ in answers), strict=True)]
        states = jax.tree.unflatten(jax.tree.structure(state), leaves)
        self._last = states
        return states, Cost(*np.moveaxis(np.stack([cost for _, cost in answers], axis=1), -1, 0))

    def counts(self) -> list[dict[str, Any]]:
        """Returns what passed over each agent's links: bytes, messages used and missed, and those dropped by reason."""
        return self._processes.call("counts", [()] * self.job.problem.agents)

    def close(self) -> None:
        """Ends the agents' processes."""
        self._processes.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _own(self, state: Any, i: int) -> Any:
        """Returns the leaves of an agent's state in the method, whose class may be the user's own, and its links."""
        agents, links = (state.agents, state.links) if self.job.channel is not None else (state, ())
        own = lambda tree: jax.tree.map(lambda leaf: np.asarray(leaf[:, i]), tree)
        return own(jax.tree.leaves(agents)), own(links)

    def _meet(self) -> None:
        absent = self._processes.call("meet", [(MEETING_SECONDS,)] * self.job.problem.agents)
        for i, missing in enumerate(absent):
            if missing:
                label = self.job.problem.agent_label
                raise ValueError(
                    f"Peers: {label(i)} does not reach {label(missing[0])} on this machine within "
                    f"{MEETING_SECONDS:.0f} seconds; a firewall may block connections to 127.0.0.1, or the "
                    "machine is overloaded."
                )

    @cached_property
    def _addresses(self) -> list[str]:
        """Free ports of this machine, one for each agent."""
        ports = free_ports(self.job.problem.agents)
        return [f"{'tls' if self._engine.encrypted else 'tcp'}/127.0.0.1:{port}" for port in ports]

    @cached_property
    def _common(self) -> dict[str, Any]:
        """What all agents' duties share."""
        job = self.job
        lists = neighbour_lists(job.network.mixing) if job.problem.agents > 1 else None
        here = None if lists is None else neighbourhoods(lists, job.problem.identities)
        sizes = tuple(
            (message.entries, message.dtype)
            for message in job.messages
            for _ in range(message.times)
            if message.entries
        )
        return {
            "run": secrets.token_hex(16),
            "authority": Authority.create("this run") if self._engine.encrypted else None,
            "senders": None if lists is None else np.asarray(lists.indices.T),
            "here": here,
            "sizes": sizes,
            "keys": np.asarray(jax.random.key_data(job.keys)),
            "options": {name: getattr(jax.config, name) for name in OPTIONS}
            | {
                "jax_compilation_cache_dir": str(self._folder / "compiled"),
                "jax_persistent_cache_min_compile_time_secs": 0.0,
                "jax_persistent_cache_min_entry_size_bytes": -1,
            },
        }

    def _duty(self, i: int) -> WorkerSettings:
        job, common = self.job, self._common
        here, authority = common["here"], common["authority"]
        if here is None:
            senders, weights, who = np.zeros(1, np.uint32), np.zeros(1), []
            identity = np.asarray(job.problem.identities[i], np.uint32)
        else:
            identity, senders, weights = (np.asarray(part[i]) for part in here)
            who = [int(j) for j, weight in zip(common["senders"][i], weights, strict=True) if weight != 0]
        connect = tuple(self._addresses[j] for j in who)
        certificates = authority and authority.issue(f"agent-{i}", ["127.0.0.1"], self._folder, f"agent-{i}")
        return WorkerSettings(
            number=i,
            names={j: f"agent-{j}" for j in who},
            run=common["run"],
            listen=self._addresses[i],
            connect=connect,
            certificates=certificates,
            algorithm=_on_host(job.algorithm),
            swept=job.swept,
            oracles=_on_host(take_agents(job.problem.oracles, i)),
            spaces=self.spaces,
            channel=job.channel,
            sizes=common["sizes"],
            keys=common["keys"],
            streams=str(jax.random.key_impl(job.keys)),
            identity=identity,
            senders=senders,
            weights=weights,
            policy=self._policy,
            faults={j: found for j in who if (found := self._faults(i, j)) is not None},
            options=common["options"],
        )

    def _faults(self, i: int, j: int) -> LinkFaults | None:
        given = self._engine.faults
        found = given if given is None or isinstance(given, LinkFaults) else given.get((i, j))
        if found is None:
            return None
        return LinkFaults(found.loss, found.delay, found.jitter, found.cut_while, hash((found.seed, i, j)))


def _initial(job: Job, agent: Any, x: Any, y: Any) -> Any:
    """Returns an agent's state before the first run."""
    algorithm = jax.tree.map(lambda numbers: numbers[0], job.algorithm) if job.swept else job.algorithm
    return algorithm.init(agent, x, y, job.keys[0])


def _on_host(tree: Any) -> Any:
    """Returns a tree whose device arrays are host arrays; Python's numbers stay what they are."""
    return jax.tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf, tree)
