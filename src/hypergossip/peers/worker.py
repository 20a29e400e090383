"""An agent in a process of its own that the engine `Peers` has started, and which does what the engine asks."""

import os
import pickle
import select
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.channels.stack import Neighbourhood, Stack
from hypergossip.core.algorithm import Cost
from hypergossip.core.flat_messages import Spaces
from hypergossip.core.random_keys import KEYS
from hypergossip.engines.links import Linked
from hypergossip.peers.agent_links import AgentLinks
from hypergossip.peers.agent_settings import Policy
from hypergossip.peers.link_faults import LinkFaults
from hypergossip.peers.link_settings import Certificates, settings
from hypergossip.peers.round_program import CutRound, WholeRound, compiled_round, compute_in_this_thread
from hypergossip.peers.traced_round import Here, initial_state, traced_round
from hypergossip.support.pytree import register_again

ENDING_SECONDS = 2.0


class WorkerSettings(NamedTuple):
    """All that one agent's process needs to know.

    Attributes:
        number: The agent's position.
        names: Its neighbours' positions and names, in the order of its links.
        run: The identifier of the run, hexadecimal.
        listen: Its endpoint.
        connect: The endpoints of its neighbours.
        certificates: Its certificates, or None.
        algorithm: The agent's program. If swept, its numbers have a leading axis (runs,).
        swept: Whether they have.
        oracles: The agent's oracles alone.
        spaces: The spaces of x and y.
        channel: The channel, or None.
        sizes: The number of entries and the type of each of a round's messages.
        keys: The data of each run's key.
        streams: The name of the keys' kind.
        identity: The agent's permanent identity.
        senders: Its neighbours' identities, (degree,).
        weights: Their weights, (degree,).
        policy: What to do when a message has not come.
        faults: Artificial faults of the messages to the neighbours.
        options: JAX's settings: name -> value.
    """

    number: int
    names: dict[int, str]
    run: str
    listen: str
    connect: tuple[str, ...]
    certificates: Certificates | None
    algorithm: Any
    swept: bool
    oracles: Any
    spaces: Spaces
    channel: Stack | None
    sizes: tuple[tuple[int, Any], ...]
    keys: np.ndarray
    streams: str
    identity: np.ndarray
    senders: np.ndarray
    weights: np.ndarray
    policy: Policy
    faults: dict[int, LinkFaults]
    options: dict[str, Any]


class Worker:
    """One agent."""

    def __init__(self, duty: WorkerSettings) -> None:
        """Opens the agent's links.

        Args:
            duty: What it needs to know.
        """
        self._duty, runs = duty, len(duty.keys)
        self._dated = duty.policy.name != "wait"
        degree = len(duty.senders)
        impl = KEYS if duty.streams == str(KEYS) else duty.streams
        keys = jax.random.wrap_key_data(jnp.asarray(duty.keys), impl=impl)
        links = Neighbourhood(*map(jnp.asarray, (duty.identity, duty.senders, duty.weights)))
        oracles = jax.tree.map(jnp.asarray, duty.oracles)
        algorithms = [duty.algorithm] * runs
        if duty.swept:
            algorithms = [jax.tree.map(lambda v, run=run: v[run], duty.algorithm) for run in range(runs)]
        self._here = [Here(algorithm, oracles, keys[run], links) for run, algorithm in enumerate(algorithms)]
        self._leaves = [jax.tree.leaves(here) for here in self._here]
        self._program: CutRound | WholeRound | None = None
        self._states: list[Any] = []
        config = settings(
            [duty.listen],
            duty.connect,
            run=duty.run,
            certificates=duty.certificates,
            names={name: number for number, name in duty.names.items()},
            loopback=True,
        )
        self.links = AgentLinks(
            number=duty.number,
            run=duty.run,
            config=config,
            neighbours=duty.names,
            sizes=duty.sizes,
            degree=degree,
            seeds=runs,
            digest=bytes(16),
            policy=duty.policy,
            dated=self._dated,
            opening=0,
            faults=duty.faults,
        )

    def meet(self, seconds: float) -> list[int]:
        """Waits for all neighbours; returns those that are not there.

        Args:
            seconds: The longest time to wait.
        """
        return self.links.greetings.unconnected(seconds)

    def start(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        """Returns the leaves of the agent's state before round 0, (runs, ...), without its links.

        Args:
            x: The starting points, (runs, p).
            y: The starting points, (runs, q).
        """
        states = [initial_state(here, *points) for here, *points in zip(self._here, x, y, strict=True)]
        self._structure = jax.tree.structure(states[0])
        return _stacked(states)

    def prepare(self, states: Any) -> None:
        """Compiles the round.

        Args:
            states: The leaves of the agent's state in the method, and its links, (runs, ...).
        """
        state, duty = self._state(states, 0), self._duty
        degree = len(duty.senders)
        make = lambda exchange: traced_round(duty.spaces, duty.channel, degree, self._dated, exchange)
        self._program = compiled_round(make, self._here[0], state, duty.sizes, degree, self._dated)

    def advance(self, states: Any, first: int, last: int, epoch: int) -> tuple[Any, np.ndarray]:
        """Runs the rounds first..last-1 of every run; returns the leaves of the state and the costs, (runs, counts).

        Args:
            states: The leaves of the agent's state in the method, and its links, (runs, ...); None: those after the
                last call.
            first: The first round.
            last: One more than the last round.
            epoch: How often the engine has started from another state.
        """
        if states is not None:
            self._states = [self._state(states, run) for run in range(len(self._here))]
            self.links.open_anew(epoch, first)
        assert self._program is not None
        self.links.exchange.pause()
        costs = np.zeros((len(self._here), len(Cost._fields)), np.int64)
        for run in range(len(self._here)):
            for round in range(first, last):
                transfer = self.links.exchange.transfer(run, round)
                self._states[run], cost = self._program(self._leaves[run], round, self._states[run], transfer)
                costs[run] += np.asarray(cost)
        return _stacked(self._states), costs

    def _state(self, states: Any, run: int) -> Any:
        """Returns the state of a run, from the leaves of the method's state and from the links, (runs, ...)."""
        agents, links = jax.tree.map(lambda leaf: jnp.asarray(leaf[run]), states)
        state = jax.tree.unflatten(self._structure, agents)
        return state if self._duty.channel is None else Linked(state, links)

    def counts(self) -> dict[str, Any]:
        """Returns what passed over the agent's links."""
        box, exchange, transport = self.links.mailbox, self.links.exchange, self.links.transport
        return {
            "sent": transport.bytes_sent,
            "received": transport.bytes_received,
            "dropped": dict(sum((link.dropped for link in box.links.values()), box.dropped.copy())),
            "used": {j: link.received for j, link in box.links.items()},
            "missed": {j: link.missed for j, link in exchange.links.items()},
        }

    def close(self) -> None:
        """Closes the links."""
        self.links.close()


def _stacked(states: list[Any]) -> list[np.ndarray]:
    return [np.stack(of_runs) for of_runs in zip(*map(jax.tree.leaves, states), strict=True)]


def serve(connection: Connection) -> None:
    """Does what the engine asks until it closes the connection.

    Args:
        connection: The connection to the engine's process. What comes over it is pickled; it is a pair of sockets that
            no other process can reach.
    """
    worker: Worker | None = None
    threading.Thread(target=_end_with_engine, args=(connection.fileno(),), daemon=True).start()
    try:
        while True:
            try:
                name, *arguments = pickle.loads(connection.recv_bytes())
            except (EOFError, OSError):
                return
            try:
                if name == "begin":
                    duty, paths = arguments
                    sys.path[:] = paths
                    classes, duty = pickle.loads(duty)
                    for cls in classes:
                        register_again(cls)
                    for option, value in duty.options.items():
                        jax.config.update(option, value)
                    compute_in_this_thread()
                    worker, answer = Worker(duty), None
                else:
                    answer = getattr(worker, name)(*arguments)
                connection.send_bytes(pickle.dumps((True, answer)))
            except Exception as error:
                text = "".join(traceback.format_exception(error))
                answer = pickle.dumps((False, f"{type(error).__name__}: {error}", text))
                try:
                    connection.send_bytes(answer)
                except OSError:  # the engine has ended meanwhile
                    return
    finally:
        if worker is not None:
            worker.close()


def _end_with_engine(descriptor: int) -> None:
    """Ends this process when the engine's process has ended, even while the agent waits for a neighbour."""
    poll = select.poll()
    poll.register(descriptor, 0)  # reports nothing but the end of the connection
    poll.poll()
    time.sleep(ENDING_SECONDS)  # an agent that waits for nobody ends in order before
    os._exit(1)
