"""One experiment into one folder: every case through its stages, then the numbers, the figures and the report."""

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
from hypergossip.lab.experiments import stages
from hypergossip.lab.experiments.comparison import Outcome
from hypergossip.lab.experiments.reproduction import Case, Reproduction
from hypergossip.lab.experiments.stages import Ran, Tell, Tuned
from hypergossip.lab.toml_text import read_utf8, write_toml
from hypergossip.networks import Network
from hypergossip.running.result import load
from hypergossip.support.compilation import compiled

ASKED, CASES, FIGURES = "reproduction.toml", "cases", "figures"
HISTORY, TIMING, TUNING = "history.csv", "timing.csv", "tuning.csv"
MARKDOWN, HTML, FIGURE = "report.md", "report.html", "figure.png"
FILES = (HISTORY, TIMING, TUNING, MARKDOWN, HTML, FIGURE, ASKED)  # the last one marks the folder, so it goes last


class Record(NamedTuple):
    """What a case left.

    Attributes:
        case: The case.
        raw: Its configuration as run, tuned steps and all.
        network: Its network.
        outcome: The histories and failures of the reported seeds.
        stated: Those of the stated steps, one seed; None where they were not run apart.
        tunings: Label -> tuning.
        by_agent: Label -> (seeds, agents) the observation of every agent at the end.
        weights: Label -> group -> the learned numbers of `Reproduction.weights_of`.
        timing: One row a stage and method: stage, method, rounds, runs, wall_seconds, compiled_seconds (of them, in
            compiled rounds; NaN for a tuning, which does not tell) and machine.
    """

    case: Case
    raw: Raw
    network: Network
    outcome: Outcome
    stated: Outcome | None
    tunings: dict[str, Tuned]
    by_agent: dict[str, np.ndarray]
    weights: dict[str, dict[str, np.ndarray]]
    timing: pd.DataFrame


def prepare(folder: Path, asked: Mapping[str, Any], overwrite: bool) -> None:
    """Makes a folder ready for an experiment: a new one, or to go on with the same one.

    Args:
        folder: The folder; made if it is missing.
        asked: What decides the numbers: name, options.
        overwrite: Remove what an earlier experiment left, and nothing else.

    Raises:
        ValueError: If something is in it that may not be removed, with advice.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder by --out.")
    if folder.is_dir() and any(folder.iterdir()):
        marker = folder / ASKED
        if not marker.is_file():
            raise ValueError(f"{folder} holds files that are not of an experiment; give another folder by --out.")
        if overwrite:
            for name in (CASES, FIGURES):
                shutil.rmtree(folder / name, ignore_errors=True)
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
        elif _asked_before(marker) != tomllib.loads(write_toml(asked)):
            raise ValueError(
                f"{folder} holds an experiment with other options (they stand in {marker}); give those to go on with "
                "it, replace it by --overwrite, or give another folder by --out."
            )
    folder.mkdir(parents=True, exist_ok=True)
    disk.write_text(folder / ASKED, write_toml(asked))


def _asked_before(marker: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_utf8(marker))
    except ValueError as error:
        raise ValueError(
            f"{marker} is damaged ({error}), so nobody can tell which experiment {marker.parent} holds; replace it by "
            "--overwrite, or give another folder by --out."
        ) from None


def check(experiment: Reproduction, quick: bool, settings: Mapping[str, Any]) -> None:
    """Builds the first case, so that what cannot be run is refused before an earlier experiment gives way to it.

    Args:
        experiment: What to run.
        quick: As for `run`.
        settings: As for `run`.

    Raises:
        ValueError: If the configuration is wrong.
        DataUnavailable: If its data are nowhere to be had.
    """
    methods = experiment.methods or experiment.stated
    raw = experiment.configuration(experiment.cases[0], methods, quick, settings)
    with jax.enable_x64(raw["run"].get("precision") == "float64"):
        build(validate(raw, stages.NOWHERE), stages.NOWHERE)


def run(experiment: Reproduction, folder: Path, quick: bool, settings: Mapping[str, Any], tell: Tell) -> list[Record]:
    """Takes every case through its stages; what ended in this folder before is read, not run again.

    Args:
        experiment: What to run.
        folder: A prepared folder.
        quick: A run of a few minutes, to see that everything works.
        settings: Dotted option -> value over every case's configuration, such as {"run.seeds": 3}.
        tell: Told a line about everything that ends.

    Returns:
        The cases' records, in order; history.csv, timing.csv and tuning.csv are in the folder.
    """
    records: list[Record] = []
    # The case whose steps the others take goes first.
    for case in sorted(experiment.cases, key=lambda case: case.name != experiment.tuned_in):
        tell(f"{experiment.name}, {case.full_title}")
        lent = records[0].tunings if experiment.tuned_in and records else {}
        records.append(_case(experiment, case, folder / CASES / case.name, quick, settings, tell, lent))
        _write_numbers(folder, records)
    return sorted(records, key=lambda record: experiment.cases.index(record.case))


def _case(
    experiment: Reproduction,
    case: Case,
    place: Path,
    quick: bool,
    settings: Mapping[str, Any],
    tell: Tell,
    lent: dict[str, Tuned],
) -> Record:
    configuration = partial(experiment.configuration, case, quick=quick, settings=settings)
    stated_raw = configuration(methods=experiment.stated)
    raw = configuration(methods=experiment.methods or experiment.stated)
    with jax.enable_x64(raw["run"].get("precision") == "float64"):
        workplace = stages.begin(place, raw, tell)
        if experiment.draws:
            draws = raw["run"]["rounds"] * min(experiment.draws.values())
            workplace, (raw, stated_raw) = stages.within(workplace, (raw, stated_raw), draws)
        timing, stated, tunings = [], None, lent
        if experiment.methods and experiment.stated:
            one_seed = {**stated_raw, "run": {**stated_raw["run"], "seeds": 1}}
            ran = stages.run(workplace, one_seed, place / stages.STATED)
            stated = ran.outcome
            timing += _timing("stated steps", ran, 1)
        if experiment.methods and not lent:
            plan = raw["tune"]
            asked = plan.get("rounds", raw["run"]["rounds"])
            rounds = {label: experiment.rounds_of(label, asked) for label in raw["methods"]}
            tunings = stages.tune(workplace, raw, rounds)
            runs = {label: len(tuned.table) * plan["seeds"] for label, tuned in tunings.items()}
            timing += [
                ("tuning", label, rounds[label], runs[label], tuned.spent.seconds, np.nan, tuned.spent.machine)
                for label, tuned in tunings.items()
            ]
        ran, tunings = stages.observed(workplace, raw, tunings)
        timing += _timing("runs", ran, raw["run"]["seeds"])
        by_agent, weights = _ends(experiment, ran, place)
    columns = ["stage", "method", "rounds", "runs", "wall_seconds", "compiled_seconds", "machine"]
    frame = pd.DataFrame(timing, columns=columns)
    return Record(case, ran.raw, ran.experiment.network, ran.outcome, stated, dict(tunings), by_agent, weights, frame)


def _timing(stage: str, ran: Ran, seeds: int) -> list[tuple]:
    rows = []
    for label, (wall, machine) in ran.spent.items():
        history = ran.outcome.histories[label]
        rounds, compiled = max(map(int, history["round"])), max(map(float, history["seconds"]))
        rows.append((stage, label, rounds, seeds, wall, compiled, machine))
    return rows


def _ends(experiment: Reproduction, ran: Ran, place: Path) -> tuple[dict, dict]:
    """What every agent ended with: its observation, and the learned numbers in groups."""
    by_agent, weights = {}, {}
    for label in ran.outcome.histories:
        result = load(place / disk.METHODS / label)
        if experiment.observation:
            by_agent[label] = of_agents(ran.experiment.problem, experiment.observation, result.x, result.y)
        if experiment.weights_of is not None:
            weights[label] = experiment.weights_of(ran.experiment.problem, result.x)
    return by_agent, weights


def of_agents(problem: Problem, observation: str, x: Any, y: Any) -> np.ndarray:
    """Returns an observation of every agent and seed, (seeds, agents).

    Args:
        problem: Whose observation.
        observation: Its name.
        x: The user's pytree, leaves (seeds, agents, ...).
        y: Likewise.
    """
    function = problem.observe[observation]
    # Given as an argument, its arrays (a test set) are not compiled into the program.
    return np.asarray(_of_agents(function if isinstance(function, Partial) else Partial(function), x, y))


@compiled()
def _of_agents(function: Partial, x: Any, y: Any) -> Any:
    return jax.lax.map(lambda seed: jax.vmap(function)(*seed), (x, y))


def _write_numbers(folder: Path, records: list[Record]) -> None:
    """Writes the numbers; history.csv holds none that another run of the same command on this machine would change."""
    frames = [
        history.drop(columns="seconds").assign(case=record.case.name, method=label)
        for record in records
        for label, history in record.outcome.histories.items()
    ]
    if frames:
        disk.write_text(folder / HISTORY, _first(pd.concat(frames), ["case", "method"]).to_csv(index=False))
    timing = pd.concat([record.timing.assign(case=record.case.name) for record in records])
    disk.write_text(folder / TIMING, _first(timing, ["case"]).to_csv(index=False))
    tables = [
        tuned.table.assign(case=record.case.name, method=label)
        for record in records
        for label, tuned in record.tunings.items()
    ]
    if tables:
        disk.write_text(folder / TUNING, _first(pd.concat(tables), ["case", "method"]).to_csv(index=False))


def _first(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return frame.reindex(columns=[*columns, *(column for column in frame if column not in columns)])
