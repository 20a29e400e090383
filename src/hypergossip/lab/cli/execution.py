"""Runs a configuration into a folder, resumes the run of a folder, and draws its figure again."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jax
import typer
from rich.console import Console

from hypergossip.figures.curves import comparison
from hypergossip.lab.assignment import assign
from hypergossip.lab.build import Experiment, build, build_network
from hypergossip.lab.cli.errors import say
from hypergossip.lab.configuration import Configuration, Raw, Source, read, validate
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments.approximations import approximations
from hypergossip.lab.experiments.comparison import check, execute
from hypergossip.lab.experiments.stored_methods import channel_of
from hypergossip.lab.report.tables import console, summary
from hypergossip.lab.toml_text import one_line
from hypergossip.running.snapshot import FILE
from hypergossip.running.snapshot import read as read_checkpoint

_NOT_KEPT = ("out", "overwrite", "progress", "methods")


def begin(raw: Raw, source: Source, name: str) -> list[str]:
    """Runs a configuration into a new folder.

    Args:
        raw: The configuration.
        source: Its source.
        name: The name of the folder under runs/ if the configuration names none.

    Returns:
        The labels of the methods that did not finish.
    """
    configuration = validate(raw, source)
    with precision(configuration):
        experiment = build(configuration, source)
        found = check(experiment)
        folder = Path(configuration.run.out or Path("runs") / name)
        disk.prepare(folder, configuration.run.overwrite)
        warn(found)
        # The folder keeps the resolved values, so that a resumed run has the same settings.
        resolved = {"observe_every": configuration.run.rows_every, "precision": str(experiment.problem.x0.dtype)}
        disk.write_configuration(folder, _kept(raw, resolved))
        run = configuration.run.model_copy(update=resolved)
        return _execute(folder, configuration.model_copy(update={"run": run}), experiment)


def resume(folder: Path, rounds: int | None, progress: bool | None) -> list[str]:
    """Resumes the run of a folder.

    Args:
        folder: The folder.
        rounds: The new total number of rounds; None keeps the one of the configuration.
        progress: As in the configuration.

    Returns:
        The labels of the methods that did not finish.

    Raises:
        ValueError: If the folder has no run, or a method has already done more than `rounds`.
    """
    raw, source = _read(folder)
    configuration = validate(raw, source)
    disk.check_place(folder, f"the folder is {folder}")
    extended = rounds is not None and rounds != configuration.run.rounds
    if rounds is not None and extended:
        _check_more(folder, configuration, rounds)
        # The extended run is observed as often as before, even if the default depends on the rounds.
        raw = assign(assign(raw, ("run", "rounds"), rounds), ("run", "observe_every"), configuration.run.rows_every)
        configuration = validate(raw, source)
    with precision(configuration):
        experiment = build(configuration, source)
        warn(check(experiment))
        quiet = configuration.run.model_copy(update={"progress": progress})
        quiet = configuration.model_copy(update={"run": quiet})
        return _execute(folder, quiet, experiment, raw if extended else None)


def plot(folder: Path, out: Path | None, title: str | None) -> Path:
    """Draws the figure of a folder again.

    Args:
        folder: The folder.
        out: The path of the figure; None for figure.png in the folder.
        title: The title; None for the one of the configuration.
    """
    raw, source = _read(folder)
    configuration = validate(raw, source)
    disk.check_place(*((folder, f"the folder is {folder}") if out is None else (out.parent, f"--out is {out}")))
    histories = disk.read_histories(folder)
    network = build_network(configuration, source)
    title = configuration.run.title if title is None else title
    return comparison(histories, network, out or folder / disk.FIGURE, title, _channel(configuration))


def precision(configuration: Configuration) -> Any:
    """Returns a context in which JAX has the precision of a configuration."""
    wanted = configuration.run.precision
    return nullcontext() if wanted is None else jax.enable_x64(wanted == "float64")


def warn(texts: list[str]) -> None:
    """Prints every distinct warning on one line."""
    for text in dict.fromkeys(texts):
        say(f"warning: {text}")


def echo_channel(configuration: Configuration) -> None:
    """Prints the stages of the channel above a table, unless the channel is ideal."""
    if channel := _channel(configuration):
        typer.echo(f"channel: {channel}")


def _channel(configuration: Configuration) -> str:
    return one_line(channel_of(configuration).get("channel", ()))


def _kept(raw: Raw, resolved: Raw) -> Raw:
    """Returns the configuration for the folder: with resolved values, and without options of this call alone."""
    run = {key: value for key, value in raw["run"].items() if key not in _NOT_KEPT}
    return {**raw, "run": {**run, **resolved}}


def _read(folder: Path) -> tuple[Raw, Source]:
    path = folder / disk.CONFIGURATION
    if not path.is_file():
        raise ValueError(
            f"{folder} is not the folder of a run: it has no {disk.CONFIGURATION}; give the folder of an earlier run."
        )
    raw, source = read(path)
    return raw, source._replace(name=str(path))  # a message names the folder as well


def _check_more(folder: Path, configuration: Configuration, rounds: int) -> None:
    for label in configuration.methods:
        place = folder / disk.METHODS / label
        if (place / FILE).exists() and (done := read_checkpoint(place).round) > rounds:
            raise ValueError(f"{label} has already done {done} rounds; give at least as many with --rounds.")


def _execute(folder: Path, configuration: Configuration, experiment: Experiment, raw: Raw | None = None) -> list[str]:
    outcome = execute(folder, configuration, experiment, say, raw)
    if outcome.histories:
        table = console(summary(outcome.histories))
        echo_channel(configuration)
        # A pipe has no width, so nothing is wrapped or cut.
        Console(width=None if sys.stdout.isatty() else 10_000).print(table)
        if about := approximations(experiment.algorithms):
            typer.echo(about)
        title = configuration.run.title
        figure, channel = folder / disk.FIGURE, _channel(configuration)
        typer.echo(comparison(outcome.histories, experiment.network, figure, title, channel))
    return list(outcome.failures)
