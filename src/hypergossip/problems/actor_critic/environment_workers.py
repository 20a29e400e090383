"""Keeps the environments of a game in worker processes, which step the episodes of a batch in parallel."""

import os
import pickle
import signal
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic.environment_answers import EnvironmentFailure
from hypergossip.problems.actor_critic.environment_making import checked_maker, checked_whole
from hypergossip.problems.actor_critic.environments import Environments, Options
from hypergossip.support.extras import require

WAIT = 3.0  # seconds in which a worker process closes its environments before it is terminated

SCRIPT = (
    'Each worker imports the script that was started, so a script that is not protected by if __name__ == "__main__": '
    "ends its workers."
)
CRASH = (
    "Its simulator may have crashed, or the machine may have run out of memory; workers=0 plays the environments in "
    "this process."
)


class Failed(NamedTuple):
    """The answer of a worker process in which a call has failed.

    Attributes:
        error: The exception.
        cause: The exception that caused it, or None.
        trace: The traceback in the worker process, as text.
    """

    error: Exception
    cause: Exception | None
    trace: str


class Worker(NamedTuple):
    """A worker process.

    Attributes:
        process: The process.
        connection: The connection to it.
    """

    process: Any
    connection: Connection


class EnvironmentWorkers:
    """Worker processes, each with a cache of environments. It has the methods of `Environments`.

    A batch of episodes is divided into one block for each worker, in order. An episode keeps its place in the batch
    from its first step to its last one, so it remains in the same worker without any record of where it is, and the
    number of episodes is the same for all workers up to one. Each worker holds a whole cache, because a request is then
    one message for all episodes of a block, and not two for every environment and step.

    Attributes:
        names: The names of the agents.
        form: The form of the environment's answers.
        most: The largest number of environments in all caches.
        whole: The shape of the global state.
        failure: The last exception of an environment, of a check of its answers or of a worker process, or None.
        known: What the trial of an environment in the first process has found.
        close: Ends the processes.
    """

    def __init__(self, make: Any, horizon: int, whole: Any, most: int, options: Options, workers: int) -> None:
        """Starts the processes; the first of them makes two environments and checks them.

        Args:
            make: A user's function that makes an environment.
            horizon: The largest number of steps of an episode.
            whole: A user's function that returns the global state of an environment; None uses all observations.
            most: The largest number of environments in all caches; every worker has one at least.
            options: What the environments may do.
            workers: The number of processes, at least 1.

        Raises:
            ValueError: If these environments are not supported, or a function cannot be sent to a
                worker process.
            EnvironmentFailure: If an environment raises an error, or a worker process ends.
        """
        checked_whole(whole)
        functions = _sent(checked_maker(make), whole)
        each = -(-most // workers)
        self.most, self.failure, self._number = workers * each, None, 0
        self._lock = threading.Lock()  # the devices of one process call from separate threads
        self._workers = [_started() for _ in range(workers)]
        self.close = weakref.finalize(self, _end, self._workers, os.getpid())
        try:
            arguments = functions, horizon, each, options
            (self.known,) = self._ask("make", [(*arguments, None)])
            self.names, self.form, self.whole = self.known.names, self.known.form, self.known.whole
            self._ask("make", [None, *[(*arguments, self.known)] * (workers - 1)])
        except Exception:
            self.close()
            raise

    def reset(self, dtype: Any, seeds: Any) -> tuple[np.ndarray, ...]:
        """Starts episodes, as `Environments.reset` does."""
        return self._divided("reset", dtype, np.shape(seeds), seeds)

    def step(self, dtype: Any, seeds: Any, times: Any, histories: Any, actions: Any, over: Any) -> tuple:
        """Plays a step of episodes, as `Environments.step` does."""
        return self._divided("step", dtype, np.shape(seeds), seeds, times, histories, actions, over)

    def _divided(self, name: str, dtype: Any, batch: tuple[int, ...], *arguments: Any) -> tuple[np.ndarray, ...]:
        """Returns the answers to a call whose arguments begin with the axes of the batch."""
        flat = [np.asarray(one).reshape((-1, *np.shape(one)[len(batch) :])) for one in arguments]
        blocks = [block for block in np.array_split(np.arange(len(flat[0])), len(self._workers)) if len(block)]
        requests: list = [(dtype, *(one[block] for one in flat)) for block in blocks]
        with self._lock:
            try:
                answers = self._ask(name, requests or [(dtype, *flat)])
            except Exception as error:
                self.failure = error  # a compiled program passes on only its text
                raise
        parts = [np.concatenate(part) for part in zip(*answers, strict=True)]
        return tuple(part.reshape((*batch, *part.shape[1:])) for part in parts)

    def _ask(self, name: str, requests: list) -> list:
        """Sends each worker its request, if there is one, and returns the answers in order.

        All requests are sent before the first answer is awaited. Of several errors, the first is raised, which is the
        one that the environments in a single process raise.
        """
        self._number += 1
        asked = [(k, request) for k, request in enumerate(requests) if request is not None]
        for k, request in asked:
            with suppress(OSError):  # the process has ended, which the absent answer tells as well
                self._workers[k].connection.send_bytes(pickle.dumps((self._number, name, request)))
        answers, warned = [], []
        for k, request in asked:
            answer, more = self._answer(k, name, request)
            answers.append(answer)
            warned += more
        for message, category in warned:
            warnings.warn(message, category, stacklevel=4)
        for answer in answers:
            if isinstance(answer, Failed):
                _raise(answer)
        return answers

    def _answer(self, k: int, name: str, request: tuple) -> tuple[Any, list]:
        """Returns a worker's answer, or what failed, and its warnings."""
        try:
            while True:
                number, answer, warned = pickle.loads(self._workers[k].connection.recv_bytes())
                if number == self._number:  # an earlier answer is there if its caller was interrupted
                    return answer, warned
        except (EOFError, OSError):
            return Failed(EnvironmentFailure(self._ended(k, name, request)), None, ""), []

    def _ended(self, k: int, name: str, request: tuple) -> str:
        """Returns the message about a worker process that has ended."""
        process = self._workers[k].process
        process.join(WAIT)
        code = process.exitcode
        how = f"by signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"with exit code {code}"
        which = f"worker process {k + 1} of {len(self._workers)} ended {how}"
        if name == "make":
            return f"{which} while it made the environment. {SCRIPT} {CRASH}"
        seeds = ", ".join(map(str, request[1]))
        return f"{which} while it played the episodes that began with reset(seed={seeds}). {CRASH}"


def _sent(make: Callable, whole: Callable | None) -> bytes:
    """Returns the user's functions as bytes.

    Raises:
        ValueError: If a function holds something that cannot be sent to another process.
    """
    cloudpickle = require("cloudpickle", "games", "An environment in a worker process")
    try:
        return cloudpickle.dumps((make, whole))
    except Exception as error:
        raise ValueError(
            "the function that makes the environment, or whole, cannot be sent to a worker process "
            f"({type(error).__name__}: {error}); let it make all that it needs when it is called, or define it in a "
            "module that can be imported."
        ) from error


def _started() -> Worker:
    """Returns a new worker process. It does not inherit the threads of this one, and ends with it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True, name="environments")
    process.start()
    theirs.close()
    return Worker(process, ours)


def _end(workers: list[Worker], owner: int) -> None:
    """Ends worker processes, whose environments are no longer used."""
    if os.getpid() != owner:  # a forked process has a copy of the game
        return
    for worker in workers:
        worker.connection.close()
    for worker in workers:
        with suppress(Exception):
            worker.process.join(WAIT)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _raise(failed: Failed) -> None:
    """Raises the exception of a worker process, with its traceback there as a note."""
    origin = failed.cause or failed.error
    if failed.trace:
        origin.add_note(f"In the worker process:\n{failed.trace}")
    raise failed.error from failed.cause


def serve(connection: Connection) -> None:
    """Answers requests in a worker process until the connection ends.

    Args:
        connection: The connection to the process of the game.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt from the terminal is for the process of the game
    table: list[Environments] = []
    with suppress(EOFError, OSError):
        while True:
            number, name, request = pickle.loads(connection.recv_bytes())
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                answer = _called(table, name, request)
            warned = [(str(one.message), _known(one.category)) for one in caught]
            connection.send_bytes(pickle.dumps((number, answer, warned)))


def _called(table: list[Environments], name: str, request: tuple) -> Any:
    """Returns the answer to a request, or what failed."""
    try:
        if name != "make":
            return getattr(table[0], name)(*request)
        functions, horizon, most, options, known = request
        make, whole = pickle.loads(functions)
        table.append(Environments(make, horizon, whole, most, options, known, workers=0))
        return table[0].known
    except Exception as error:
        return Failed(_sendable(error), error.__cause__ and _sendable(error.__cause__), traceback.format_exc())


def _sendable(error: BaseException) -> Exception:
    """Returns an exception that another process can read, with the same text."""
    with suppress(Exception):
        if isinstance(error, Exception) and str(pickle.loads(pickle.dumps(error))) == str(error):
            return error
    return RuntimeError(f"{type(error).__name__}: {error}")


def _known(category: type[Warning]) -> type[Warning]:
    """Returns a warning's category, or the nearest one that every process has."""
    return next(one for one in category.__mro__ if one.__module__ == "builtins")
