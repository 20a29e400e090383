"""Ctrl-C and SIGTERM that end a run in order, after it has saved a checkpoint."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A run was interrupted after it saved a checkpoint; the message names the file.

    Attributes:
        signal: The number of the signal; a program ends with status 128 + signal by convention.
    """

    def __init__(self, message: str = "", signal: int = signal.SIGINT) -> None:
        """Takes the message and the number of the signal."""
        super().__init__(message)
        self.signal = int(signal)


class Interrupts:
    """While active, Ctrl-C and SIGTERM set `pending` instead of ending the process; the second signal ends it."""

    def __init__(self, active: bool) -> None:
        """Prepares to catch signals, which is possible in the main thread only."""
        self.pending: int | None = None
        self._active = active and threading.current_thread() is threading.main_thread()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        """Starts to catch signals."""
        if self._active:
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        """Restores the previous signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.pending is not None:
            raise KeyboardInterrupt
        self.pending = number
