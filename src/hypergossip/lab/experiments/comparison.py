"""The methods of an experiment one after the other, each kept as soon as it ends."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hypergossip.core.algorithm import Algorithm
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.preset import generalised
from hypergossip.core.problem import Problem
from hypergossip.figures.histories import LAST_FIFTH, leading, means_from
from hypergossip.lab.build import Experiment
from hypergossip.lab.configuration import Configuration
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.toml_text import write_toml
from hypergossip.running import snapshot as checkpoint
from hypergossip.running.loop import NotFinite
from hypergossip.running.preflight import concerns, facts, sent_in_a_round
from hypergossip.running.result import POINT, frame, load
from hypergossip.running.solve import solve


class Outcome(NamedTuple):
    """What became of the methods.

    Attributes:
        histories: Label -> history, with a seed column; of those that ended.
        failures: Label -> why it did not.
    """

    histories: dict[str, pd.DataFrame]
    failures: dict[str, str]


class Spent(NamedTuple):
    """What a method took.

    Attributes:
        seconds: Wall time, compilation and measuring with it, over all the calls that it went on in.
        machine: Where the last of them ran, in words; empty where it was not recorded.
    """

    seconds: float
    machine: str


def check(experiment: Experiment) -> list[str]:
    """Returns warnings about an experiment's methods, before anything is run or written.

    Raises:
        ValueError: If one of them cannot work.
    """
    problem = experiment.problem
    known = facts(problem, experiment.network)
    texts = []
    for label, algorithm in experiment.algorithms.items():
        try:
            fit = fitted(algorithm, problem.upper, problem.lower)
            texts += [f"[methods.{label}] {text}" for text in concerns(fit, known)]
        except ValueError as error:
            raise ValueError(f"[methods.{label}] {error}") from error
    return texts


def execute(folder: Path, configuration: Configuration, experiment: Experiment, tell: Callable[[str], None]) -> Outcome:
    """Runs every method that has not ended yet, and keeps histories and summary up to date in the folder.

    A method whose numbers are no longer finite is left behind, and the others go on.

    Args:
        folder: The run's folder.
        configuration: What to run.
        experiment: What was built of it.
        tell: Told a line about every method that has ended.

    Raises:
        KeyboardInterrupt: At Ctrl-C or SIGTERM; what was reached is in the folder.
    """
    outcome, spent = Outcome({}, {}), {}
    earlier = disk.read_summary(folder).get("methods", {})
    for label in experiment.algorithms:
        place = folder / disk.METHODS / label
        before = earlier.get(label, {}) if place.exists() else {}
        ended = _has_ended(place, configuration, label)
        begin, status = time.perf_counter(), "running"
        try:
            history = load(place).history if ended else _history(place, configuration, experiment, label)
            outcome.histories[label] = with_exchanges(history, experiment, label)
        except NotFinite as error:
            outcome.failures[label] = str(error)
        except KeyboardInterrupt as error:
            status, reached = "interrupted", 0
            if (place / checkpoint.FILE).exists():
                saved = checkpoint.read(place)
                reached = saved.round
                outcome.histories[label] = with_exchanges(frame(saved.rows, True), experiment, label)
            by = str(error).partition(" ")[0].rstrip(";") or "SIGINT"
            raise KeyboardInterrupt(
                f"{by}: {label} stands at round {reached}; 'hypergossip resume {folder}' goes on from there."
            ) from None
        finally:
            seconds = (before.get("wall_seconds") or 0.0) + (0.0 if ended else time.perf_counter() - begin)
            spent[label] = Spent(seconds, before.get("machine", "") if ended else disk.machine())
            disk.write_histories(folder, outcome.histories)
            disk.write_summary(folder, summarize(status, configuration, experiment, outcome, spent))
        tell(f"{label}: {outcome.failures.get(label) or _progress(outcome.histories[label])}")
    status = "failed" if outcome.failures else "finished"
    disk.write_summary(folder, summarize(status, configuration, experiment, outcome, spent))
    return outcome


def _has_ended(place: Path, configuration: Configuration, label: str) -> bool:
    """Has a method ended here?

    What is asked for is compared whole: where anything differs, the checkpoint decides whether the run may go on.
    """
    ended = place / disk.ENDED
    asked = _asked(configuration, label)
    return (place / POINT).exists() and ended.is_file() and ended.read_text(encoding="utf-8") == asked


def _history(place: Path, configuration: Configuration, experiment: Experiment, label: str) -> pd.DataFrame:
    """One method's history, run from its checkpoint where it has one."""
    run = configuration.run
    result = solve(
        experiment.algorithms[label],
        experiment.problem,
        experiment.network,
        rounds=run.rounds,
        seed=run.seed,
        seeds=run.seeds,
        engine=experiment.engine,
        observe_every=run.rows_every,
        stop=experiment.stop,
        checkpoint=place,
        checkpoint_every=run.checkpoint_every,
        progress=run.progress,
        check=False,
    )
    result.save(place)
    disk.write_text(place / disk.ENDED, _asked(configuration, label))
    return result.history


def _asked(configuration: Configuration, label: str) -> str:
    """What decides a method's numbers, as text."""
    run = configuration.run.model_dump(include={"rounds", "seed", "seeds", "observe_every", "stop", "precision"})
    parts = {"problem": configuration.problem, "network": configuration.network, "method": configuration.methods[label]}
    return write_toml({**{name: part.model_dump() for name, part in parts.items()}, "run": run})


def _progress(history: pd.DataFrame) -> str:
    last_round = history["round"].max()
    column = leading([history])
    last = history.loc[history["round"] == last_round, column]
    return f"{last_round} rounds, {column} {np.median(last):.3g}"


def with_exchanges(history: pd.DataFrame, experiment: Experiment, label: str) -> pd.DataFrame:
    """Returns a method's history with the times that an agent has sent to its neighbours, beside the rounds.

    Where every method of the experiment sends once a round it is as it was.

    Args:
        history: Of the method.
        experiment: With all its methods.
        label: Of the method.
    """
    counts = {name: exchanges(algorithm, experiment.problem) for name, algorithm in experiment.algorithms.items()}
    if set(counts.values()) == {1}:
        return history
    return history.assign(exchanges=counts[label] * history["round"])


def exchanges(algorithm: Algorithm, problem: Problem) -> int:
    """Returns how often an agent sends to its neighbours in a round of an algorithm on a problem."""
    method = generalised(fitted(algorithm, problem.upper, problem.lower))
    return sum(message.times for message in sent_in_a_round(method, problem))


def summarize(
    status: str, configuration: Configuration, experiment: Experiment, outcome: Outcome, spent: dict[str, Spent]
) -> dict[str, Any]:
    """Returns what summary.json says.

    For every method and column: the last value and the mean over the rows of the last fifth of the rounds
    ("tail_mean"), each by seed and as the median over seeds.

    Args:
        status: "running", "interrupted", "failed" or "finished".
        configuration: What ran.
        experiment: What was built of it.
        outcome: How far the methods are.
        spent: Label -> what it took.
    """
    run, network, problem = configuration.run, experiment.network, experiment.problem
    methods = {}
    for label, history in outcome.histories.items():
        reached = max(map(int, history["round"]))
        final, tail = _by_seed(history, 1.0), _by_seed(history, LAST_FIFTH)
        methods[label] = {
            "algorithm": str(experiment.algorithms[label]),
            "rounds": reached,
            "wall_seconds": spent[label].seconds,
            "machine": spent[label].machine,
            "final": _medians(final),
            "tail_mean": _medians(tail),
            "final_by_seed": final,
            "tail_mean_by_seed": tail,
        }
    return {
        "status": status,
        "versions": disk.versions(),
        "problem": {
            **configuration.problem.model_dump(),
            "agents": problem.agents,
            "upper_dimension": problem.upper.size,
            "lower_dimension": problem.lower.size,
        },
        "network": {
            "name": network.name,
            "weights": network.weights,
            "seed": network.seed,
            "agents": network.agents,
            "names": None if network.names is None else [str(name) for name in network.names],
            "lambda": network.lambda_,
        },
        "rounds": run.rounds,
        "seeds": [run.seed + i for i in range(run.seeds)],
        "observe_every": run.rows_every,
        "precision": str(problem.x0.dtype),
        "methods": methods,
        "failures": outcome.failures,
    }


def _by_seed(history: pd.DataFrame, share: float) -> dict[str, list[float]]:
    """Returns column -> the mean over the rows from a share of the rounds on, for every seed."""
    columns = [str(column) for column in history if column not in ("seed", "round")]
    return {column: means_from(history, column, share).tolist() for column in columns}


def _medians(by_seed: dict[str, list[float]]) -> dict[str, float]:
    return {column: float(np.median(values)) for column, values in by_seed.items()}
