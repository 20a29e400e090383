"""The time of a round of every method of a case, measured in turns: other programs then delay all of them equally."""

import json
import time
from pathlib import Path

import jax
import numpy as np

from hypergossip.engines import Simulated
from hypergossip.lab.experiments import folder as disk
from hypergossip.lab.experiments.stages import CompletedRuns
from hypergossip.lab.toml_text import write_toml
from hypergossip.networks.pairing import paired
from hypergossip.running.run import begin

FILE = "round_times.json"
TURNS, ROUNDS = 5, 32  # 32 rounds contain a period of every method of the experiments


def of_case(place: Path, runs: CompletedRuns) -> dict[str, float]:
    """Returns the seconds of a compiled round of every method that finished, for one of the seeds that run at once.

    The methods take turns, so that programs beside this one delay all of them equally. Measurements of the metric and
    compilation are not included. Earlier measurements of the same configuration are read from the folder.

    Args:
        place: The folder of the case.
        runs: Its finished runs.

    Returns:
        Label -> the median over the turns.
    """
    settings = write_toml({name: part for name, part in runs.raw.items() if name != "tune"})
    turns = _earlier(place, settings)
    if set(turns) != set(runs.outcome.histories):
        turns = _measure(runs)
        about = {"settings": settings, "rounds": ROUNDS, "machine": disk.machine(), "seconds": turns}
        disk.write_text(place / FILE, json.dumps(about, indent=1))
    return {label: float(np.median(seconds)) for label, seconds in turns.items()}


def _earlier(place: Path, settings: str) -> dict[str, list[float]]:
    try:
        about = json.loads((place / FILE).read_text(encoding="utf-8"))
        return about["seconds"] if about["settings"] == settings else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _measure(runs: CompletedRuns) -> dict[str, list[float]]:
    built, plan = runs.experiment, runs.raw["run"]
    problem, network = built.problem, paired(built.problem, built.network)
    seeds = plan["seeds"]
    numbers = plan.get("seed", 0) + np.arange(seeds)
    programs = {}
    for label in runs.outcome.histories:
        setting = built.algorithms[label], False, problem, network, numbers, seeds
        run, carry = begin(built.engine or Simulated(), *setting, channel=built.channel)
        programs[label] = run.session, carry.state
        jax.block_until_ready(run.session.advance(carry.state, 0, ROUNDS))  # compiles it
    turns: dict[str, list[float]] = {label: [] for label in programs}
    for _ in range(TURNS):
        for label, (session, state) in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(session.advance(state, 0, ROUNDS))
            turns[label].append((time.perf_counter() - start) / ROUNDS / seeds)
    for session, _ in programs.values():
        session.close()
    return turns
