"""What can go wrong as one sentence on standard error and an exit code, and never as a traceback."""

import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer

REFUSED = 2


@contextmanager
def sentences(debug: bool) -> Iterator[None]:
    """Ends the command with one sentence where an error is to be expected, and prints warnings as one line each.

    Exit code 2 for what the user can mend, 130 and 143 after Ctrl-C and SIGTERM, as shells have it.

    Args:
        debug: Let tracebacks through.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminate) if main else None
    try:
        with warnings.catch_warnings():
            _print_warnings()
            yield
    except KeyboardInterrupt as error:
        if debug:
            raise
        text = str(error) or "SIGINT; what was written before stays."
        say(text)
        number = signal.SIGTERM if text.startswith("SIGTERM") else signal.SIGINT
        raise typer.Exit(128 + number) from None
    except Exception as error:
        if debug or not _is_expected(error):
            raise
        say(" ".join(str(error).split()))
        raise typer.Exit(REFUSED) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def say(text: str) -> None:
    """Prints a line on standard error."""
    typer.secho(f"hypergossip: {text}", err=True)


def _is_expected(error: Exception) -> bool:
    """Is this an error with a sentence of its own: ours, or what Python raises for bad values and files?"""
    ours = type(error).__module__.partition(".")[0] == "hypergossip"
    return ours or isinstance(error, ValueError | OSError)


def _print_warnings() -> None:
    from hypergossip.running.preflight import PreflightWarning

    plain = warnings.showwarning

    def show(message: Any, category: type[Warning], *rest: Any, **named: Any) -> None:
        if issubclass(category, UserWarning):  # ours are: of the preflight, of measurements, and plain ones
            say(f"warning: {' '.join(str(message).split())}")
        else:
            plain(message, category, *rest, **named)

    warnings.simplefilter("always", PreflightWarning)
    warnings.showwarning = show


def _terminate(number: int, _: FrameType | None) -> None:
    # While rounds are run `solve` listens itself, and leaves a checkpoint first.
    raise KeyboardInterrupt(f"{signal.Signals(number).name}; what was written before stays.")
