"""The agents' processes, as the engine's process sees them: calls to all of them at once, and their end."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any

from hypergossip.peers.fork_server import start_processes
from hypergossip.support.extras import require
from hypergossip.support.pytree import classes_of_scripts

CLOSING_SECONDS = 5.0


class PeersError(RuntimeError):
    """An agent's process failed. The message names the agent and the error; the agent's own traceback follows."""


class AgentProcesses:
    """The agents' processes."""

    def __init__(self, count: int, label: Callable[[int], str]) -> None:
        """Starts the processes.

        Args:
            count: The number of agents.
            label: An agent's number -> its name in messages.
        """
        self._label = label
        self._server, self._connections = start_processes(count)

    def begin(self, duties: Sequence[Any]) -> None:
        """Gives every agent what it needs to know.

        Args:
            duties: One for each agent. They are pickled, functions of the user included, and sent to the agent's
                process; agents never send pickled data to each other.
        """
        pickler = require("cloudpickle", "peers", "Peers")
        bundles = [(classes_of_scripts((duty.algorithm, duty.oracles)), duty) for duty in duties]
        self.call("begin", [(pickler.dumps(bundle), list(sys.path)) for bundle in bundles])

    def call(self, name: str, arguments: Sequence[tuple], first: int = 0) -> list[Any]:
        """Calls a method of several agents at once and returns their answers.

        Args:
            name: The method of `Worker`.
            arguments: The arguments for each of these agents.
            first: The first agent.

        Raises:
            PeersError: If one of them fails; the others are then ended.
        """
        chosen = self._connections[first : first + len(arguments)]
        answers: dict[int, Any] = {}
        for k, (connection, given) in enumerate(zip(chosen, arguments, strict=True)):
            try:
                connection.send_bytes(pickle.dumps((name, *given)))
            except OSError:
                self._fail(first + k, "its process has ended")
        while len(answers) < len(chosen):
            ready = wait([connection for k, connection in enumerate(chosen) if k not in answers])
            for k in [k for k, connection in enumerate(chosen) if connection in ready]:
                try:
                    good, *answer = pickle.loads(chosen[k].recv_bytes())
                except (EOFError, OSError):
                    good, answer = False, ["its process has ended"]
                if not good:
                    self._fail(first + k, *answer)
                answers[k] = answer[0]
        return [answers[k] for k in range(len(chosen))]

    def close(self, at_once: bool = False) -> None:
        """Ends the processes.

        Args:
            at_once: Whether an agent has failed, so that others may be waiting for it.
        """
        for connection in self._connections:
            connection.close()
        try:
            self._server.wait(0.0 if at_once else CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.terminate()  # it ends the agents, of which some wait for one that has failed
            self._server.wait()

    def _fail(self, agent: int, error: str, text: str = "") -> None:
        self.close(at_once=True)
        raise PeersError(f"{self._label(agent)}: {error}" + (f"\n\n{text}" if text else "")) from None
