"""Calls the command line in this process."""

from typing import Any

from typer.testing import CliRunner

from hypergossip.lab.cli import app


def call(*arguments: object) -> Any:
    """Calls the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments: object) -> Any:
    """Calls the command line and returns the result of a command that succeeds."""
    result = call(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def refused(result: Any, after: int = 0) -> str:
    """Returns the only sentence of a refused command, which follows after `after` lines of progress.

    The warning that a method is biased on heterogeneous agents may precede it.
    """
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    lines = [line for line in result.stderr.strip().splitlines() if "the method does not track them" not in line]
    assert len(lines) == after + 1, lines
    assert "Traceback" not in result.output
    return lines[-1]
