"""The options that commands share, and how they come over the configuration of a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hypergossip.lab.configuration import Raw, Source, assign, assign_text, read

Config = Annotated[Path | None, typer.Option("--config", "-c", help="A TOML file; every option below overrides it.")]
ProblemName = Annotated[str | None, typer.Option("--problem", help="[problem] name; see 'hypergossip list problems'.")]
NetworkName = Annotated[str | None, typer.Option("--network", help="[network] name; see 'hypergossip list networks'.")]
Methods = Annotated[
    list[str] | None,
    typer.Option("--method", "-m", help="[run] methods: a label of the file, or an algorithm's name; may be repeated."),
]
Agents = Annotated[int | None, typer.Option("--agents", help="[network] n.")]
Rounds = Annotated[int | None, typer.Option("--rounds", help="[run] rounds.")]
Seed = Annotated[int | None, typer.Option("--seed", help="[run] seed, the first one.")]
Seeds = Annotated[int | None, typer.Option("--seeds", help="[run] seeds, how many side by side.")]
ObserveEvery = Annotated[int | None, typer.Option("--observe-every", help="[run] observe_every, in rounds.")]
CheckpointEvery = Annotated[float | None, typer.Option("--checkpoint-every", help="[run] checkpoint_every, seconds.")]
Stop = Annotated[float | None, typer.Option("--stop", help="[run] stop, a tolerance on the metric.")]
Precision = Annotated[str | None, typer.Option("--precision", help="[run] precision: float32 or float64.")]
EngineName = Annotated[str | None, typer.Option("--engine", help="[run] engine; see 'hypergossip list engines'.")]
DataDir = Annotated[str | None, typer.Option("--data-dir", help="[problem] data_dir, looked in first for data.")]
Title = Annotated[str | None, typer.Option("--title", help="[run] title, above the figure.")]
Out = Annotated[str | None, typer.Option("--out", "-o", help="[run] out: the folder; runs/<name> if absent.")]
Overwrite = Annotated[bool | None, typer.Option("--overwrite", help="Replace an earlier run in that folder.")]
Progress = Annotated[bool | None, typer.Option(help="Progress bars; on a terminal only, if absent.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Any option as key=value, such as network.p=0.5; may be repeated."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def gather(
    config: Path | None,
    problem: str | None,
    network: str | None,
    settings: dict[str, Any],
    sets: list[str] | None,
) -> tuple[Raw, Source]:
    """Reads a file and lays the command line over it.

    Args:
        config: The file, or None.
        problem: The name of another problem than the file's, whose options then fall away.
        network: Likewise.
        settings: Dotted key -> value; None leaves the file's.
        sets: Texts such as "network.p=0.5", applied last.
    """
    raw, source = read(config) if config else ({}, Source("", ""))
    for section, name in (("problem", problem), ("network", network)):
        there = raw.get(section)
        if name is not None and not (isinstance(there, dict) and there.get("name") == name):
            raw = {**raw, section: {"name": name}}
    for key, value in settings.items():
        if value is not None:
            raw = assign(raw, tuple(key.split(".")), value)
    for text in sets or ():
        raw = assign_text(raw, text)
    return raw, source


def choose_methods(raw: Raw, one: bool, source: Source) -> Raw:
    """Returns the configuration with the methods that are wanted, and no others.

    A wanted label that has no section is taken for an algorithm's name.

    Args:
        raw: The configuration.
        one: Must it be exactly one?
        source: For the sentence.

    Raises:
        ValueError: If exactly one is wanted and the configuration leaves a choice.
    """
    run, methods = raw.get("run"), raw.get("methods", {})
    wanted = run.get("methods") if isinstance(run, dict) else None
    if not isinstance(methods, dict) or not isinstance(wanted, list | None):
        return raw
    labels = list(methods) if wanted is None else list(map(str, wanted))
    if one and len(labels) != 1:
        there = f"{source.name or 'the configuration'} has {', '.join(labels) or 'no methods'}"
        raise ValueError(f"{there}, and this command takes one; choose it by --method.")
    return {**raw, "methods": {label: methods.get(label, {}) for label in labels}}
