"""Starts agents as processes of this machine: one process imports the library, and each agent is a fork of it.

A forked agent starts at once and shares the memory of the imported packages. The server uses no device before it
forks, so that no thread of JAX exists in it.
"""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import warnings
from multiprocessing.connection import Connection
from socket import socketpair


def start_processes(count: int) -> tuple[subprocess.Popen, list[Connection]]:
    """Starts processes that run `worker.serve`, and returns the server and a connection to each.

    Args:
        count: The number of processes.
    """
    pairs = [socketpair() for _ in range(count)]
    theirs = [pair[1].detach() for pair in pairs]
    command = [sys.executable, "-m", __spec__.name, *map(str, theirs)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    server = subprocess.Popen(command, pass_fds=theirs, env=environment, stdin=subprocess.DEVNULL)
    for descriptor in theirs:
        os.close(descriptor)
    return server, [Connection(pair[0].detach()) for pair in pairs]


def main(descriptors: list[int]) -> None:
    """Forks one process for each descriptor of a connection, and waits until all have ended.

    Args:
        descriptors: The descriptors.
    """
    from hypergossip.peers.worker import serve

    importlib.import_module("zenoh")  # before the forks, so that they share it

    # Ctrl-C in a terminal reaches every process; the engine closes the connections, which ends the agents in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: list[int] = []

    def end_all(*_: object) -> None:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end_all)
    for descriptor in descriptors:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # JAX warns of its threads, of which there are none yet
            child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for other in descriptors:
                if other != descriptor:
                    os.close(other)
            serve(Connection(descriptor))
            os._exit(0)
        children.append(child)
    for descriptor in descriptors:
        os.close(descriptor)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]])
