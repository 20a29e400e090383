"""An experiment as a TOML file: sections, defaults, what an option may be, and a sentence for what it may not."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hypergossip.lab.toml_text import line_of, read_utf8
from hypergossip.support.arguments import seed_number
from hypergossip.support.registry import nearest

Raw = dict[str, Any]

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+-]*")


class Source(NamedTuple):
    """Where a configuration came from, so that a sentence can name the line.

    Attributes:
        name: The file's name, or "" where there is no file.
        text: Its text.
    """

    name: str
    text: str

    def at(self, *path: str) -> str:
        """Returns " (demo.toml, line 7)" for an option that the file holds, and "" for one that it does not."""
        line = line_of(self.text, path)
        return f" ({self.name}, line {line})" if line else ""


class Section(BaseModel):
    """A section whose options are known."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Part(BaseModel):
    """A section that names something of the registry; its other options are that constructor's.

    Attributes:
        name: A name of the registry.
    """

    model_config = ConfigDict(extra="allow", strict=True)
    name: str

    @property
    def options(self) -> Raw:
        """The constructor's options."""
        return dict(self.model_extra or {})


class Method(BaseModel):
    """A section ``[methods.<label>]``; its other options are the algorithm's.

    Attributes:
        algorithm: A name of the registry; if absent, the label is one.
    """

    model_config = ConfigDict(extra="allow", strict=True)
    algorithm: str | None = None

    @property
    def options(self) -> Raw:
        """The algorithm's options."""
        return dict(self.model_extra or {})


class StopRules(Section):
    """When a run ends before its rounds are over; the numbers of `hypergossip.Stop`.

    Attributes:
        metric: A tolerance on M_t.
        seconds: Compiled running time.
        samples: Samples drawn per agent.
    """

    metric: float | None = None
    seconds: float | None = None
    samples: float | None = None


class RunSection(Section):
    """The section ``[run]``.

    Attributes:
        rounds: Communication rounds of each method.
        seed: The first seed, from 0 to 2**32 - 1.
        seeds: How many seeds run side by side: seed, seed + 1, ...
        observe_every: Rounds between two rows of the history; about twenty rows if absent.
        stop: A tolerance on the metric, or a table of metric, seconds, samples.
        checkpoint_every: Seconds between two checkpoints.
        precision: "float32" or "float64"; JAX's own switch decides if absent.
        engine: A name of the registry, or a table of a name and its options.
        methods: The labels to run; all of them if absent. ``hypergossip run`` and ``tune`` want exactly one.
        title: Of the figure.
        out: The folder to write; runs/<name of the file> if absent.
        overwrite: Replace an earlier run in that folder.
        progress: Show progress bars; if absent, only on a terminal.
    """

    rounds: int = Field(ge=0)
    seed: int = Field(default=0, ge=0)
    seeds: int = Field(default=1, ge=1)
    observe_every: int | None = Field(default=None, ge=1)
    stop: float | StopRules | None = None
    checkpoint_every: float = Field(default=60.0, gt=0)
    precision: Literal["float32", "float64"] | None = None
    engine: str | Part = "simulated"
    methods: list[str] | None = None
    title: str = ""
    out: str | None = None
    overwrite: bool = False
    progress: bool | None = None

    @property
    def rows_every(self) -> int:
        """Rounds between two rows."""
        return self.observe_every or max(1, self.rounds // 20)


class TuneSection(Section):
    """The section ``[tune]``; see `hypergossip.tune`.

    Attributes:
        grid: Hyper-parameter, with dots into its parts -> values.
        rounds: Rounds of every run; those of [run] if absent.
        seeds: Runs of every point.
        seed: The first of them.
        score: The column of the history that decides.
        largest: Is the largest score the best?
        extend: How often the grid may grow beyond an end at which the best point lies.
    """

    grid: dict[str, list[float]] = Field(default_factory=dict)
    rounds: int | None = Field(default=None, ge=1)
    seeds: int = Field(default=3, ge=1)
    seed: int = Field(default=1_000_000, ge=0)
    score: str = "metric"
    largest: bool = False
    extend: int = Field(default=0, ge=0)


class Configuration(Section):
    """A whole experiment.

    Attributes:
        problem: ``[problem]``, a name and its options; the number of agents comes from the network.
        network: ``[network]``, likewise, the weights among the options.
        run: ``[run]``.
        methods: ``[methods.<label>]``, each an algorithm and its options.
        tune: ``[tune]``.
    """

    problem: Part
    network: Part
    run: RunSection
    methods: dict[str, Method] = Field(min_length=1)
    tune: TuneSection = Field(default_factory=TuneSection)


def read(path: Path) -> tuple[Raw, Source]:
    """Reads a TOML file.

    Raises:
        ValueError: If it is not there, is no text, or is not TOML; the sentence names the line.
    """
    try:
        text = read_utf8(path)
        return tomllib.loads(text), Source(path.name, text)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"{path} is not valid TOML: {error}; strings want quotes, and each option a line of its own."
        ) from None


def assign(raw: Raw, keys: tuple[str, ...], value: Any) -> Raw:
    """Returns the configuration with one option set, its sections made where they are missing.

    Args:
        raw: The configuration.
        keys: From the outermost section to the option; an entry of an array by its number.
        value: The option's value.

    Raises:
        ValueError: If one of the sections is an option already.
    """
    key, rest = keys[0], keys[1:]
    if not rest:
        return {**raw, key: value}
    inner = raw.get(key, {})
    if isinstance(inner, list) and rest[0] in map(str, range(len(inner))):
        entries = assign({str(i): entry for i, entry in enumerate(inner)}, rest, value)
        return {**raw, key: list(entries.values())}
    if not isinstance(inner, dict):
        raise ValueError(f"{'.'.join(keys)} cannot be set: {key} is {inner!r} and not a section.")
    return {**raw, key: assign(inner, rest, value)}


def assign_text(raw: Raw, text: str) -> Raw:
    """Returns the configuration with one option set by a text such as ``network.p=0.5``.

    The value is read as TOML where it is TOML, and as a string where it is not.

    Raises:
        ValueError: If the text is no ``key=value``.
    """
    key, equals, value = text.partition("=")
    try:
        inner: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        inner = 0
    if not equals or not inner:
        raise ValueError(f"{text!r} sets nothing; write it as key=value, such as network.p=0.5.")
    keys: tuple[str, ...] = ()
    while isinstance(inner, dict):
        name, inner = next(iter(inner.items()))
        keys = (*keys, name)
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return assign(raw, keys, parsed)


def validate(raw: Raw, source: Source) -> Configuration:
    """Returns the configuration.

    Raises:
        ValueError: If an option is unknown, missing or wrong, or a seed is too large: one sentence with its
            section, name and line.
    """
    for label in raw["methods"] if isinstance(raw.get("methods"), dict) else ():
        if not _LABEL.fullmatch(label):
            raise ValueError(
                f"[methods] the label {label!r} cannot name a folder; use letters, digits, spaces and - _ . + "
                f"only{source.at('methods', label)}."
            )
    try:
        configuration = Configuration.model_validate(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
        raise ValueError(_sentence((unknown or problems)[0], raw, source)) from None
    for name, section in (("run", configuration.run), ("tune", configuration.tune)):
        try:
            seed_number(section.seed, section.seeds)
        except ValueError as error:
            raise ValueError(f"[{name}] {error}{source.at(name, 'seed')}") from None
    return configuration


def _sentence(problem: Mapping[str, Any], raw: Raw, source: Source) -> str:
    """One sentence for one of pydantic's errors."""
    path = _path(problem["loc"], raw)
    section, option = path[:-1], path[-1]
    where = f"[{'.'.join(section)}]" if section else "the configuration"
    if problem["type"] == "extra_forbidden":
        return f"{where} has no option {option!r}; {nearest(option, _options(section))}{source.at(*path)}"
    if problem["type"] == "missing":
        what = f"--{option}" if section == ("run",) else f"--set {'.'.join(path)}=..."
        thing = f"the section [{option}]" if not section else f"the option {option!r}"
        return f"{where} lacks {thing}; write it there, or give {what}{source.at(*section)}."
    if path == ("methods",):
        return "[methods] is empty; give at least one, such as [methods.dsgd] with its steps."
    advice = problem["msg"].replace("Input should", "it should")
    return f"{where} {option} = {problem['input']!r}: {advice}{source.at(*path)}."


def _path(location: Iterable[Any], raw: Raw) -> tuple[str, ...]:
    """The keys of an error's location, without the names of the alternatives that pydantic tried in between."""
    path: tuple[str, ...] = ()
    inner: Any = raw
    steps = list(location)
    for i, step in enumerate(steps):
        known = isinstance(inner, dict) and step in inner
        if known or (i == len(steps) - 1 and isinstance(inner, dict)):
            path = (*path, str(step))
            inner = inner[step] if known else None
    return path


def _options(section: tuple[str, ...]) -> list[str]:
    models = {(): Configuration, ("run",): RunSection, ("tune",): TuneSection, ("run", "stop"): StopRules}
    return list(models[section].model_fields) if section in models else []
