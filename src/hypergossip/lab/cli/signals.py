"""Ctrl-C and SIGTERM end a command wherever they come."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

AGAIN_SECONDS = 0.05


@contextmanager
def signals_that_end() -> Iterator[None]:
    """Lets SIGINT and SIGTERM raise KeyboardInterrupt, whose text begins with the signal's name.

    Python forgets exceptions in callbacks of the garbage collector (JAX registers one), in those of weak references and
    in `__del__`. A signal whose exception was forgotten is sent again a moment later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    forgotten = sys.unraisablehook

    def end(number: int, _: FrameType | None) -> None:
        # While rounds are running, `solve` has its own handler, which writes a checkpoint first.
        received.append(number)
        raise KeyboardInterrupt(f"{signal.Signals(number).name}; the files written so far are kept.")

    def send_again(unraisable: Any) -> None:
        if not (received and issubclass(unraisable.exc_type, KeyboardInterrupt)):
            forgotten(unraisable)
            return
        again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), received[-1]))
        again.daemon = True
        again.start()

    # A shell lets a command in the background ignore SIGINT, and Python leaves it at that.
    ignores = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    numbers = [signal.SIGTERM] if ignores else [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, end) for number in numbers}
    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = forgotten
        for number, handler in before.items():
            signal.signal(number, handler)
