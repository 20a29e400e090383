"""The options that commands share, and how they override the configuration of a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hypergossip.lab.assignment import assign, assign_text
from hypergossip.lab.configuration import Raw, Source, read

Config = Annotated[Path | None, typer.Option("--config", "-c", help="TOML file; the options below override it.")]
ProblemName = Annotated[str | None, typer.Option("--problem", help="Problem; see 'hypergossip list problems'.")]
NetworkName = Annotated[str | None, typer.Option("--network", help="Network; see 'hypergossip list networks'.")]
Methods = Annotated[
    list[str] | None,
    typer.Option("--method", "-m", help="Label of a method in the file, or name of an algorithm; repeatable."),
]
Agents = Annotated[int | None, typer.Option("--agents", help="Number of agents.")]
Rounds = Annotated[int | None, typer.Option("--rounds", help="Number of rounds.")]
Seed = Annotated[int | None, typer.Option("--seed", help="First seed.")]
Seeds = Annotated[int | None, typer.Option("--seeds", help="Number of seeds, which run in parallel.")]
ObserveEvery = Annotated[int | None, typer.Option("--observe-every", help="Rounds between two rows of the history.")]
CheckpointEvery = Annotated[float | None, typer.Option("--checkpoint-every", help="Seconds between two checkpoints.")]
Stop = Annotated[float | None, typer.Option("--stop", help="Stop when the metric is at most this value.")]
Precision = Annotated[str | None, typer.Option("--precision", help="float32 or float64.")]
EngineName = Annotated[str | None, typer.Option("--engine", help="Engine; see 'hypergossip list engines'.")]
DataDir = Annotated[str | None, typer.Option("--data-dir", help="Folder that is searched first for data.")]
Title = Annotated[str | None, typer.Option("--title", help="Title of the figure.")]
Out = Annotated[str | None, typer.Option("--out", "-o", help="Output folder. Default: runs/<name>.")]
Overwrite = Annotated[bool | None, typer.Option("--overwrite", help="Replace an earlier run in the output folder.")]
Progress = Annotated[bool | None, typer.Option(help="Show progress bars. Default: only on a terminal.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Set any option of the file, such as network.p=0.5; repeatable."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def gather(
    config: Path | None,
    problem: str | None,
    network: str | None,
    settings: dict[str, Any],
    sets: list[str] | None,
) -> tuple[Raw, Source]:
    """Reads a file and applies the options of the command line.

    Args:
        config: The file, or None.
        problem: The name of the problem; if it is not the file's, the options in the file's section are dropped.
        network: The name of the network; if it is not the file's, the options in the file's section are dropped.
        settings: Dotted key -> value; None keeps the value of the file.
        sets: Texts such as "network.p=0.5", applied last.
    """
    raw, source = read(config) if config else ({}, Source("", ""))
    options: dict[tuple[str, ...], str] = {}
    for section, name in (("problem", problem), ("network", network)):
        given = raw.get(section)
        if name is not None and not (isinstance(given, dict) and given.get("name") == name):
            raw = {**raw, section: {"name": name}}
            options[(section,)] = f"--{section} {name}"
    for key, value in settings.items():
        if value is not None:
            keys = tuple(key.split("."))
            raw, options[keys] = assign(raw, keys, value), ""
    for text in sets or ():
        raw, keys = assign_text(raw, text)
        options[keys] = f"--set {'.'.join(keys)}"
    return raw, source._replace(options=options, settable=True)


def choose_methods(raw: Raw, one: bool, source: Source) -> Raw:
    """Returns the configuration with only the chosen methods.

    A chosen label without a section is the name of an algorithm.

    Args:
        raw: The configuration.
        one: Whether exactly one method must be chosen.
        source: The source of the configuration, for the message.

    Raises:
        ValueError: If exactly one method must be chosen and the configuration has another number of them.
    """
    run, methods = raw.get("run"), raw.get("methods", {})
    wanted = run.get("methods") if isinstance(run, dict) else None
    if not isinstance(methods, dict) or not isinstance(wanted, list | None):
        return raw
    labels = list(methods) if wanted is None else list(map(str, wanted))
    if one and len(labels) != 1:
        given = f"{source.name or 'the configuration'} has {', '.join(labels) or 'no methods'}"
        raise ValueError(f"{given}, and this command runs exactly one method; choose it with --method.")
    return {**raw, "methods": {label: methods.get(label, {}) for label in labels}}
