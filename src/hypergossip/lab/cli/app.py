"""The commands. What is heavy is imported inside them, so that help and lists come at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hypergossip.lab.cli import options
from hypergossip.lab.cli.errors import REFUSED, say, sentences

if TYPE_CHECKING:
    from hypergossip.lab.configuration import Raw, Source

app = typer.Typer(
    name="hypergossip",
    help="Decentralized bilevel optimization over peer-to-peer networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path, typer.Argument(help="The folder of an earlier run.")]


def _version(wanted: bool) -> bool:
    if wanted:
        from hypergossip import __version__

        typer.echo(f"hypergossip {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Decentralized bilevel optimization over peer-to-peer networks."""


@app.command()
def run(
    config: options.Config = None,
    problem: options.ProblemName = None,
    network: options.NetworkName = None,
    method: options.Methods = None,
    agents: options.Agents = None,
    rounds: options.Rounds = None,
    seed: options.Seed = None,
    seeds: options.Seeds = None,
    observe_every: options.ObserveEvery = None,
    checkpoint_every: options.CheckpointEvery = None,
    stop: options.Stop = None,
    precision: options.Precision = None,
    engine: options.EngineName = None,
    data_dir: options.DataDir = None,
    title: options.Title = None,
    out: options.Out = None,
    overwrite: options.Overwrite = None,
    progress: options.Progress = None,
    set: options.Set = None,
    debug: options.Debug = False,
) -> None:
    """Run one method and keep its history, figure and result in a folder."""
    settings = _settings(locals())
    with sentences(debug):
        raw, source = options.gather(config, problem, network, settings, set)
        raw = options.choose_methods(raw, one=True, source=source)
        label = next(iter(raw["methods"]), "run") if isinstance(raw.get("methods"), dict) else "run"
        _begin(raw, source, f"{_name(config, raw)}-{label}")


@app.command()
def compare(
    config: options.Config = None,
    problem: options.ProblemName = None,
    network: options.NetworkName = None,
    method: options.Methods = None,
    agents: options.Agents = None,
    rounds: options.Rounds = None,
    seed: options.Seed = None,
    seeds: options.Seeds = None,
    observe_every: options.ObserveEvery = None,
    checkpoint_every: options.CheckpointEvery = None,
    stop: options.Stop = None,
    precision: options.Precision = None,
    engine: options.EngineName = None,
    data_dir: options.DataDir = None,
    title: options.Title = None,
    out: options.Out = None,
    overwrite: options.Overwrite = None,
    progress: options.Progress = None,
    set: options.Set = None,
    debug: options.Debug = False,
) -> None:
    """Run several methods on one problem and network: histories, figure, summary and table."""
    settings = _settings(locals())
    with sentences(debug):
        raw, source = options.gather(config, problem, network, settings, set)
        raw = options.choose_methods(raw, one=False, source=source)
        _begin(raw, source, _name(config, raw))


@app.command()
def tune(
    config: options.Config = None,
    problem: options.ProblemName = None,
    network: options.NetworkName = None,
    method: options.Methods = None,
    agents: options.Agents = None,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="[tune] grid: name=value,value,..., such as lower_step.scale=0.1,0.3; repeatable."),
    ] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", help="[tune] rounds.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="[tune] seed, unlike those of a report.")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="[tune] seeds of every point.")] = None,
    score: Annotated[str | None, typer.Option("--score", help="[tune] score, a column of the history.")] = None,
    largest: Annotated[bool | None, typer.Option("--largest", help="[tune] largest: a large score is good.")] = None,
    extend: Annotated[
        int | None, typer.Option("--extend", help="[tune] extend: how often the grid grows beyond an end.")
    ] = None,
    precision: options.Precision = None,
    engine: options.EngineName = None,
    data_dir: options.DataDir = None,
    out: options.Out = None,
    overwrite: options.Overwrite = None,
    set: options.Set = None,
    debug: options.Debug = False,
) -> None:
    """Run one method over a grid of hyper-parameters; keep the table and the best configuration."""
    with sentences(debug):
        from hypergossip.lab.cli.tuning import read_grid, tune_method

        own = {"rounds": rounds, "seed": seed, "seeds": seeds, "score": score, "largest": largest, "extend": extend}
        settings = {f"tune.{key}": value for key, value in own.items()} | {"tune.grid": read_grid(grid)}
        shared = {"method": method, "agents": agents, "precision": precision, "engine": engine}
        settings |= _settings({**shared, "data_dir": data_dir, "out": out, "overwrite": overwrite})
        raw, source = options.gather(config, problem, network, settings, set)
        raw = options.choose_methods(raw, one=True, source=source)
        tune_method(raw, source, f"{_name(config, raw)}-tune")


@app.command()
def resume(
    folder: Folder,
    rounds: Annotated[int | None, typer.Option("--rounds", help="Go on to so many rounds in all.")] = None,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Go on with a run or comparison that was interrupted, or for more rounds."""
    with sentences(debug):
        from hypergossip.lab.cli.execution import resume as go_on

        _end(go_on(folder, rounds, progress))


@app.command()
def reproduce(
    name: Annotated[str | None, typer.Argument(help="An experiment, such as diamond-fig1; see --list.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the experiments, one line each.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes, to see that everything works.")] = False,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="How many seeds; ten if absent.")] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, help="Rounds of every run.")] = None,
    case: Annotated[list[str] | None, typer.Option("--case", help="A case alone; may be repeated.")] = None,
    data_dir: options.DataDir = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder; runs/<name> if absent.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier experiment there.")] = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Run an experiment of a paper: figures, numbers, configurations and a report in a folder.

    The same command again goes on where it was interrupted, and draws the report anew where it had ended.
    """
    with sentences(debug):
        from hypergossip.lab.cli.reproducing import experiments, reproduce_into

        if show or name is None:
            for line in experiments():
                typer.echo(line)
            return
        settings = {"run.seeds": seeds, "run.rounds": rounds, "run.progress": progress, "problem.data_dir": data_dir}
        typer.echo(reproduce_into(name, out, quick, settings, case or [], overwrite))


@app.command()
def play(
    folder: Folder,
    method: Annotated[str | None, typer.Option("--method", "-m", help="Whose policies; the first if absent.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the run; its first if absent.")] = None,
    episode: Annotated[int, typer.Option("--episode", help="Which test episode, from 0.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The moving picture, a .gif; the strip beside.")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Play an episode of a trained run on a game: a moving picture and a strip of a few moments."""
    with sentences(debug):
        from hypergossip.lab.cli.playing import play_into

        for path in play_into(folder, method, seed, episode, out):
            typer.echo(path)


@app.command(name="list")
def list_(
    kind: Annotated[
        str | None, typer.Argument(help="algorithms, networks, problems, data, estimators or engines; all if absent.")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """List what can be chosen by name, one line each: the name, its kind, and what it is."""
    with sentences(debug):
        from hypergossip.lab.cli.listing import lines

        for line in lines(kind):
            typer.echo(line)


@app.command()
def plot(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The figure: .png, .pdf or .svg.")] = None,
    title: options.Title = None,
    debug: options.Debug = False,
) -> None:
    """Draw the figure of a folder again from its stored history."""
    with sentences(debug):
        from hypergossip.lab.cli.execution import plot as draw

        typer.echo(draw(folder, out, title))


def _begin(raw: "Raw", source: "Source", name: str) -> None:
    from hypergossip.lab.cli.execution import begin

    _end(begin(raw, source, name))


def _end(failed: list[str]) -> None:
    if failed:
        say(f"{', '.join(failed)} did not end; the reason stands above, and the folder has the others.")
        raise typer.Exit(REFUSED)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """Returns dotted key -> value of a command's options, named as in the file."""
    run_options = (
        *("rounds", "seed", "seeds", "observe_every", "checkpoint_every", "stop", "precision", "engine", "title"),
        *("out", "overwrite", "progress"),
    )
    settings = {f"run.{key}": given.get(key) for key in run_options}
    places = {"run.methods": "method", "network.n": "agents", "problem.data_dir": "data_dir"}
    return settings | {place: given.get(key) or None for place, key in places.items()}


def _name(config: Path | None, raw: "Raw") -> str:
    if config:
        return config.stem
    problem = raw.get("problem")
    return str(problem.get("name", "run")) if isinstance(problem, dict) else "run"
