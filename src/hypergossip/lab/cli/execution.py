"""From a configuration to a folder: begun, gone on with, drawn again."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jax
import typer
from rich.console import Console

from hypergossip.figures.curves import comparison
from hypergossip.lab.build import Experiment, build, build_network
from hypergossip.lab.cli.errors import say
from hypergossip.lab.configuration import Configuration, Raw, Source, assign, read, validate
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments.comparison import check, execute
from hypergossip.lab.report.tables import console, summary
from hypergossip.running.snapshot import FILE
from hypergossip.running.snapshot import read as read_checkpoint

_NOT_KEPT = ("out", "overwrite", "progress", "methods")


def begin(raw: Raw, source: Source, name: str) -> list[str]:
    """Runs what a configuration asks for into a new folder.

    Args:
        raw: The configuration.
        source: Where it came from.
        name: Of the folder under runs/, where the configuration gives none.

    Returns:
        The labels of the methods that did not end.
    """
    configuration = validate(raw, source)
    with precision(configuration):
        experiment = build(configuration, source)
        warn(check(experiment))
        folder = Path(configuration.run.out or Path("runs") / name)
        disk.prepare(folder, configuration.run.overwrite)
        # As the folder keeps it, so that the same is asked when the run is gone on with.
        settled = {"observe_every": configuration.run.rows_every, "precision": str(experiment.problem.x0.dtype)}
        disk.write_configuration(folder, _kept(raw, settled))
        run = configuration.run.model_copy(update=settled)
        return _execute(folder, configuration.model_copy(update={"run": run}), experiment)


def resume(folder: Path, rounds: int | None, progress: bool | None) -> list[str]:
    """Goes on with the run of a folder.

    Args:
        folder: The folder.
        rounds: Rounds in all, where more are wanted than the run was begun for.
        progress: As in the configuration.

    Returns:
        The labels of the methods that did not end.

    Raises:
        ValueError: If the folder holds no run, or has gone further than `rounds`.
    """
    raw, source = _read(folder)
    configuration = validate(raw, source)
    extended = rounds is not None and rounds != configuration.run.rounds
    if rounds is not None and extended:
        _check_more(folder, configuration, rounds)
        # The rows stay where they were: a longer run is observed as the run that it extends.
        raw = assign(assign(raw, ("run", "rounds"), rounds), ("run", "observe_every"), configuration.run.rows_every)
        configuration = validate(raw, source)
    with precision(configuration):
        experiment = build(configuration, source)
        warn(check(experiment))
        if extended:
            disk.write_configuration(folder, raw)
        quiet = configuration.run.model_copy(update={"progress": progress})
        return _execute(folder, configuration.model_copy(update={"run": quiet}), experiment)


def plot(folder: Path, out: Path | None, title: str | None) -> Path:
    """Draws a folder's figure again.

    Args:
        folder: The folder.
        out: The figure's path; figure.png in the folder if absent.
        title: Another title than the configuration's.
    """
    raw, source = _read(folder)
    configuration = validate(raw, source)
    histories = disk.read_histories(folder)
    network = build_network(configuration, source)
    title = configuration.run.title if title is None else title
    return comparison(histories, network, out or folder / disk.FIGURE, title)


def precision(configuration: Configuration) -> Any:
    """Returns the context in which a configuration's precision is JAX's."""
    wanted = configuration.run.precision
    return nullcontext() if wanted is None else jax.enable_x64(wanted == "float64")


def warn(texts: list[str]) -> None:
    """Prints warnings, one line each."""
    for text in dict.fromkeys(texts):
        say(f"warning: {text}")


def _kept(raw: Raw, settled: Raw) -> Raw:
    """The configuration as a folder keeps it: complete, and without what is said of this call alone."""
    run = {key: value for key, value in raw["run"].items() if key not in _NOT_KEPT}
    return {**raw, "run": {**run, **settled}}


def _read(folder: Path) -> tuple[Raw, Source]:
    path = folder / disk.CONFIGURATION
    if not path.is_file():
        raise ValueError(f"{folder} holds no run: it has no {disk.CONFIGURATION}; give the folder of an earlier run.")
    return read(path)


def _check_more(folder: Path, configuration: Configuration, rounds: int) -> None:
    for label in configuration.methods:
        place = folder / disk.METHODS / label
        if (place / FILE).exists() and (done := read_checkpoint(place).round) > rounds:
            raise ValueError(f"{label} has done {done} rounds already; give --rounds of at least as many.")


def _execute(folder: Path, configuration: Configuration, experiment: Experiment) -> list[str]:
    outcome = execute(folder, configuration, experiment, say)
    if outcome.histories:
        table = console(summary(outcome.histories))
        # A pipe has no width: nothing is wrapped or cut there.
        Console(width=None if sys.stdout.isatty() else 10_000).print(table)
        title = configuration.run.title
        typer.echo(comparison(outcome.histories, experiment.network, folder / disk.FIGURE, title))
    return list(outcome.failures)
