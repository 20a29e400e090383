"""Keeps running environments at the latest states of their episodes, for several threads at once."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import Any

from hypergossip.problems.actor_critic.environment_answers import Running
from hypergossip.problems.actor_critic.environment_making import make_one
from hypergossip.problems.actor_critic.parallel import Environment
from hypergossip.support.cores import cores

Place = tuple[int, bytes]  # the seed of an episode and its actions so far


class RunningEnvironments:
    """Environments at their places in episodes, and idle ones.

    Attributes:
        most: The largest number of environments, those in use included.
        renew: Whether every episode needs a new environment.
        idle: Environments that play no episode.
    """

    def __init__(self, make: Callable[[], Any], most: int) -> None:
        """Keeps no environment yet.

        Args:
            make: A function that makes an environment.
            most: The largest number of environments.
        """
        self._make, self.most, self.renew = make, most, False
        self._live: OrderedDict[Place, Running] = OrderedDict()  # the least recently used first
        self._using = 0  # environments in the hands of a caller
        self._lock = threading.Lock()
        self.idle: list[Environment] = []
        self.close = weakref.finalize(self, _close_all, self._live, self.idle)

    def found(self, place: Place) -> Running | None:
        """Hands out the environment at a place, or None if there is none."""
        with self._lock:
            running = self._live.pop(place, None)
            self._using += running is not None
            return running

    def free(self) -> Running:
        """Hands out an environment that plays no episode, or the one whose episode was used the longest time ago."""
        with self._lock:
            self._using += 1
            if not self.idle and self._live and len(self._live) + self._using > self.most:
                self._leave(self._live.popitem(last=False)[1])
            idle = self.idle.pop() if self.idle else None
        try:
            return Running(make_one(self._make) if idle is None else idle, set())
        except BaseException:
            with self._lock:
                self._using -= 1
            raise

    def keep(self, place: Place, running: Running) -> None:
        """Takes an environment back, at its place."""
        with self._lock:
            self._using -= 1
            self._live[place] = running

    def end(self, running: Running) -> None:
        """Takes an environment back whose episode is over."""
        with self._lock:
            self._using -= 1
            self._leave(running)

    @contextmanager
    def dropping(self, running: Running) -> Iterator[None]:
        """Closes an environment that is in use if it raises an exception."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._using -= 1
            _close(running.environment)
            raise

    def shrink(self) -> None:
        """Closes the idle environments that are not needed."""
        while self.idle and (self.renew or len(self.idle) > self.most):
            _close(self.idle.pop())

    def _leave(self, running: Running) -> None:
        """Keeps an environment for another episode, or closes it if every episode needs a new one."""
        if self.renew:
            _close(running.environment)
        else:
            self.idle.append(running.environment)


def innermost(environment: Environment) -> Environment:
    """Returns the environment without its wrappers."""
    return getattr(environment, "unwrapped", environment)


def pool_of(workers: int | None, most: int) -> ThreadPoolExecutor | None:
    """Returns threads that step environments which are processes of their own, or None if one at a time is stepped.

    During such a step a thread only waits for the other process, so that worker processes would gain nothing and would
    pass on every message once more. Two threads for each core keep the cores at work while this process reads an answer
    (benchmarks/game_traffic.py).

    Args:
        workers: The number of threads that the user gives, or None for twice the number of cores.
        most: The largest number of environments.
    """
    count = min(2 * cores() if workers is None else workers, most)
    return ThreadPoolExecutor(count, "environments") if count > 1 else None


def together(pool: ThreadPoolExecutor | None, calls: list[Callable[[], Any]]) -> list:
    """Returns the results of several calls, made one after the other or by the threads of a pool.

    All calls have ended when it returns or raises. Of several exceptions, that of the first call is raised.

    Args:
        pool: The pool, or None.
        calls: The functions to be called.
    """
    if pool is None or len(calls) < 2:
        return [call() for call in calls]
    futures = [pool.submit(call) for call in calls]
    wait(futures)
    return [future.result() for future in futures]


def _close(environment: Environment) -> None:
    """Closes an environment; what it raises is of no interest any more."""
    with suppress(Exception):
        environment.close()


def _close_all(live: dict[Place, Running], idle: list[Environment]) -> None:
    """Closes environments that are no longer used."""
    for environment in (*(running.environment for running in live.values()), *idle):
        _close(environment)
    live.clear()
    idle.clear()
