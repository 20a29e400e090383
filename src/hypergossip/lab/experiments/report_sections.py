"""The report's passages about what was run: how much of it, the stated steps, the tuning, the time it took."""

from typing import Any

import numpy as np
import pandas as pd

from hypergossip.figures.histories import RETURN, leading
from hypergossip.lab.configuration import Raw
from hypergossip.lab.experiments.reproduce import Record
from hypergossip.lab.experiments.reproduction import Reproduction
from hypergossip.lab.experiments.stages import Tuned
from hypergossip.lab.experiments.verdicts import words


def amounts(experiment: Reproduction, records: list[Record], quick: bool) -> str:
    """Returns how many rounds and seeds were run, on what the steps were tuned, and what was not run.

    Args:
        experiment: The experiment.
        records: Of its cases.
        quick: Was it a quick run?
    """
    run = records[0].raw["run"]
    first, seeds = run.get("seed", 0), run["seeds"]
    which = f"seed {first}" if seeds == 1 else f"seeds {first} to {first + seeds - 1}"
    text = f"{_rounds(experiment, records)}{';' if experiment.draws else ','} {which}, all by one compiled program."
    if experiment.methods:
        plan = records[0].raw["tune"]
        start, rounds = plan.get("seed", 1_000_000), plan.get("rounds", run["rounds"])
        text += (
            f" Steps were tuned on {_others(plan['seeds'], start)}, over "
            f"{'as many' if experiment.draws and rounds == run['rounds'] else rounds} rounds, "
            f"by {_score(plan)} averaged at 80, 90 and 100 % of them."
        )
    if quick and experiment.quick:
        # What was run, which the command's own options may have changed again; the grid has a passage of its own.
        values = {key: _at(records[0].raw, key.split(".")) for key in experiment.quick if key != "tune.grid"}
        shorter = ", ".join(f"`{key}` = {value}" for key, value in values.items())
        text += f" This being a quick run, other numbers than those above: {shorter}."
    if experiment.left_out:
        text += f" Left out: {'; '.join(experiment.left_out)}."
    return text


def _at(raw: Any, path: list[str]) -> Any:
    return _at(raw[path[0]], path[1:]) if path else raw


def _others(seeds: int, start: int) -> str:
    return f"another seed, {start:,}" if seeds == 1 else f"{seeds} other seeds, from {start:,} on"


def _rounds(experiment: Reproduction, records: list[Record]) -> str:
    """How long the methods ran, where they draw unlike many samples a round in samples first."""
    rounds = records[0].raw["run"]["rounds"]
    if not experiment.draws:
        return f"{rounds} rounds"
    histories = [history for record in records for history in record.outcome.histories.values()]
    game = any(RETURN in history for history in histories)
    verb, unit = ("played", "environment steps") if game else ("drawn", "samples an agent")
    budgets = {f"{record.raw['run']['stop']['samples']:,}": record.case.full_title for record in records}
    spent = [f"{budget} ({title})" if len(budgets) > 1 else budget for budget, title in budgets.items()]
    by_rounds: dict[int, list[str]] = {}
    for label in experiment.draws:
        by_rounds.setdefault(experiment.rounds_of(label, rounds), []).append(label)
    each = ", ".join(f"{' and '.join(labels)} {count}" for count, labels in by_rounds.items())
    return f"Every method until it had {verb} {', '.join(spent)} {unit}; in rounds: {each}"


def _score(plan: Raw) -> str:
    return words(plan.get("score", "metric"))


def stated(records: list[Record]) -> pd.DataFrame:
    """Returns what became of the stated steps, one row a case and method."""
    rows = []
    for record in records:
        if record.stated is None:
            continue
        for label, history in record.stated.histories.items():
            last, column = history.sort_values("round").iloc[-1], leading([history])
            reached = f"ends after {int(last['round'])} rounds with {words(column)} = {last[column]:.3g}"
            rows.append((record.case.full_title, label, reached))
        rows += [(record.case.full_title, label, _first_sentence(why)) for label, why in record.stated.failures.items()]
    return pd.DataFrame(rows, columns=["case", "method", "outcome"]).set_index("case")


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def tuning(experiment: Reproduction, records: list[Record]) -> str:
    """Returns over which grid the methods were tuned, and where it had to be left."""
    plan = records[0].raw["tune"]
    grid = plan["grid"]
    axes = "\n".join(f"- `{name}`: {', '.join(f'{value:g}' for value in values)}" for name, values in grid.items())
    points = int(np.prod([len(values) for values in grid.values()]))
    told = f"Every method over the same grid of {points} points:\n\n{axes}"
    if plan.get("extend"):
        told += (
            "\n\nWhere the best point of a method lay at an end of an axis, this axis got one more value there for it "
            f"(by the ratio of the last two, with every value of the other axis), up to {plan['extend']} times."
        )
    if experiment.tuned_in:
        told += f"\n\nTuned in the case `{experiment.tuned_in}` alone; the others take its steps."
    fell = [
        f"- {label} in {record.case.full_title}: {_first_sentence(tuned.fell)}"
        for record in records
        for label, tuned in record.tunings.items()
        if tuned.fell
    ]
    if fell:
        told += "\n\nThe best point diverged on a seed of the report, and the next best one was taken:\n\n" + "\n".join(
            fell
        )
    return told


def steps(experiment: Reproduction, records: list[Record]) -> pd.DataFrame:
    """Returns the best steps, one row a method and case that was tuned."""
    rows = [
        {"case": record.case.full_title, "method": label, **_shown(tuned), **_told(tuned, record.raw["tune"])}
        for record in records
        for label, tuned in record.tunings.items()
        if experiment.tuned_in in ("", record.case.name)
    ]
    return pd.DataFrame(rows).set_index("case")


def _shown(tuned: Tuned) -> dict[str, str]:
    return {name: f"{value:g}" for name, value in tuned.steps.items()}


def _told(tuned: Tuned, plan: Raw) -> dict[str, object]:
    row = tuned.table.iloc[tuned.rank]
    diverged = sum(seeds > 0 for seeds in tuned.table["diverged"])
    return {
        _score(plan): f"{row['score']:#.3g}".removesuffix("."),
        "points": len(tuned.table),
        "diverged": diverged,
        "at the grid's edge": ", ".join(tuned.edges) or "no",
    }


def times(records: list[Record]) -> pd.DataFrame:
    """Returns the seconds of every case and stage, all methods together."""
    rows = []
    for record in records:
        for stage, part in record.timing.groupby("stage", sort=False):
            rows.append(
                {
                    "case": record.case.full_title,
                    "stage": stage,
                    "runs": part["runs"].sum(),
                    "wall, s": part["wall_seconds"].sum(),
                    "in compiled rounds, s": part["compiled_seconds"].sum(min_count=1),
                    "machine": "; ".join(dict.fromkeys(name or "not recorded" for name in part["machine"])),
                }
            )
    return pd.DataFrame(rows).set_index("case")
