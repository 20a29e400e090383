"""Runs one experiment into one folder: every case with all its stages, and the numbers of all cases."""

import shutil
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from jax.tree_util import Partial

from hypergossip.core.problem import Problem
from hypergossip.lab.build import build
from hypergossip.lab.configuration import Raw, validate
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments import round_times, stages
from hypergossip.lab.experiments.approximations import approximations
from hypergossip.lab.experiments.comparison import Outcome
from hypergossip.lab.experiments.costs import costs, timed
from hypergossip.lab.experiments.reproduction import Case, Reproduction
from hypergossip.lab.experiments.stages import CompletedRuns, ReportLine, Tuned
from hypergossip.lab.toml_text import read_utf8, write_toml
from hypergossip.networks import AnyNetwork
from hypergossip.running.result import load
from hypergossip.support.compilation import compiled

ASKED, CASES, FIGURES = "reproduction.toml", "cases", "figures"
HISTORY, TIMING, TUNING, COSTS = "history.csv", "timing.csv", "tuning.csv", "costs.csv"
MARKDOWN, HTML, FIGURE = "report.md", "report.html", "figure.png"
FILES = (
    HISTORY,
    TIMING,
    TUNING,
    COSTS,
    MARKDOWN,
    HTML,
    FIGURE,
    ASKED,
)  # the last file marks the folder and is removed last


class Record(NamedTuple):
    """The results of a case.

    Attributes:
        case: The case.
        raw: Its configuration as it was run, with tuned step sizes.
        network: Its network.
        outcome: The histories and failures of the reported seeds.
        stated: The histories and failures with the paper's step sizes on one seed; None without such runs.
        tunings: Label -> tuning.
        by_agent: Label -> (seeds, agents), the final observation of every agent.
        weights: Label -> group -> the learned numbers of `Reproduction.weights_of`.
        timing: One row per stage and method: stage, method, rounds, runs, wall_seconds, compiled_seconds (the part
            in compiled rounds; NaN for a tuning, where it is not recorded) and machine.
        approximations: Which methods solve an approximate problem, and with which hyperparameters; "" for none.
        round_seconds: Label -> the seconds of a compiled round of one seed, measured in turns; empty unless the case
            has values to which costs are reported.
    """

    case: Case
    raw: Raw
    network: AnyNetwork
    outcome: Outcome
    stated: Outcome | None
    tunings: dict[str, Tuned]
    by_agent: dict[str, np.ndarray]
    weights: dict[str, dict[str, np.ndarray]]
    timing: pd.DataFrame
    approximations: str
    round_seconds: dict[str, float]


def prepare(folder: Path, request: Mapping[str, Any], overwrite: bool) -> None:
    """Prepares a folder for a new experiment, or for resuming the same experiment.

    Args:
        folder: The folder; created if it is missing.
        request: What determines the numbers: the name and the options.
        overwrite: Whether to remove the files of an earlier experiment, and nothing else.

    Raises:
        ValueError: If the folder has content that must not be removed, with advice.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder with --out.")
    disk.check_place(folder, f"--out is {folder}")
    if folder.is_dir() and any(folder.iterdir()):
        marker = folder / ASKED
        if not marker.is_file():
            raise ValueError(f"{folder} has files that are not from an experiment; give another folder with --out.")
        if overwrite:
            for name in (CASES, FIGURES):
                shutil.rmtree(folder / name, ignore_errors=True)
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
        elif _read_request(marker) != tomllib.loads(write_toml(request)):
            raise ValueError(
                f"{folder} has an experiment with other options (see {marker}); give the same options to resume it, "
                "replace it with --overwrite, or give another folder with --out."
            )
    folder.mkdir(parents=True, exist_ok=True)
    disk.write_text(folder / ASKED, write_toml(request))


def _read_request(marker: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_utf8(marker))
    except ValueError as error:
        raise ValueError(
            f"{marker} is damaged ({error}), so the experiment in {marker.parent} is unknown; replace it with "
            "--overwrite, or give another folder with --out."
        ) from None


def check(experiment: Reproduction, quick: bool, settings: Mapping[str, Any]) -> None:
    """Builds the first case, so that an experiment that cannot run is refused before it replaces an earlier one.

    Args:
        experiment: The experiment.
        quick: As for `run`.
        settings: As for `run`.

    Raises:
        ValueError: If the configuration is wrong.
        DataUnavailable: If its data cannot be found.
    """
    methods = experiment.methods or experiment.stated
    raw = experiment.configuration(experiment.cases[0], methods, quick, settings)
    with jax.enable_x64(raw["run"].get("precision") == "float64"):
        build(validate(raw, stages.NOWHERE), stages.NOWHERE)


def run(
    experiment: Reproduction, folder: Path, quick: bool, settings: Mapping[str, Any], report_line: ReportLine
) -> list[Record]:
    """Runs every case with all its stages, and reads those that have already finished in this folder.

    Args:
        experiment: The experiment.
        folder: A prepared folder.
        quick: Whether to run only a few minutes, to check that everything works.
        settings: Dotted option -> value for the configurations of all cases, such as {"run.seeds": 3}.
        report_line: Receives a line about everything that finishes.

    Returns:
        The records of the cases, in order; history.csv, timing.csv and tuning.csv are in the folder.
    """
    records: list[Record] = []
    # The cases whose step sizes others use run first.
    for case in sorted(experiment.cases, key=lambda case: bool(case.tuned_in)):
        report_line(f"{experiment.name}, {case.full_title}")
        tunings = next((record.tunings for record in records if record.case.name == case.tuned_in), {})
        records.append(_case(experiment, case, folder / CASES / case.name, quick, settings, report_line, tunings))
        _write_numbers(folder, records, experiment.compared)
    return sorted(records, key=lambda record: experiment.cases.index(record.case))


def _case(
    experiment: Reproduction,
    case: Case,
    place: Path,
    quick: bool,
    settings: Mapping[str, Any],
    report_line: ReportLine,
    tunings: dict[str, Tuned],
) -> Record:
    configuration = partial(experiment.configuration, case, quick=quick, settings=settings)
    stated_raw = configuration(methods=experiment.stated)
    raw = configuration(methods=experiment.methods or experiment.stated)
    with jax.enable_x64(raw["run"].get("precision") == "float64"):
        work = stages.begin(place, raw, report_line)
        if experiment.draws:
            draws = raw["run"]["rounds"] * min(experiment.draws.values())
            work, (raw, stated_raw) = stages.within(work, (raw, stated_raw), draws)
        timing, stated = [], None
        if experiment.methods and experiment.stated:
            one_seed = {**stated_raw, "run": {**stated_raw["run"], "seeds": 1}}
            runs = stages.run(work, one_seed, place / stages.STATED)
            stated = runs.outcome
            timing += _timing("paper's step sizes", runs, 1)
        if experiment.methods and not tunings:
            plan = raw["tune"]
            most = plan.get("rounds", raw["run"]["rounds"])
            rounds = {label: experiment.rounds_of(label, most) for label in raw["methods"]}
            tunings = stages.tune(work, raw, rounds)
            for label, tuned in tunings.items():
                seconds, machine = tuned.wall_time
                count = len(tuned.table) * plan["seeds"]
                timing.append(("tuning", label, rounds[label], count, seconds, np.nan, machine))
        here = {label: tuned for label, tuned in tunings.items() if label in raw["methods"]}
        runs, tunings = stages.observed(work, raw, here)
        timing += _timing("runs", runs, raw["run"]["seeds"])
        round_seconds = round_times.of_case(place, runs) if case.values else {}
        by_agent, weights = _final_values(experiment, runs, place)
    columns = ["stage", "method", "rounds", "runs", "wall_seconds", "compiled_seconds", "machine"]
    frame = pd.DataFrame(timing, columns=columns)
    network = runs.experiment.network
    results = runs.outcome, stated, dict(tunings), by_agent, weights
    about = approximations(runs.experiment.algorithms)
    return Record(case, runs.raw, network, *results, frame, about, round_seconds)


def _timing(stage: str, completed: CompletedRuns, seeds: int) -> list[tuple]:
    rows = []
    for label, (wall, machine) in completed.times.items():
        history = completed.outcome.histories[label]
        rounds, compiled = max(map(int, history["round"])), max(map(float, history["seconds"]))
        rows.append((stage, label, rounds, seeds, wall, compiled, machine))
    return rows


def _final_values(experiment: Reproduction, completed: CompletedRuns, place: Path) -> tuple[dict, dict]:
    """Returns the final observation of every agent, and the learned numbers in groups."""
    problem, by_agent, weights = completed.experiment.problem, {}, {}
    for label in completed.outcome.histories:
        result = load(place / disk.METHODS / label)
        if experiment.observation:
            by_agent[label] = of_agents(problem, experiment.observation, result.x, result.y)
        if experiment.weights_of is not None:
            weights[label] = experiment.weights_of(problem, result.x)
    return by_agent, weights


def of_agents(problem: Problem, observation: str, x: Any, y: Any) -> np.ndarray:
    """Returns an observation for every seed and agent, (seeds, agents).

    Args:
        problem: The problem with this observation.
        observation: The name of the observation.
        x: The user's pytree, with leaves (seeds, agents, ...).
        y: The user's pytree, with leaves (seeds, agents, ...).
    """
    function = problem.observe[observation]
    # The function is an argument, so that its arrays (a test set) are not compiled into the program as constants.
    return np.asarray(_of_agents(function if isinstance(function, Partial) else Partial(function), x, y))


@compiled()
def _of_agents(function: Partial, x: Any, y: Any) -> Any:
    return jax.lax.map(lambda seed: jax.vmap(function)(*seed), (x, y))


def costs_of(record: Record, column: str) -> pd.DataFrame:
    """Returns the costs of every method to the values of a case, as `costs.costs` does.

    Args:
        record: The record of the case.
        column: The compared column of the experiment.
    """
    histories = timed(record.outcome.histories, record.round_seconds)
    return costs(histories, record.case.values, record.case.compared or column)


def _write_numbers(folder: Path, records: list[Record], column: str) -> None:
    """Writes the numbers; history.csv has no running times, so running the command again gives the same bytes."""
    frames = [
        history.drop(columns="seconds").assign(case=record.case.name, method=label)
        for record in records
        for label, history in record.outcome.histories.items()
    ]
    if frames:
        disk.write_text(folder / HISTORY, _first(_together(frames), ["case", "method"]).to_csv(index=False))
    timing = pd.concat([record.timing.assign(case=record.case.name) for record in records])
    disk.write_text(folder / TIMING, _first(timing, ["case"]).to_csv(index=False))
    tables = [
        tuned.table.assign(case=record.case.name, method=label)
        for record in records
        for label, tuned in record.tunings.items()
    ]
    if tables:
        disk.write_text(folder / TUNING, _first(pd.concat(tables), ["case", "method"]).to_csv(index=False))
    spent = [
        costs_of(record, column).assign(case=record.case.name)
        for record in records
        if record.case.values and record.outcome.histories
    ]
    if spent:
        disk.write_text(folder / COSTS, _first(_together(spent), ["case"]).to_csv(index=False))


def _together(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Returns the rows of all cases. A case whose methods all send once in a round has rounds as its exchanges."""
    table = pd.concat(frames)
    return table.assign(exchanges=table["exchanges"].fillna(table["round"])) if "exchanges" in table else table


def _first(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return frame.reindex(columns=[*columns, *(column for column in frame if column not in columns)])
