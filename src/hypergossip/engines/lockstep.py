"""Programs that stop to exchange something and go on with the answer, one running at a time, each in its own thread."""

import threading
from collections.abc import Callable
from typing import Any

import jax

Send = Callable[[Any], Any]  # gives something to the others and returns the answer


class Abandoned(BaseException):
    """Ends the thread of a program whose answer will never come; not an Exception, so that no program catches it."""


class Talker:
    """A program in a thread of its own that runs only while `resume` waits for it.

    Attributes:
        said: What it gave at its latest stop.
        result: What it returned.
        error: What it raised, or None.
        done: Has it ended?
    """

    def __init__(self, program: Callable[[Send], Any]) -> None:
        """Prepares a program, a function of `send`; it starts at the first `resume`."""
        self.said: Any = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self._program = program
        self._answer: Any = None
        self._abandoned = False
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        # JAX's switches belong to a thread; this is the one that decides results.
        self._x64 = bool(jax.config.read("jax_enable_x64"))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def resume(self, answer: Any = None) -> None:
        """Goes on with the answer until the next stop or the end."""
        self._answer = answer
        self._go.release()
        self._stopped.acquire()

    def abandon(self) -> None:
        """Ends the program where it stands."""
        self._abandoned = True
        self._go.release()

    def _send(self, said: Any) -> Any:
        self.said = said
        self._stopped.release()
        self._go.acquire()
        if self._abandoned:
            raise Abandoned
        return self._answer

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._abandoned:
                with jax.enable_x64(self._x64):
                    self.result = self._program(self._send)
        except BaseException as error:
            self.error = error
        finally:
            self.done = True
            self._stopped.release()


def lockstep(programs: list[Callable[[Send], Any]], exchange: Callable[[list[Any]], list[Any]]) -> list[Any]:
    """Runs programs, one after the other, from one stop of all to the next.

    Args:
        programs: Functions of `send`; all must call it equally often.
        exchange: What all said at a stop -> the answer for each.

    Returns:
        What each returned.

    Raises:
        UnequalStops: If some end while others wait.
        BaseException: What the first program to fail raised.
    """
    talkers = [Talker(program) for program in programs]
    answers: list[Any] = [None] * len(talkers)
    try:
        while True:
            for talker, answer in zip(talkers, answers, strict=True):
                talker.resume(answer)
                if talker.error is not None:
                    raise talker.error
            ended = [talker.done for talker in talkers]
            if all(ended):
                return [talker.result for talker in talkers]
            if any(ended):
                raise UnequalStops(ended.index(True), ended.index(False))
            answers = exchange([talker.said for talker in talkers])
    finally:
        for talker in talkers:
            talker.abandon()


class UnequalStops(RuntimeError):
    """A program ended while another waited for it.

    Attributes:
        ended: The number of one that ended.
        waiting: The number of one that waits.
    """

    def __init__(self, ended: int, waiting: int) -> None:
        """Takes the two numbers."""
        super().__init__(f"program {ended} ended while program {waiting} waits for it.")
        self.ended, self.waiting = ended, waiting
