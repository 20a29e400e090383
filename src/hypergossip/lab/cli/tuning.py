"""Tunes one method over a grid of hyperparameters, and writes the best configuration."""

from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from hypergossip.core.problem import Problem
from hypergossip.lab.assignment import assign
from hypergossip.lab.build import build
from hypergossip.lab.cli.execution import echo_channel, precision
from hypergossip.lab.configuration import Raw, Source, validate
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.report.tables import console
from hypergossip.lab.toml_text import write_toml
from hypergossip.running.tune import tune

SHOWN = 10


def read_grid(texts: list[str] | None) -> dict[str, list[float]] | None:
    """Returns the grid in `texts` such as "lower_step.scale=0.1,0.3", or None if there are no texts.

    Raises:
        ValueError: If a text does not have this form.
    """
    grid = {}
    for text in texts or ():
        name, _, values = text.partition("=")
        try:
            grid[name.strip()] = [float(value) for value in values.split(",")]
        except ValueError:
            raise ValueError(
                f"--grid {text!r} is not a list of numbers; write name=value,value, such as upper_step=0.1,0.3."
            ) from None
    return grid or None


def tune_method(raw: Raw, source: Source, name: str) -> None:
    """Tunes the only method of a configuration; writes the table, the best configuration and a summary.

    Args:
        raw: The configuration.
        source: Its source.
        name: The name of the folder under runs/ if the configuration names none.
    """
    wanted = raw.get("tune", {})
    if isinstance(wanted, dict) and "rounds" in wanted and "rounds" not in raw.get("run", {}):
        raw = assign(raw, ("run", "rounds"), wanted["rounds"])
    configuration = validate(raw, source)
    run, plan = configuration.run, configuration.tune
    rounds = plan.rounds or run.rounds
    label = next(iter(configuration.methods))
    with precision(configuration):
        experiment = build(configuration, source)
        _check_score(plan.score, experiment.problem)
        folder = Path(run.out or Path("runs") / name)
        disk.check_free(folder, run.overwrite)  # before the runs, whose results would have no place
        tuning = tune(
            experiment.algorithms[label],
            experiment.problem,
            experiment.network,
            rounds=rounds,
            **plan.model_dump(exclude={"rounds"}),
            engine=experiment.engine,
            channel=experiment.channel,
        )
        best = raw
        for key in plan.grid:
            best = assign(best, ("methods", label, *key.split(".")), float(tuning.table[key].iloc[0]))
        disk.prepare(folder, run.overwrite)
        disk.write_configuration(folder, raw)
        disk.write_text(folder / disk.BEST, write_toml(_without_out(best)))
        disk.write_text(folder / disk.TABLE, tuning.table.to_csv(index=False))
        about = {"method": label, "best": str(tuning.best), "score": plan.score, "rounds": rounds}
        table = tuning.table.to_dict("records")
        disk.write_summary(folder, {"status": "finished", "versions": disk.versions(), **about, "table": table})
    echo_channel(configuration)
    Console(width=10_000, soft_wrap=True).print(console(tuning.table.head(SHOWN)))
    typer.echo(folder / disk.BEST)


def _check_score(score: str, problem: Problem) -> None:
    """Refuses the metric as a score for a problem without a metric, before anything is run."""
    if score == "metric" and not problem.losses:
        own = ", ".join([*problem.observe, *problem.together]) or "nothing"
        raise ValueError(
            f"[tune] score is the metric, which this problem does not have; it observes {own}. Choose one with "
            "--score, and add --largest if large values are good."
        )


def _without_out(raw: Raw) -> dict[str, Any]:
    return {**raw, "run": {key: value for key, value in raw["run"].items() if key not in ("out", "overwrite")}}
