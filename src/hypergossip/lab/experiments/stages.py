"""The stages of a case, each kept in its folder as soon as it ends: the stated steps, the tuning, the runs."""

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

from hypergossip.lab.build import Experiment, build, build_algorithms
from hypergossip.lab.configuration import Configuration, Raw, Source, assign, validate
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments.comparison import Outcome, Spent, execute
from hypergossip.lab.toml_text import write_toml
from hypergossip.running import tune as tuning
from hypergossip.running.preflight import PreflightWarning
from hypergossip.running.stopping import Stop

STATED, TUNINGS = "stated", "tuning"
NOWHERE = Source("", "")  # these configurations stand in no file

Tell = Callable[[str], None]


class Workplace(NamedTuple):
    """A case's folder and its problem, which is made once for all stages.

    Two problems of one configuration have losses that are two objects, and everything would be compiled twice.

    Attributes:
        folder: Of the case.
        built: Problem, network, engine and when to stop; its algorithms are of no consequence.
        tell: Told a line about everything that ends.
    """

    folder: Path
    built: Experiment
    tell: Tell


class Tuned(NamedTuple):
    """What a method's tuning left.

    Attributes:
        table: As of `hypergossip.Tuning`, best first.
        spent: Wall time, compilation with it, and the machine.
        asked: What decides the score of a point, as text.
        rank: The point that is taken: 0, or a later one where those before diverged on a seed of the report.
        fell: Why; empty where the best one is taken.
    """

    table: pd.DataFrame
    spent: Spent
    asked: str
    rank: int = 0
    fell: str = ""

    @property
    def steps(self) -> dict[str, float]:
        """The hyper-parameters of the point that is taken."""
        return {name: float(self.table[name].iloc[self.rank]) for name in grid_of(self.table)}

    @property
    def edges(self) -> list[str]:
        """The hyper-parameters of that point that lie at an end of the grid, as far as it grew."""
        tried = {name: set(self.table[name]) for name in self.steps}
        ends = {name: {min(values), max(values)} for name, values in tried.items() if len(values) > 1}
        return [name for name, value in self.steps.items() if value in ends.get(name, ())]


class Ran(NamedTuple):
    """What came of the methods of a case.

    Attributes:
        raw: What was run.
        experiment: What was built of it.
        outcome: Histories and failures.
        spent: Label -> what it took.
    """

    raw: Raw
    experiment: Experiment
    outcome: Outcome
    spent: dict[str, Spent]


def begin(folder: Path, raw: Raw, tell: Tell) -> Workplace:
    """Makes a case's folder and builds its problem, network and engine.

    Args:
        folder: The folder.
        raw: A configuration of the case, with any of its methods.
        tell: Told a line about everything that ends.

    Raises:
        ValueError: If the configuration is wrong.
        DataUnavailable: If its data are nowhere to be had.
    """
    built = build(validate(raw, NOWHERE), NOWHERE)
    folder.mkdir(parents=True, exist_ok=True)
    return Workplace(folder, built, tell)


def run(workplace: Workplace, raw: Raw, place: Path) -> Ran:
    """Runs the methods of a configuration, those that have not ended yet in this place.

    Args:
        workplace: The case's.
        raw: The configuration, its problem and network those of the workplace.
        place: A folder.
    """
    configuration = validate(raw, NOWHERE)
    experiment = workplace.built._replace(algorithms=build_algorithms(configuration, NOWHERE))
    place.mkdir(parents=True, exist_ok=True)
    disk.write_configuration(place, raw)
    outcome = execute(place, configuration, experiment, workplace.tell)
    methods = disk.read_summary(place)["methods"]
    spent = {label: Spent(float(about["wall_seconds"]), about.get("machine", "")) for label, about in methods.items()}
    return Ran(raw, experiment, outcome, spent)


def within(workplace: Workplace, raws: Sequence[Raw], draws: int) -> tuple[Workplace, list[Raw]]:
    """Returns the workplace and configurations whose methods end when an agent has drawn so often.

    Args:
        workplace: The case's.
        raws: Its configurations.
        draws: How often: each time a batch of data, or the episodes of a sample.
    """
    budget = draws * int(workplace.built.problem.agent(0).samples(lower=1))
    built = workplace.built._replace(stop=replace(workplace.built.stop or Stop(), samples=budget))
    return workplace._replace(built=built), [assign(raw, ("run", "stop", "samples"), budget) for raw in raws]


def tune(workplace: Workplace, raw: Raw, rounds: Mapping[str, int]) -> dict[str, Tuned]:
    """Tunes every method of a configuration over its one grid; what was tuned here before is read.

    Of a grid that has changed since, the new points alone are run.

    Args:
        workplace: The case's.
        raw: Its configuration.
        rounds: Label -> the rounds of every run.
    """
    configuration = validate(raw, NOWHERE)
    return {label: _tuned(workplace, label, configuration, rounds[label]) for label in configuration.methods}


def _tuned(workplace: Workplace, label: str, configuration: Configuration, rounds: int) -> Tuned:
    place, plan = workplace.folder / TUNINGS / label, configuration.tune
    asked = _asked(label, configuration, rounds)
    earlier = _earlier(place, asked)
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreflightWarning)  # the report says what lies at an edge
        table = tuning.tune(
            build_algorithms(configuration, NOWHERE)[label],
            workplace.built.problem,
            workplace.built.network,
            grid=plan.grid,
            rounds=rounds,
            seeds=plan.seeds,
            seed=plan.seed,
            score=plan.score,
            largest=plan.largest,
            extend=plan.extend,
            known=earlier.table if earlier else None,
            engine=workplace.built.engine,
        ).table
    if earlier and earlier.table.equals(table):
        return earlier
    seconds = time.perf_counter() - begun + (earlier.spent.seconds if earlier else 0.0)
    tuned = Tuned(table, Spent(seconds, disk.machine()), asked)
    if earlier and earlier.steps != tuned.steps:
        shutil.rmtree(workplace.folder / disk.METHODS / label, ignore_errors=True)
    _keep(place, tuned)
    steps = ", ".join(f"{name} {value:g}" for name, value in tuned.steps.items())
    workplace.tell(f"{label}: of {len(table)} points the best is {steps}, {plan.score} {table['score'].iloc[0]:.3g}")
    return tuned


def _keep(place: Path, tuned: Tuned) -> None:
    place.mkdir(parents=True, exist_ok=True)
    disk.write_text(place / "table.csv", tuned.table.to_csv(index=False))
    about = {name: value for name, value in tuned._asdict().items() if name not in ("table", "spent")}
    about |= tuned.spent._asdict()
    disk.write_text(place / "about.json", json.dumps(about, indent=1))


def _earlier(place: Path, asked: str) -> Tuned | None:
    """An earlier tuning; None where there is none, or something else was asked, or its files are damaged."""
    try:
        # By way of text, so that every number is the one that was written.
        table = pd.read_csv(place / "table.csv", dtype=str, keep_default_na=False)
        table = table.astype({name: float for name in table if name != "note"}).astype({"diverged": int})
        about = json.loads((place / "about.json").read_text(encoding="utf-8"))
        tuned = Tuned(table, Spent(about.pop("seconds"), about.pop("machine")), **about)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return tuned if tuned.asked == asked else None


def _asked(label: str, configuration: Configuration, rounds: int) -> str:
    """What decides the score of a point, as text."""
    parts = {"problem": configuration.problem, "network": configuration.network, "method": configuration.methods[label]}
    run = {"rounds": rounds, **configuration.run.model_dump(include={"precision"})}
    tune = configuration.tune.model_dump(exclude={"grid", "extend"})
    return write_toml({**{name: part.model_dump() for name, part in parts.items()}, "run": run, "tune": tune})


def observed(workplace: Workplace, raw: Raw, tunings: Mapping[str, Tuned]) -> tuple[Ran, dict[str, Tuned]]:
    """Runs every method with the best steps of its tuning that all the reported seeds survive.

    The point that was best on the tuning's seeds may diverge on one of the report's; then the next best is taken.

    Args:
        workplace: The case's.
        raw: Its configuration.
        tunings: Label -> tuning; empty where the steps are taken as they are.

    Returns:
        What was run, and the tunings with the points that were taken.
    """
    tunings = dict(tunings)
    while True:
        steps = {label: with_steps(section, tunings.get(label)) for label, section in raw["methods"].items()}
        ran = run(workplace, {**raw, "methods": steps}, workplace.folder)
        again = {label: why for label, why in ran.outcome.failures.items() if label in tunings and more(tunings[label])}
        if not again:
            return ran, tunings
        for label, why in again.items():
            tunings[label] = tunings[label]._replace(rank=tunings[label].rank + 1, fell=why)
            shutil.rmtree(workplace.folder / disk.METHODS / label, ignore_errors=True)  # of the steps before
            place = workplace.folder / TUNINGS / label
            if place.is_dir():
                _keep(place, tunings[label])


def more(tuned: Tuned) -> bool:
    """Has the grid another point that ended?"""
    return tuned.rank + 1 < int(np.isfinite(tuned.table["score"]).sum())


def with_steps(section: Raw, tuned: Tuned | None) -> Raw:
    """Returns a method's section with the steps of its tuning, or as it is where it has none."""
    for name, value in tuned.steps.items() if tuned else ():
        section = assign(section, tuple(name.split(".")), value)
    return section


def grid_of(table: pd.DataFrame) -> list[str]:
    """Returns the hyper-parameters of a tuning's table."""
    return list(table.columns[: list(table.columns).index("score")])
