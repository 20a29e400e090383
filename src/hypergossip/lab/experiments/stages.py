"""The stages of a case, each written to its folder when it finishes: the paper's step sizes, the tuning, the runs."""

import json
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hypergossip.lab.assignment import assign
from hypergossip.lab.build import Experiment, build, build_algorithms
from hypergossip.lab.configuration import Configuration, Raw, Source, validate
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments.comparison import Outcome, WallTime, execute
from hypergossip.lab.experiments.stored_methods import parts_of
from hypergossip.lab.toml_text import write_toml
from hypergossip.running import tune as tuning
from hypergossip.running.preflight import PreflightWarning
from hypergossip.running.stopping import Stop

STATED, TUNINGS = "stated", "tuning"
STATIONARITY = "stationarity"
NOWHERE = Source("", "")  # these configurations are not in a file

ReportLine = Callable[[str], None]


class CaseFolder(NamedTuple):
    """The folder of a case and its problem, which is built once for all stages.

    If every stage built the problem again, its losses would be new objects and everything would be compiled again.

    Attributes:
        folder: The folder of the case.
        built: The problem, network, channel, engine and stopping rule; its algorithms are not used.
        report_line: Receives a line about everything that finishes.
    """

    folder: Path
    built: Experiment
    report_line: ReportLine


class Tuned(NamedTuple):
    """The result of tuning a method.

    Attributes:
        table: The table of `hypergossip.Tuning`, best point first.
        wall_time: The running time.
        settings: All settings that affect the score of a point, as text.
        rank: The point that is used: 0, or a later one if the points before it failed on the reported seeds.
        failure: Why the points before it failed; empty if the best point is used.
    """

    table: pd.DataFrame
    wall_time: WallTime
    settings: str
    rank: int = 0
    failure: str = ""

    @property
    def steps(self) -> dict[str, float]:
        """The hyperparameters of the point that is used."""
        return {name: float(self.table[name].iloc[self.rank]) for name in grid_of(self.table)}

    @property
    def edges(self) -> list[str]:
        """The hyperparameters of that point that lie at an end of the grid, including its extensions."""
        tried = {name: set(self.table[name]) for name in self.steps}
        ends = {name: {min(values), max(values)} for name, values in tried.items() if len(values) > 1}
        return [name for name, value in self.steps.items() if value in ends.get(name, ())]


class CompletedRuns(NamedTuple):
    """The runs of the methods of a case.

    Attributes:
        raw: The configuration.
        experiment: The experiment built from it.
        outcome: Histories and failures.
        times: Label -> running time.
    """

    raw: Raw
    experiment: Experiment
    outcome: Outcome
    times: dict[str, WallTime]


def begin(folder: Path, raw: Raw, report_line: ReportLine) -> CaseFolder:
    """Creates the folder of a case and builds its problem, network and engine.

    Args:
        folder: The folder.
        raw: A configuration of the case, with any of its methods.
        report_line: Receives a line about everything that finishes.

    Raises:
        ValueError: If the configuration is wrong.
        DataUnavailable: If its data cannot be found.
    """
    built = build(validate(raw, NOWHERE), NOWHERE)
    folder.mkdir(parents=True, exist_ok=True)
    return CaseFolder(folder, built, report_line)


def run(case: CaseFolder, raw: Raw, place: Path) -> CompletedRuns:
    """Runs the methods of a configuration that have not finished in this folder.

    Args:
        case: The folder of the case.
        raw: The configuration, with the problem and the network of the case.
        place: The folder for these runs.
    """
    configuration = validate(raw, NOWHERE)
    experiment = case.built._replace(algorithms=build_algorithms(configuration, NOWHERE))
    place.mkdir(parents=True, exist_ok=True)
    outcome = execute(place, configuration, experiment, case.report_line, raw)
    methods = disk.read_summary(place)["methods"]
    times = {
        label: WallTime(float(about["wall_seconds"]), about.get("machine", "")) for label, about in methods.items()
    }
    return CompletedRuns(raw, experiment, outcome, times)


def within(case: CaseFolder, raws: Sequence[Raw], draws: int) -> tuple[CaseFolder, list[Raw]]:
    """Returns the case and its configurations with a limit on the samples that an agent draws.

    Args:
        case: The folder of the case.
        raws: Its configurations.
        draws: The number of draws; each one is a batch of data, or the episodes of a sample.
    """
    budget = draws * int(case.built.problem.agent(0).samples(lower=1))
    built = case.built._replace(stop=replace(case.built.stop or Stop(), samples=budget))
    return case._replace(built=built), [assign(raw, ("run", "stop", "samples"), budget) for raw in raws]


def tune(case: CaseFolder, raw: Raw, rounds: Mapping[str, int]) -> dict[str, Tuned]:
    """Tunes every method of a configuration over its grid, and reads earlier tunings from the folder.

    If the grid has changed since then, only its new points are run.

    Args:
        case: The folder of the case.
        raw: Its configuration.
        rounds: Label -> the rounds of every run.
    """
    configuration = validate(raw, NOWHERE)
    return {label: _tuned(case, label, configuration, rounds[label]) for label in configuration.methods}


def _tuned(case: CaseFolder, label: str, configuration: Configuration, rounds: int) -> Tuned:
    place, plan = case.folder / TUNINGS / label, configuration.tune
    settings = _settings(label, configuration, rounds)
    earlier = _earlier(place, settings)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreflightWarning)  # the report shows which points lie at an edge
        table = tuning.tune(
            build_algorithms(configuration, NOWHERE)[label],
            case.built.problem,
            case.built.network,
            rounds=rounds,
            **plan.model_dump(exclude={"rounds"}),
            known=earlier.table if earlier else None,
            engine=case.built.engine,
            channel=case.built.channel,
        ).table
    if earlier and earlier.table.equals(table):
        return earlier
    seconds = time.perf_counter() - start + (earlier.wall_time.seconds if earlier else 0.0)
    tuned = Tuned(table, WallTime(seconds, disk.machine()), settings)
    if earlier and earlier.steps != tuned.steps:
        shutil.rmtree(case.folder / disk.METHODS / label, ignore_errors=True)
    _write(place, tuned)
    steps = ", ".join(f"{name} {value:g}" for name, value in tuned.steps.items())
    case.report_line(
        f"{label}: the best of {len(table)} points is {steps}, with {plan.score} {table['score'].iloc[0]:.3g}"
    )
    return tuned


def _write(place: Path, tuned: Tuned) -> None:
    place.mkdir(parents=True, exist_ok=True)
    disk.write_text(place / "table.csv", tuned.table.to_csv(index=False))
    about = {"asked": tuned.settings, "rank": tuned.rank, "fell": tuned.failure, **tuned.wall_time._asdict()}
    disk.write_text(place / "about.json", json.dumps(about, indent=1))


def _earlier(place: Path, settings: str) -> Tuned | None:
    """Reads an earlier tuning; returns None if there is none, its settings differ, or its files are damaged."""
    try:
        # The table is read as text first, so that every number is exactly the one that was written.
        table = pd.read_csv(place / "table.csv", dtype=str, keep_default_na=False)
        table = table.astype({name: float for name in table if name != "note"}).astype({"diverged": int})
        about = json.loads((place / "about.json").read_text(encoding="utf-8"))
        wall_time = WallTime(about["seconds"], about["machine"])
        tuned = Tuned(table, wall_time, about["asked"], about.get("rank", 0), about.get("fell", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return tuned if tuned.settings == settings else None


def _settings(label: str, configuration: Configuration, rounds: int) -> str:
    """Returns all settings that affect the score of a point, as text."""
    run = {"rounds": rounds, **configuration.run.model_dump(include={"precision"})}
    tune = configuration.tune.model_dump(exclude={"grid", "extend"})
    return write_toml({**parts_of(configuration, label), "run": run, "tune": tune})


def observed(case: CaseFolder, raw: Raw, tunings: Mapping[str, Tuned]) -> tuple[CompletedRuns, dict[str, Tuned]]:
    """Runs every method with the best step sizes of its tuning that do not fail on the reported seeds.

    The best point on the tuning seeds may diverge on a reported seed, or, if the stationarity of the mean x was tuned,
    end with a larger M_t than it began with, because y diverges slowly. The next best point is then used.

    Args:
        case: The folder of the case.
        raw: Its configuration.
        tunings: Label -> tuning; empty if the step sizes of the configuration are used.

    Returns:
        The runs, and the tunings with the points that were used.
    """
    tunings = {label: _resumed(case, label, each) for label, each in tunings.items()}
    while True:
        steps = {label: with_steps(section, tunings.get(label)) for label, section in raw["methods"].items()}
        runs = run(case, {**raw, "methods": steps}, case.folder)
        failures = _ends_above_its_start(runs) if raw.get("tune", {}).get("score") == STATIONARITY else {}
        failures |= runs.outcome.failures
        again = {label: why for label, why in failures.items() if label in tunings and more(tunings[label])}
        if not again:
            return runs, tunings
        for label, why in again.items():
            tunings[label] = tunings[label]._replace(rank=tunings[label].rank + 1, failure=why)
            shutil.rmtree(case.folder / disk.METHODS / label, ignore_errors=True)  # its step sizes are out of date
            _write(case.folder / TUNINGS / label, tunings[label])


def _resumed(case: CaseFolder, label: str, tuned: Tuned) -> Tuned:
    """Returns a tuning with the point that the case used before, and writes it to the case's folder if it is new there.

    A case may use the tuning of another case, but then its own point: the best one may fail on its network alone. Runs
    with the step sizes of a table that has changed are removed.
    """
    place = case.folder / TUNINGS / label
    earlier = _earlier(place, tuned.settings)
    if earlier and earlier.table.equals(tuned.table):
        return earlier
    if earlier and earlier.steps != tuned.steps:
        shutil.rmtree(case.folder / disk.METHODS / label, ignore_errors=True)
    _write(place, tuned)
    return tuned


def _ends_above_its_start(runs: CompletedRuns) -> dict[str, str]:
    """Returns the methods whose median M_t is larger after the run than before it, and a sentence about each."""
    found = {}
    for label, history in runs.outcome.histories.items():
        medians = history.groupby("round")["metric"].median()
        start, end = float(medians.iloc[0]), float(medians.iloc[-1])
        if not end <= start:
            found[label] = f"M_t is {start:.3g} at the start and {end:.3g} at the end, so y is not a solution."
    return found


def more(tuned: Tuned) -> bool:
    """Returns whether the grid has another point whose runs are finite."""
    return tuned.rank + 1 < int(np.isfinite(tuned.table["score"]).sum())


def with_steps(section: Raw, tuned: Tuned | None) -> Raw:
    """Returns the section of a method with its tuned step sizes, or unchanged if it was not tuned."""
    for name, value in tuned.steps.items() if tuned else ():
        section = assign(section, tuple(name.split(".")), value)
    return section


def grid_of(table: pd.DataFrame) -> list[str]:
    """Returns the hyperparameters in the table of a tuning."""
    return list(table.columns[: list(table.columns).index("score")])
