"""Programs that pause to exchange values and continue with the answers, one at a time, each in its own thread."""

import threading
from collections.abc import Callable
from typing import Any

import jax

Send = Callable[[Any], Any]  # sends a value to the others and returns the answer


class Abandoned(BaseException):
    """Ends the thread of a program that will get no answer. It is not an Exception, so that no program catches it."""


class PausedProgram:
    """A program in its own thread that runs only while `resume` waits for it.

    Attributes:
        request: The value that it sent at its latest pause.
        result: The value that it returned.
        error: The exception that it raised, or None.
        done: Whether it has ended.
    """

    def __init__(self, program: Callable[[Send], Any]) -> None:
        """Prepares a program, a function of `send`; it starts at the first `resume`."""
        self.request: Any = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self._program = program
        self._answer: Any = None
        self._abandoned = False
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        # JAX's options belong to a thread, and this one affects results.
        self._x64 = bool(jax.config.read("jax_enable_x64"))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def resume(self, answer: Any = None) -> None:
        """Continues with the answer until the next pause or the end."""
        self._answer = answer
        self._go.release()
        self._stopped.acquire()

    def abandon(self) -> None:
        """Ends the program at its current pause."""
        self._abandoned = True
        self._go.release()

    def _send(self, request: Any) -> Any:
        self.request = request
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
    """Runs programs one after the other, from each common pause to the next.

    Args:
        programs: Functions of `send`; all must call it equally often.
        exchange: A function that maps the requests of all programs at a pause to the answer for each.

    Returns:
        The value that each program returned.

    Raises:
        UnequalStops: If some programs end while others wait.
        BaseException: The exception of the first program that fails.
    """
    paused = [PausedProgram(program) for program in programs]
    answers: list[Any] = [None] * len(paused)
    try:
        while True:
            for program, answer in zip(paused, answers, strict=True):
                program.resume(answer)
                if program.error is not None:
                    raise program.error
            ended = [program.done for program in paused]
            if all(ended):
                return [program.result for program in paused]
            if any(ended):
                raise UnequalStops(ended.index(True), ended.index(False))
            answers = exchange([program.request for program in paused])
    finally:
        for program in paused:
            program.abandon()


class UnequalStops(RuntimeError):
    """A program ended while another waited for it.

    Attributes:
        ended: The number of a program that ended.
        waiting: The number of a program that waits.
    """

    def __init__(self, ended: int, waiting: int) -> None:
        """Takes the two numbers."""
        super().__init__(f"program {ended} ended while program {waiting} waits for it.")
        self.ended, self.waiting = ended, waiting
