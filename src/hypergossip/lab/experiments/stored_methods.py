"""The methods in the folder of a run: their settings, and whether what is stored there belongs to a configuration."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypergossip.core.leaf_steps import fitted
from hypergossip.lab.build import Experiment
from hypergossip.lab.configuration import Configuration
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.toml_text import write_toml
from hypergossip.running import snapshot as checkpoint
from hypergossip.running.result import POINT, Result, frame, load
from hypergossip.running.run import identity
from hypergossip.running.snapshot import CheckpointError


def stored_histories(folder: Path, configuration: Configuration, experiment: Experiment) -> dict[str, pd.DataFrame]:
    """Returns label -> the history of every method that has finished or has a checkpoint in the folder.

    Nothing is written, so a folder that is refused is as it was.

    Args:
        folder: The folder of the run.
        configuration: The configuration.
        experiment: The experiment built from it.

    Raises:
        CheckpointError: If a file of a method is damaged, or belongs to another configuration.
    """
    found = {}
    for label in experiment.algorithms:
        place = folder / disk.METHODS / label
        if is_finished(place, configuration, label):
            found[label] = load(place).history
        elif (place / checkpoint.FILE).exists():
            saved = checkpoint.read(place)
            _check_same(saved, place, configuration, experiment, label)
            if saved.rows:
                found[label] = frame(saved.rows, True)
    return found


def stored_result(place: Path, configuration: Configuration, experiment: Experiment, label: str) -> Result:
    """Returns the result of a method.

    Args:
        place: The folder of the method.
        configuration: The configuration.
        experiment: The experiment built from it.
        label: The label of the method.

    Raises:
        CheckpointError: If there is none, or it is damaged, or belongs to another configuration.
    """
    result = load(place)
    if not is_finished(place, configuration, label):
        _check_same(result.saved, place, configuration, experiment, label)
    return result


def _check_same(
    saved: checkpoint.Snapshot, place: Path, configuration: Configuration, experiment: Experiment, label: str
) -> None:
    """Raises CheckpointError if a checkpoint belongs to another configuration."""
    run, problem, network = configuration.run, experiment.problem, experiment.network
    algorithm, seeds = (
        fitted(experiment.algorithms[label], problem.upper, problem.lower),
        run.seed + np.arange(run.seeds),
    )
    asked = identity(algorithm, problem, network, seeds, run.seeds, channel=experiment.channel)
    try:
        checkpoint.check_same(asked, saved, place)
    except CheckpointError as error:
        raise CheckpointError(f"[methods.{label}] {error}") from None


def is_finished(place: Path, configuration: Configuration, label: str) -> bool:
    """Returns whether a method has already finished with exactly these settings.

    With any other settings, the checkpoint decides whether the run can be resumed.

    Args:
        place: The folder of the method.
        configuration: The configuration.
        label: The label of the method.
    """
    marker, asked = place / disk.ENDED, settings(configuration, label)
    return (place / POINT).exists() and marker.is_file() and marker.read_text(encoding="utf-8") == asked


def settings(configuration: Configuration, label: str) -> str:
    """Returns all settings that affect the numbers of a method, as text.

    Args:
        configuration: The configuration.
        label: The label of the method.
    """
    run = configuration.run.model_dump(include={"rounds", "seed", "seeds", "observe_every", "stop", "precision"})
    return write_toml({**parts_of(configuration, label), "run": run})


def parts_of(configuration: Configuration, label: str) -> dict[str, Any]:
    """Returns the sections of the problem, the network, a method and the channel, which is absent if it is ideal.

    Args:
        configuration: The configuration.
        label: The label of the method.
    """
    parts = {"problem": configuration.problem, "network": configuration.network, "method": configuration.methods[label]}
    return {name: part.model_dump() for name, part in parts.items()} | channel_of(configuration)


def channel_of(configuration: Configuration) -> dict[str, Any]:
    """Returns {"channel": its stages}, or nothing if the channel is ideal."""
    stages = [part.model_dump() for part in configuration.channel]
    return {"channel": stages} if stages else {}
