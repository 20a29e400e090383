"""The commands. Heavy modules are imported inside the commands, so that help and lists appear at once."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hypergossip.lab.cli import deploying, options
from hypergossip.lab.cli.errors import REFUSED, one_sentence_errors, say

if TYPE_CHECKING:
    from hypergossip.lab.configuration import Raw

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


def _runner(one: bool) -> Callable[..., None]:
    """Returns the command that runs one method or several methods; both have the same options."""

    def command(
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
        settings = _settings(locals())
        with one_sentence_errors(debug):
            from hypergossip.lab.cli.execution import begin

            raw, source = options.gather(config, problem, network, settings, set)
            raw = options.choose_methods(raw, one, source)
            name = _name(config, raw)
            if one:
                label = next(iter(raw["methods"]), "run") if isinstance(raw.get("methods"), dict) else "run"
                name = f"{name}-{label}"
            _end(begin(raw, source, name))

    return command


app.command("run", help="Run one method and write its history, figure and result to a folder.")(_runner(one=True))
app.command(
    "compare", help="Run several methods on one problem and network; write histories, a figure, a summary and a table."
)(_runner(one=False))


@app.command()
def tune(
    config: options.Config = None,
    problem: options.ProblemName = None,
    network: options.NetworkName = None,
    method: options.Methods = None,
    agents: options.Agents = None,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="Grid values as name=value,value, such as lower_step.scale=0.1,0.3; repeatable."),
    ] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", help="Rounds of every run.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="First seed; use others in the final runs.")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Number of seeds per grid point.")] = None,
    score: Annotated[str | None, typer.Option("--score", help="Column of the history that is the score.")] = None,
    largest: Annotated[bool | None, typer.Option("--largest", help="Whether the largest score is the best.")] = None,
    extend: Annotated[
        int | None, typer.Option("--extend", help="How often the grid may be extended beyond its ends.")
    ] = None,
    precision: options.Precision = None,
    engine: options.EngineName = None,
    data_dir: options.DataDir = None,
    out: options.Out = None,
    overwrite: options.Overwrite = None,
    set: options.Set = None,
    debug: options.Debug = False,
) -> None:
    """Run one method over a grid of hyperparameters; write the table and the best configuration."""
    with one_sentence_errors(debug):
        from hypergossip.lab.cli.tuning import read_grid, tune_method

        own = {"rounds": rounds, "seed": seed, "seeds": seeds, "score": score, "largest": largest, "extend": extend}
        settings = {f"tune.{key}": value for key, value in own.items()} | {"tune.grid": read_grid(grid)}
        shared = {"method": method, "agents": agents, "precision": precision, "engine": engine}
        settings |= _settings({**shared, "data_dir": data_dir, "out": out, "overwrite": overwrite})
        raw, source = options.gather(config, problem, network, settings, set)
        raw = options.choose_methods(raw, True, source)
        tune_method(raw, source, f"{_name(config, raw)}-tune")


@app.command()
def resume(
    folder: Folder,
    rounds: Annotated[int | None, typer.Option("--rounds", help="New total number of rounds.")] = None,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Resume a run or comparison that was interrupted, or extend it to more rounds."""
    with one_sentence_errors(debug):
        from hypergossip.lab.cli import execution

        _end(execution.resume(folder, rounds, progress))


@app.command()
def reproduce(
    name: Annotated[str | None, typer.Argument(help="An experiment, such as diamond-fig1; see --list.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the experiments.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run for a few minutes, to check that everything works.")
    ] = False,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Number of seeds. Default: 10.")] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, help="Rounds of every run.")] = None,
    case: Annotated[list[str] | None, typer.Option("--case", help="Run only this case; repeatable.")] = None,
    data_dir: options.DataDir = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Output folder. Default: runs/<name>.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier experiment in it.")] = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Run an experiment of a paper; write figures, numbers, configurations and a report to a folder.

    The same command resumes an interrupted experiment. If the experiment is complete, it only writes the report again.
    """
    with one_sentence_errors(debug):
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
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="Label of the method. Default: the first one.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the run. Default: the first one.")] = None,
    episode: Annotated[int, typer.Option("--episode", help="Number of the test episode, from 0.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Path of the animation (.gif); the strip is written beside it.")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Play an episode with the trained policies of a game; write an animation and a strip of a few moments."""
    with one_sentence_errors(debug):
        from hypergossip.lab.cli.playing import play_into

        for path in play_into(folder, method, seed, episode, out):
            typer.echo(path)


@app.command(name="watch")
def watch_(
    config: Annotated[Path, typer.Option("--config", "-c", help="The file watch.toml of the network.")],
    web: Annotated[bool, typer.Option("--web", help="Also serve a page for a browser on this machine.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the page. Default: a free one.")] = 0,
    once: Annotated[bool, typer.Option("--once", help="Print one report and end.")] = False,
    debug: options.Debug = False,
) -> None:
    """Watch the agents of a network: rounds, losses, neighbours, bytes, lag and faults, until all have finished."""
    with one_sentence_errors(debug):
        from hypergossip.lab.cli.watching import observe

        if failed := observe(config, web, port, once):
            say(failed)
            raise typer.Exit(REFUSED)


@app.command(name="list")
def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="algorithms, networks, problems, data, estimators, engines or channels. Default: all of them."
        ),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """List everything that can be chosen by name, with its kind and a description."""
    with one_sentence_errors(debug):
        from hypergossip.lab.cli.listing import lines

        for line in lines(kind):
            typer.echo(line)


@app.command()
def plot(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Path of the figure (.png, .pdf or .svg).")] = None,
    title: options.Title = None,
    debug: options.Debug = False,
) -> None:
    """Draw the figure of a folder again from the stored history."""
    with one_sentence_errors(debug):
        from hypergossip.lab.cli import execution

        typer.echo(execution.plot(folder, out, title))


for command in (deploying.deploy, deploying.agent, deploying.launch):
    app.command()(command)


def _end(failed: list[str]) -> None:
    if failed:
        say(f"{', '.join(failed)} did not finish (see the reason above); the folder has the results of the others.")
        raise typer.Exit(REFUSED)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """Returns dotted key -> value of the options of a command, with the names in the file."""
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
