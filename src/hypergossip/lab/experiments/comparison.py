"""Runs the methods of an experiment one after the other, and writes each result as soon as the method finishes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hypergossip.channels.requirements import check_channel, check_stateful
from hypergossip.channels.stack import Stack
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.preset import generalised
from hypergossip.core.problem import Problem
from hypergossip.figures.histories import LAST_FIFTH, leading, means_from
from hypergossip.lab.build import Experiment
from hypergossip.lab.configuration import Configuration, Raw
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments.stored_methods import channel_of, is_finished, settings, stored_histories
from hypergossip.networks import AnyNetwork
from hypergossip.running import snapshot as checkpoint
from hypergossip.running.loop import NotFinite
from hypergossip.running.preflight import concerns, facts, sent_in_a_round
from hypergossip.running.result import frame
from hypergossip.running.solve import solve
from hypergossip.running.stopping import check_measurable


class Outcome(NamedTuple):
    """The results of the methods.

    Attributes:
        histories: Label -> history with a seed column, of the methods that finished.
        failures: Label -> the reason why a method did not finish.
    """

    histories: dict[str, pd.DataFrame]
    failures: dict[str, str]


class WallTime(NamedTuple):
    """The running time of a method.

    Attributes:
        seconds: Wall time including compilation and measurements, over all calls that ran a part of it.
        machine: A description of the machine of the last call; empty if it was not recorded.
    """

    seconds: float
    machine: str


def check(experiment: Experiment) -> list[str]:
    """Returns warnings about the methods of an experiment, before anything is run or written.

    Raises:
        ValueError: If a method cannot work.
    """
    problem, channel = experiment.problem, experiment.channel
    if experiment.stop is not None:
        check_measurable(experiment.stop, problem)
    known = facts(problem, experiment.network)
    texts = []
    for label, algorithm in experiment.algorithms.items():
        try:
            fit = fitted(algorithm, problem.upper, problem.lower)
            found = [*concerns(fit, known), *_check_channel(fit, problem, channel, experiment.network)]
            texts += [f"[methods.{label}] {text}" for text in found]
        except ValueError as error:
            raise ValueError(f"[methods.{label}] {error}") from error
    return texts


def _check_channel(fit: Algorithm, problem: Problem, channel: Stack | None, network: AnyNetwork) -> list[str]:
    """Returns warnings about a method under a channel, or raises ValueError if it cannot work."""
    if channel is None or problem.agents == 1:  # a single agent sends nothing
        return []
    method = generalised(fit)
    check_stateful(channel, sent_in_a_round(method, problem), type(fit).__name__)
    sizes = problem.upper.shared_size, problem.lower.shared_size
    return check_channel(type(fit).__name__, method, channel, network, sizes)


def execute(
    folder: Path,
    configuration: Configuration,
    experiment: Experiment,
    report_line: Callable[[str], None],
    raw: Raw | None = None,
) -> Outcome:
    """Runs every unfinished method, and keeps the histories and the summary in the folder up to date.

    A method whose numbers are no longer finite stops; the other methods still run.

    Args:
        folder: The folder of the run.
        configuration: The configuration to run.
        experiment: The experiment built from it.
        report_line: Receives a line about every method that finishes.
        raw: The configuration to write once the methods in the folder are checked; None keeps the one that is there.

    Raises:
        CheckpointError: If a method in the folder is damaged or belongs to another configuration; nothing is written.
        KeyboardInterrupt: At Ctrl-C or SIGTERM; the rounds so far are in the folder.
    """
    outcome, times = Outcome({}, {}), {}
    kept = stored_histories(folder, configuration, experiment)
    if raw is not None:
        disk.write_configuration(folder, raw)
    earlier = disk.read_summary(folder).get("methods", {})
    kept = {label: with_exchanges(history, experiment, label) for label, history in kept.items()}
    for label in experiment.algorithms:
        place = folder / disk.METHODS / label
        before = earlier.get(label, {}) if place.exists() else {}
        times[label] = WallTime(before.get("wall_seconds") or 0.0, before.get("machine", ""))
    for label in experiment.algorithms:
        place = folder / disk.METHODS / label
        finished = is_finished(place, configuration, label)
        begin, status = time.perf_counter(), "running"
        try:
            if not finished:
                history = _history(place, configuration, experiment, label)
                kept[label] = with_exchanges(history, experiment, label)
            outcome.histories[label] = kept[label]
        except NotFinite as error:
            outcome.failures[label] = str(error)  # the rows of an earlier call, with fewer rounds, stay in history.csv
        except KeyboardInterrupt as error:
            status, reached = "interrupted", 0
            if (place / checkpoint.FILE).exists():
                saved = checkpoint.read(place)
                reached = saved.round
                kept[label] = with_exchanges(frame(saved.rows, True), experiment, label)
            signal = str(error).partition(" ")[0].rstrip(";") or "SIGINT"
            raise KeyboardInterrupt(
                f"{signal}: {label} was interrupted at round {reached}; to continue from there, run "
                f"'hypergossip resume {folder}'."
            ) from None
        except Exception:
            status = "interrupted"
            raise
        finally:
            if not finished:
                seconds = times[label].seconds + time.perf_counter() - begin
                times[label] = WallTime(seconds, disk.machine())
            # The methods that this call has not reached keep what earlier calls have written about them.
            rows = {name: kept[name] for name in experiment.algorithms if name in kept}
            disk.write_histories(folder, rows)
            known = Outcome({name: rows[name] for name in rows if name not in outcome.failures}, outcome.failures)
            disk.write_summary(folder, summarize(status, configuration, experiment, known, times))
        report_line(f"{label}: {outcome.failures.get(label) or _progress(outcome.histories[label])}")
    status = "failed" if outcome.failures else "finished"
    disk.write_summary(folder, summarize(status, configuration, experiment, outcome, times))
    return outcome


def _history(place: Path, configuration: Configuration, experiment: Experiment, label: str) -> pd.DataFrame:
    """Runs a method, from its checkpoint if there is one, and returns its history."""
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
        channel=experiment.channel,
    )
    result.save(place)
    disk.write_text(place / disk.ENDED, settings(configuration, label))
    return result.history


def _progress(history: pd.DataFrame) -> str:
    last_round = history["round"].max()
    column = leading([history])
    last = history.loc[history["round"] == last_round, column]
    return f"{last_round} rounds, {column} {np.median(last):.3g}"


def with_exchanges(history: pd.DataFrame, experiment: Experiment, label: str) -> pd.DataFrame:
    """Returns a history with a column of the number of times that an agent has sent to its neighbours.

    If every method of the experiment sends once per round, the history has no such column.

    Args:
        history: The history of the method.
        experiment: The experiment with all its methods.
        label: The label of the method.
    """
    counts = {name: exchanges(algorithm, experiment.problem) for name, algorithm in experiment.algorithms.items()}
    if set(counts.values()) == {1}:
        return history
    return history.assign(exchanges=counts[label] * history["round"])


def exchanges(algorithm: Algorithm, problem: Problem) -> int:
    """Returns how often an agent sends to its neighbours in one round of an algorithm on a problem."""
    method = generalised(fitted(algorithm, problem.upper, problem.lower))
    return sum(message.times for message in sent_in_a_round(method, problem))


def summarize(
    status: str, configuration: Configuration, experiment: Experiment, outcome: Outcome, times: dict[str, WallTime]
) -> dict[str, Any]:
    """Returns the content of summary.json.

    For every method and column, it has the last value and the mean over the last fifth of the rounds ("tail_mean"),
    each by seed and as the median over the seeds.

    Args:
        status: "running", "interrupted", "failed" or "finished".
        configuration: The configuration that ran.
        experiment: The experiment built from it.
        outcome: The results so far.
        times: Label -> running time.
    """
    run, network, problem = configuration.run, experiment.network, experiment.problem
    methods = {}
    for label, history in outcome.histories.items():
        reached = max(map(int, history["round"]))
        final, tail = _by_seed(history, 1.0), _by_seed(history, LAST_FIFTH)
        methods[label] = {
            "algorithm": str(experiment.algorithms[label]),
            "rounds": reached,
            "wall_seconds": times[label].seconds,
            "machine": times[label].machine,
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
        **channel_of(configuration),
        "rounds": run.rounds,
        "seeds": [run.seed + i for i in range(run.seeds)],
        "observe_every": run.rows_every,
        "precision": str(problem.x0.dtype),
        "methods": methods,
        "failures": outcome.failures,
    }


def _by_seed(history: pd.DataFrame, share: float) -> dict[str, list[float]]:
    """Returns column -> the mean of every seed over the rows after a share of the rounds."""
    columns = [str(column) for column in history if column not in ("seed", "round")]
    means = means_from(history, columns, share)
    return {column: means[:, k].tolist() for k, column in enumerate(columns)}


def _medians(by_seed: dict[str, list[float]]) -> dict[str, float]:
    return {column: float(np.median(values)) for column, values in by_seed.items()}
