"""Reports expected errors as one sentence on standard error and an exit code, without a traceback."""

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from hypergossip.lab.cli.signals import signals_that_end

REFUSED = 2


@contextmanager
def one_sentence_errors(debug: bool) -> Iterator[None]:
    """Ends the command with one sentence if an expected error occurs, and prints every warning on one line.

    The exit code is 2 for errors that the user can fix, and 130 or 143 after Ctrl-C or SIGTERM, as in shells.

    Args:
        debug: Whether to show tracebacks instead.
    """
    try:
        with signals_that_end(), warnings.catch_warnings():
            _print_warnings()
            yield
    except KeyboardInterrupt as error:
        if debug:
            raise
        text = str(error) or "SIGINT; the files written so far are kept."
        say(text)
        number = signal.SIGTERM if text.startswith("SIGTERM") else signal.SIGINT
        raise typer.Exit(128 + number) from None
    except Exception as error:
        if debug or not _is_expected(error):
            raise
        say(" ".join(str(error).split()))
        raise typer.Exit(REFUSED) from None


def say(text: str) -> None:
    """Prints a line on standard error."""
    typer.secho(f"hypergossip: {text}", err=True)


def _is_expected(error: Exception) -> bool:
    """Returns whether this is an error of this library, or a Python error for a bad value or file."""
    ours = type(error).__module__.partition(".")[0] == "hypergossip"
    return ours or isinstance(error, ValueError | OSError)


def _print_warnings() -> None:
    from hypergossip.channels.requirements import ChannelWarning
    from hypergossip.running.preflight import PreflightWarning

    plain = warnings.showwarning

    def show(message: Any, category: type[Warning], *rest: Any, **named: Any) -> None:
        if issubclass(category, UserWarning):  # all warnings of this library are
            say(f"warning: {' '.join(str(message).split())}")
        else:
            plain(message, category, *rest, **named)

    for always in (PreflightWarning, ChannelWarning):
        warnings.simplefilter("always", always)
    warnings.showwarning = show
