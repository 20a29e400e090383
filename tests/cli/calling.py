"""A small experiment, and how the command line is called in this process."""

from typing import Any

from typer.testing import CliRunner

from hypergossip.cli import app

EXPERIMENT = """\
[problem]
name = "quadratic"
noise = 0.1

[network]
name = "ring"
n = 3

[run]
rounds = 40
seeds = 2
observe_every = 10

[methods.D-SGD]
algorithm = "dsgd"
upper_step = 0.1
lower_step = { scale = 0.2, offset = 1, power = "1/3" }
hypergradient = "exact"

[methods.tracking]
algorithm = "gtsgd"
upper_step = 0.1
lower_step = 0.2
hypergradient = { name = "neumann", terms = 3, lipschitz = 5 }

[tune]
grid = { "upper_step" = [0.05, 0.1], "lower_step.scale" = [0.2, 1e9] }
rounds = 20
seeds = 2
"""


def call(*arguments: object) -> Any:
    """Calls the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result: Any, after: int = 0) -> str:
    """Returns the one sentence of a command that was refused, `after` so many lines of progress."""
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == after + 1, lines
    assert "Traceback" not in result.output
    return lines[-1]
