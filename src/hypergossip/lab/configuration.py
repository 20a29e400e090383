"""An experiment as a TOML file: its sections, defaults and valid options, and a message for each invalid one."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hypergossip.lab.toml_text import line_of, read_utf8
from hypergossip.support.arguments import seed_number
from hypergossip.support.registry import nearest

Raw = dict[str, Any]

_Model = TypeVar("_Model", bound=BaseModel)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+-]*")


class Source(NamedTuple):
    """The source of a configuration, so that a message can name the line.

    Attributes:
        name: The name of the file, or "" if there is no file.
        text: The text of the file.
        options: The options of the command line that replace a part of it: the keys of the part -> the option.
        settable: Whether the command has options that set a part of it, such as --set.
    """

    name: str
    text: str
    options: Mapping[tuple[str, ...], str] = {}
    settable: bool = False

    def at(self, *path: str) -> str:
        """Returns " (demo.toml, line 7)" for the `path` of an option in the file, and "" if it is not there.

        A part that the command line replaces has the option that does it, such as " (--set network.p)".
        """
        if given := [option for keys, option in self.options.items() if path[: len(keys)] == keys]:
            return f" ({given[-1]})" if given[-1] else ""
        changed = [option for keys, option in self.options.items() if keys[: len(path)] == path and option]
        line = line_of(self.text, path)
        return f" ({', '.join([f'{self.name}, line {line}', *changed])})" if line else ""


class Section(BaseModel):
    """A section with a fixed set of options."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Part(BaseModel):
    """A section that names an entry of the registry; its other options are those of the constructor.

    Attributes:
        name: A name in the registry.
    """

    model_config = ConfigDict(extra="allow", strict=True)
    name: str

    @property
    def options(self) -> Raw:
        """The options of the constructor."""
        return dict(self.model_extra or {})


class Method(BaseModel):
    """A section ``[methods.<label>]``; its other options are those of the algorithm.

    Attributes:
        algorithm: A name in the registry; if absent, the label is the name.
    """

    model_config = ConfigDict(extra="allow", strict=True)
    algorithm: str | None = None

    @property
    def options(self) -> Raw:
        """The options of the algorithm."""
        return dict(self.model_extra or {})


class StopRules(Section):
    """When a run stops before its last round; the fields of `hypergossip.Stop`.

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
        seeds: The number of seeds, which run in parallel: seed, seed + 1, ...
        observe_every: Rounds between two rows of the history; by default, there are about twenty rows.
        stop: A tolerance on the metric, or a table with metric, seconds, samples.
        checkpoint_every: Seconds between two checkpoints.
        precision: "float32" or "float64"; by default, as configured in JAX.
        engine: A name in the registry, or a table with a name and options.
        methods: The labels to run; by default, all of them. ``hypergossip run`` and ``tune`` need exactly one.
        title: The title of the figure.
        out: The output folder; by default, runs/<name of the file>.
        overwrite: Whether to replace an earlier run in that folder.
        progress: Whether to show progress bars; by default, only on a terminal.
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
        grid: Hyperparameter, with dots before its parts -> values.
        rounds: Rounds of every run; by default, those of [run].
        seeds: The number of seeds per point.
        seed: The first seed.
        score: The column of the history that is the score.
        largest: Whether the largest score is the best.
        extend: How often the grid may be extended beyond an end at which the best point lies.
    """

    grid: dict[str, list[float]] = Field(default_factory=dict)
    rounds: int | None = Field(default=None, ge=1)
    seeds: int = Field(default=3, ge=1)
    seed: int = Field(default=1_000_000, ge=0)
    score: str = "metric"
    largest: bool = False
    extend: int = Field(default=0, ge=0)


class Configuration(Section):
    """The configuration of an experiment.

    Attributes:
        problem: ``[problem]``, a name and options; the number of agents is that of the network.
        network: ``[network]``, a name and options, including the weights.
        channel: ``[[channel]]``, a name and options for each stage, from the sender outward.
        run: ``[run]``.
        methods: ``[methods.<label>]``, each with an algorithm and its options.
        tune: ``[tune]``.
    """

    problem: Part
    network: Part
    channel: list[Part] = Field(default_factory=list)
    run: RunSection
    methods: dict[str, Method] = Field(min_length=1)
    tune: TuneSection = Field(default_factory=TuneSection)


def read(path: Path) -> tuple[Raw, Source]:
    """Reads a TOML file.

    Raises:
        ValueError: If the file is missing, or is not text or not TOML; the message names the line.
    """
    try:
        text = read_utf8(path)
        return tomllib.loads(text), Source(path.name, text)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"{path} is not valid TOML: {error}; put strings in quotes, and each option on its own line."
        ) from None


def validate(raw: Raw, source: Source) -> Configuration:
    """Returns the validated configuration.

    Raises:
        ValueError: If an option is unknown, missing or invalid, or a seed is too large; the message names its section,
            its name and its line.
    """
    configuration = validated(Configuration, raw, source)
    for name, section in (("run", configuration.run), ("tune", configuration.tune)):
        try:
            seed_number(section.seed, section.seeds)
        except ValueError as error:
            raise ValueError(f"[{name}] {error}{source.at(name, 'seed')}") from None
    return configuration


def validated(model: type[_Model], raw: Raw, source: Source) -> _Model:
    """Returns a file with the sections of a model.

    Args:
        model: The sections.
        raw: The content of the file.
        source: Its source.

    Raises:
        ValueError: If an option is unknown, missing or invalid; the message names its section, its name and its line.
    """
    for label in raw["methods"] if isinstance(raw.get("methods"), dict) else ():
        if not _LABEL.fullmatch(label):
            raise ValueError(
                f"[methods] the label {label!r} cannot name a folder; use only letters, digits, spaces and - _ . "
                f"+{source.at('methods', label)}."
            )
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
        raise ValueError(_message((unknown or problems)[0], raw, source, model)) from None


def _message(problem: Mapping[str, Any], raw: Raw, source: Source, model: type[BaseModel]) -> str:
    """Returns one sentence for an error of pydantic."""
    path = _path(problem["loc"], raw)
    section, option = path[:-1], path[-1]
    where = f"[{'.'.join(section)}]" if section else "the configuration"
    if problem["type"] == "extra_forbidden":
        return f"{where} has no option {option!r}; {nearest(option, _options(model, section))}{source.at(*path)}"
    if problem["type"] == "missing":
        what = f"--{option}" if section == ("run",) else f"--set {'.'.join(path)}=..."
        what = f", or give {what}" if source.settable else ""
        where = where if section else source.name or where
        thing = f"the section [{option}]" if not section else f"the option {option!r}"
        return f"{where} lacks {thing}; add it there{what}{source.at(*section)}."
    if path == ("channel",):
        return f"the channel is not a list of stages; write a section [[channel]] for each stage{source.at(*path)}."
    if path == ("methods",):
        return "[methods] is empty; give at least one method, such as [methods.dsgd] with its step sizes."
    advice = problem["msg"].replace("Input should", "it should")
    return f"{where} {option} = {problem['input']!r}: {advice}{source.at(*path)}."


def _path(location: Iterable[Any], raw: Raw) -> tuple[str, ...]:
    """Returns the keys in the location of an error, without the names of the types that pydantic tried in between."""
    path: tuple[str, ...] = ()
    inner: Any = raw
    steps = list(location)
    for i, step in enumerate(steps):
        if isinstance(inner, list) and isinstance(step, int) and isinstance(inner[step], dict):
            inner = dict(enumerate(inner))
        known = isinstance(inner, dict) and step in inner
        if known or (i == len(steps) - 1 and isinstance(inner, dict)):
            path = (*path, str(step))
            inner = inner[step] if known else None
    return path


def _options(model: type[BaseModel], section: tuple[str, ...]) -> list[str]:
    """Returns the options of a section of a model."""
    inner: list[Any] = [model]
    for key in section:
        kinds = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
        named = [kind.model_fields[key].annotation for kind in kinds if key in kind.model_fields]
        inner = [part for kind in named or inner for part in (kind, *get_args(kind))]
    models = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return list(models[-1].model_fields) if models else []
