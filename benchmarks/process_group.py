"""Processes that do a given number of rounds at the same time, for measurements."""

import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any


class ProcessGroup:
    """Processes of which each begins as its neighbours do."""

    def __init__(self, target: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
        """Starts the processes and waits until all of them are ready.

        Args:
            target: A function of the module's top level: it takes a connection and the process's arguments, and does
                the rounds that `asked` names.
            arguments: Every process's arguments.
        """
        context = get_context("spawn")
        self._pipes, self._processes = [], []
        for given in arguments:
            mine, theirs = context.Pipe()
            self._processes.append(context.Process(target=target, args=(theirs, *given), daemon=True))
            self._pipes.append(mine)
            self._processes[-1].start()
            theirs.close()
        for pipe in self._pipes:
            pipe.recv()

    def rounds(self, count: int) -> float:
        """Does so many rounds; returns the seconds until the last process has done them.

        Args:
            count: The number of rounds.
        """
        begin = time.perf_counter()
        for pipe in self._pipes:
            pipe.send(count)
        for pipe in self._pipes:
            pipe.recv()
        return time.perf_counter() - begin

    def close(self) -> None:
        """Ends the processes."""
        for pipe in self._pipes:
            pipe.send(0)
        for process in self._processes:
            process.join(10)


def asked(pipe: Connection) -> Iterator[int]:
    """Says that a process is ready; then yields how many rounds to do, and answers when they are done.

    Args:
        pipe: The connection that the process was given.
    """
    pipe.send(None)
    while count := pipe.recv():
        yield count
        pipe.send(None)
