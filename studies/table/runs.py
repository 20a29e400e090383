"""Tunes a method, runs it with every seed, and keeps the result."""

import json
import os
import shutil
import time
import warnings
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import hypergossip as hg
from hypergossip.lab.experiments.folder import machine
from hypergossip.metrics import ledger
from hypergossip.running.rows import add_row, measured
from hypergossip.running.run import RunState, begin
from hypergossip.running.tune import with_values
from studies.table.catalogue import Entry
from studies.table.settings import BATCH, GROUPS, Settings, looks, problem


class Record(NamedTuple):
    """What is kept of a method.

    Attributes:
        about: date, machine, settings, upper and lower (the chosen scales), edges (which of them are at an end of the
            grid; the least upper scale is none), refused (points of the grid, in words), minutes; or else failed, a
            sentence.
        history: One row a seed and observed round; empty where it failed.
    """

    about: dict[str, Any]
    history: pd.DataFrame

    @property
    def failed(self) -> str:
        """Why there is no history; empty where there is one."""
        return self.about.get("failed", "")


def run(entry: Entry, settings: Settings, data_dir: Path | None) -> tuple[Record, pd.DataFrame]:
    """Returns a method's record, and the table of its tuning. A method that fails is a record, too."""
    begun = time.perf_counter()
    about = {"date": date.today().isoformat(), "machine": machine(), "settings": fixed(entry, settings)}
    try:
        chosen, tuning = tuned(entry, settings, data_dir)
        history = observed(entry, chosen.pop("algorithm"), settings, data_dir)
    except Exception as error:  # one method must not cost the others
        return Record({**about, "failed": f"{type(error).__name__}: {error}"}, pd.DataFrame()), pd.DataFrame()
    return Record({**about, **chosen, "minutes": (time.perf_counter() - begun) / 60}, history), tuning


def tuned(entry: Entry, settings: Settings, data_dir: Path | None) -> tuple[dict[str, Any], pd.DataFrame]:
    """Returns the algorithm with the best steps of the grid, their scales and which are at an end of it."""
    group = GROUPS[entry.group]
    scales = (settings.upper_scales, settings.lower_scales)
    grid = {
        name: [unit * scale for scale in level]
        for name, level, unit in zip(entry.scales, scales, entry.units, strict=True)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hg.PreflightWarning)  # the page says which steps are at the grid's edge
        best, table = hg.tune(
            entry.make(),
            problem(group.agents, data_dir),
            group.network(),
            grid=grid,
            rounds=rounds(entry, settings),
            seeds=1 if entry.deterministic else settings.tuning_seeds,
        )
    upper, lower = (float(table[name].iloc[0]) for name in entry.scales)
    largest, ends = max(grid[entry.scales[0]]), (min(grid[entry.scales[1]]), max(grid[entry.scales[1]]))
    edges = ["upper"] * (upper == largest) + ["lower"] * (lower in ends)
    refused = [note for note in table["note"] if note]
    told = f"{len(refused)} of {len(table)} points of the grid are refused: {refused[0]}" if refused else ""
    return {"algorithm": best, "upper": upper, "lower": lower, "edges": edges, "refused": told}, table


def observed(entry: Entry, algorithm: Any, settings: Settings, data_dir: Path | None) -> pd.DataFrame:
    """Runs the reported seeds side by side; a seed that diverges continues with numbers that are not finite.

    Seconds are of the compiled rounds alone, all seeds together, divided by their number.
    """
    group = GROUPS[entry.group]
    seeds = 1 if entry.deterministic else settings.seeds
    run, carry = begin(
        hg.Simulated(), algorithm, False, problem(group.agents, data_dir), group.network(), np.arange(seeds), seeds
    )
    run.session.advance(carry.state, 0, 0)  # compiles, and runs nothing
    frames = []
    for look in looks(rounds(entry, settings)):
        begun = time.perf_counter()
        state, cost = run.session.advance(carry.state, carry.round, look)
        seconds = time.perf_counter() - begun if look else 0.0
        counts = ledger.add(carry.cost, run.session.to_host(cost))
        carry = RunState(look, carry.seconds + seconds, state, counts, ())
        frames.append(pd.DataFrame(measured(run, add_row(run, carry)).rows[-1]))
    history = pd.concat(frames, ignore_index=True)
    history["seconds"] /= seeds
    return history


def timed(entry: Entry, record: Record, settings: Settings, data_dir: Path | None) -> Record:
    """Returns a record with its seconds measured again: the fastest of three runs of all its rounds, seeds together."""
    group = GROUPS[entry.group]
    chosen = (record.about["upper"], record.about["lower"])
    algorithm = with_values(entry.make(), dict(zip(entry.scales, chosen, strict=True)))
    seeds, last = 1 if entry.deterministic else settings.seeds, rounds(entry, settings)
    run, carry = begin(
        hg.Simulated(), algorithm, False, problem(group.agents, data_dir), group.network(), np.arange(seeds), seeds
    )
    run.session.advance(carry.state, 0, 0)
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        run.session.advance(carry.state, 0, last)
        taken.append(time.perf_counter() - begun)
    history = record.history.copy()
    history["seconds"] *= min(taken) / seeds / history["seconds"].max()
    return record._replace(about={**record.about, "machine": machine()}, history=history)


def rounds(entry: Entry, settings: Settings) -> int:
    """Returns the rounds that a method runs."""
    return min(entry.rounds, settings.most_rounds)


def fixed(entry: Entry, settings: Settings) -> dict[str, Any]:
    """Returns what decides a result: one that was kept with another is not taken."""
    group = GROUPS[entry.group]
    everything = {
        "algorithm": str(entry.make()),
        "agents": group.agents,
        "batch": BATCH,
        "rounds": rounds(entry, settings),
        "units": entry.units,
        **settings._asdict(),
    }
    return json.loads(json.dumps(everything))


def keep(folder: Path, name: str, record: Record, tuning: pd.DataFrame | None = None) -> None:
    """Writes a record into its folder, at once or not at all; without a `tuning` the old one stays."""
    place, unfinished = folder / name, folder / f".{name}.{os.getpid()}"
    unfinished.mkdir(parents=True, exist_ok=True)
    record.history.to_csv(unfinished / "history.csv", index=False)
    if tuning is None:
        shutil.copy(place / "tuning.csv", unfinished)
    else:
        tuning.to_csv(unfinished / "tuning.csv", index=False)
    (unfinished / "about.json").write_text(json.dumps(record.about, indent=1))
    shutil.rmtree(place, ignore_errors=True)
    unfinished.rename(place)


def kept(folder: Path, entry: Entry, settings: Settings) -> Record | None:
    """Returns what was kept of a method under the same settings, or None."""
    try:
        about = json.loads((folder / entry.name / "about.json").read_text())
        if about["settings"] != fixed(entry, settings):
            return None
        return Record(
            about, pd.DataFrame() if about.get("failed") else pd.read_csv(folder / entry.name / "history.csv")
        )
    except (OSError, ValueError, KeyError):
        return None
