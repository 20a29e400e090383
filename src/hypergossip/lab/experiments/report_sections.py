"""Sections of the report on the runs: their amount, the paper's step sizes, the tuning and the running time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from hypergossip.figures.histories import RETURN, leading
from hypergossip.lab.configuration import Raw
from hypergossip.lab.experiments import outperformed
from hypergossip.lab.experiments.costs import COLUMNS
from hypergossip.lab.experiments.reproduce import Record, costs_of
from hypergossip.lab.experiments.reproduction import Reproduction
from hypergossip.lab.experiments.stages import Tuned
from hypergossip.lab.experiments.verdicts import column_label
from hypergossip.lab.report.formatting import ABSENT, cost
from hypergossip.lab.toml_text import one_line


def amounts(experiment: Reproduction, records: list[Record], quick: bool) -> str:
    """Returns how many rounds and seeds were run and over which channel, how the step sizes were tuned, and more.

    Args:
        experiment: The experiment.
        records: The records of its cases.
        quick: Whether it was a quick run.
    """
    run = records[0].raw["run"]
    text = f"Every method ran {_duration(experiment, records)}, with {_seeds(records)}.{_channels(records)}"
    if experiment.methods:
        plan = records[0].raw["tune"]
        start, rounds = plan.get("seed", 1_000_000), plan.get("rounds", run["rounds"])
        text += (
            f" The step sizes were tuned on {_tuning_seeds(plan['seeds'], start)}, over "
            f"{'as many' if experiment.draws and rounds == run['rounds'] else rounds} rounds. "
            f"The score of a grid point is {_scores(records)}, averaged at 80, 90 and 100 % of the rounds."
        )
    if quick and experiment.quick:
        # The values that were run, since the options of the command override those of a quick run.
        values = {key: _at(records[0].raw, key.split(".")) for key in experiment.quick if key != "tune.grid"}
        shorter = ", ".join(f"`{key}` = {value}" for key, value in values.items())
        text += f" This was a quick run with these values instead of those above: {shorter}."
    if experiment.left_out:
        text += f" These cases were left out: {'; '.join(experiment.left_out)}."
    return text


def _seeds(records: list[Record]) -> str:
    """Returns which seeds were run, in each case if these differ."""
    cases: dict[str, list[str]] = {}
    for record in records:
        first, seeds = record.raw["run"].get("seed", 0), record.raw["run"]["seeds"]
        which = f"seed {first}" if seeds == 1 else f"seeds {first} to {first + seeds - 1}, all in one compiled program"
        cases.setdefault(which, []).append(record.case.full_title)
    if len(cases) == 1:
        return next(iter(cases))
    return ", and ".join(f"{which} ({'; '.join(titles)})" for which, titles in cases.items())


def _channels(records: list[Record]) -> str:
    """Returns what the messages of the cases passed, after a space, or nothing if all channels are ideal."""
    cases: dict[str, list[str]] = {}
    for record in records:
        cases.setdefault(channel(record), []).append(record.case.full_title)
    if len(cases) == 1:
        return " ".join(["", *filter(None, cases)])
    each = {text[:1].lower() + text[1:] or "the channel was ideal.": titles for text, titles in cases.items()}
    return "".join(f" In {' and '.join(titles)}, {text}" for text, titles in each.items())


def channel(record: Record) -> str:
    """Returns a sentence that names what the messages of a case passed, or nothing if the channel is ideal."""
    stages = record.raw.get("channel", [])
    what = "a channel with the stage" if len(stages) == 1 else "a channel with these stages, from the sender outward:"
    return f"Every message passed {what} {one_line(stages, mark='`')}." if stages else ""


def _at(raw: Any, path: list[str]) -> Any:
    return _at(raw[path[0]], path[1:]) if path else raw


def _tuning_seeds(seeds: int, start: int) -> str:
    return f"a separate seed, {start:,}" if seeds == 1 else f"{seeds} separate seeds, starting at {start:,}"


def _duration(experiment: Reproduction, records: list[Record]) -> str:
    """Returns how long the methods ran: in rounds, or in samples where these differ per round."""
    rounds = records[0].raw["run"]["rounds"]
    if not experiment.draws:
        return f"for {rounds} rounds"
    histories = [history for record in records for history in record.outcome.histories.values()]
    game = any(RETURN in history for history in histories)
    verb, unit = ("played", "environment steps") if game else ("drawn", "samples per agent")
    budgets = {f"{record.raw['run']['stop']['samples']:,}": record.case.full_title for record in records}
    samples = [f"{budget} ({title})" if len(budgets) > 1 else budget for budget, title in budgets.items()]
    by_rounds: dict[int, list[str]] = {}
    for label in experiment.draws:
        by_rounds.setdefault(experiment.rounds_of(label, rounds), []).append(label)
    each = ", ".join(f"{count} rounds of {' and '.join(labels)}" for count, labels in by_rounds.items())
    return f"until it had {verb} {', '.join(samples)} {unit} ({each})"


def _scores(records: list[Record]) -> str:
    """Returns what the tuned cases were tuned by, with their titles if it differs."""
    cases: dict[str, list[str]] = {}
    for record in (record for record in records if not record.case.tuned_in):
        cases.setdefault(_score(record.raw["tune"]), []).append(record.case.full_title)
    if len(cases) < 2:
        return f"its {_score(records[0].raw['tune'])}"
    return " and ".join(f"its {score} ({'; '.join(titles)})" for score, titles in cases.items())


def _score(plan: Raw) -> str:
    return column_label(plan.get("score", "metric"))


def stated(records: list[Record]) -> pd.DataFrame:
    """Returns the outcome of the runs with the paper's step sizes, one row per case and method."""
    rows = []
    for record in records:
        if record.stated is None:
            continue
        for label, history in record.stated.histories.items():
            last, column = history.sort_values("round").iloc[-1], leading([history])
            reached = f"ends after {int(last['round'])} rounds with {column_label(column)} = {last[column]:.3g}"
            rows.append((record.case.full_title, label, reached))
        rows += [(record.case.full_title, label, _first_sentence(why)) for label, why in record.stated.failures.items()]
    return pd.DataFrame(rows, columns=["case", "method", "outcome"]).set_index("case")


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def tuning(experiment: Reproduction, records: list[Record]) -> str:
    """Returns the grid over which the methods were tuned, and where another point than the best was used."""
    plan = records[0].raw["tune"]
    text = "Every method was tuned over the same grid"
    text += "".join(_grids([record for record in records if not record.case.tuned_in] or records))
    if plan.get("extend"):
        text += (
            "\n\nIf the best point of a method was at an end of an axis, the axis was extended there by one value for "
            "this method (with the ratio of the last two values, and with every value of the other axis), up to "
            f"{plan['extend']} times."
        )
    if others := _with_tuned_steps(records):
        text += f"\n\n{others}"
    failures = [
        f"- {label} in {record.case.full_title}: {_first_sentence(tuned.failure)}"
        for record in records
        for label, tuned in record.tunings.items()
        if tuned.failure
    ]
    if failures:
        text += "\n\nThe best point failed on the reported seeds, so the next best one was used:\n\n" + "\n".join(
            failures
        )
    return text


def _grids(records: list[Record]) -> Iterator[str]:
    """Yields the grid of the tuned cases, or every grid with the titles of its cases if they differ."""
    cases: dict[str, list[str]] = {}
    for record in records:
        grid = record.raw["tune"]["grid"]
        axes = "\n".join(f"- `{name}`: {', '.join(f'{value:g}' for value in values)}" for name, values in grid.items())
        points = int(np.prod([len(values) for values in grid.values()]))
        cases.setdefault(f"of {points} points:\n\n{axes}", []).append(record.case.full_title)
    if len(cases) < 2:
        yield from (f" {grid}" for grid in cases)
        return
    yield " in each case."
    yield from (f"\n\n{'; '.join(titles)}: a grid {grid}" for grid, titles in cases.items())


def _with_tuned_steps(records: list[Record]) -> str:
    """Returns which cases use the step sizes of another case, or nothing."""
    titles = {record.case.name: record.case.full_title for record in records}
    users: dict[str, list[str]] = {}
    for record in records:
        users.setdefault(record.case.tuned_in, []).append(record.case.full_title)
    told = [f"{'; '.join(cases)}: as tuned in {titles[name]}." for name, cases in users.items() if name]
    return " ".join(["Not tuned, with the step sizes of another case:", *told]) if told else ""


def steps(records: list[Record]) -> pd.DataFrame:
    """Returns the best step sizes, one row per tuned case and method."""
    rows = [
        {"case": record.case.full_title, "method": label, **_point(tuned, record.raw["tune"])}
        for record in records
        for label, tuned in record.tunings.items()
        if not record.case.tuned_in
    ]
    return pd.DataFrame(rows).set_index("case")


def _point(tuned: Tuned, plan: Raw) -> dict[str, object]:
    row = tuned.table.iloc[tuned.rank]
    diverged = sum(seeds > 0 for seeds in tuned.table["diverged"])
    return {
        **{name: f"{value:g}" for name, value in tuned.steps.items()},
        _score(plan): f"{row['score']:#.3g}".removesuffix("."),
        "points": len(tuned.table),
        "diverged": diverged,
        "at the grid's edge": ", ".join(tuned.edges) or "no",
    }


def costs_to_values(experiment: Reproduction, record: Record) -> pd.DataFrame:
    """Returns the costs of every method to the values of a case, as text; a dash where most seeds do not reach it.

    Args:
        experiment: The experiment.
        record: The record of the case.
    """
    found = costs_of(record, experiment.compared)
    columns = [column for column in COLUMNS if column in found]
    symbol, rows = _symbol(experiment, record), []
    for row in found.to_dict("records"):
        spent = {COLUMNS[column]: cost(column, row[column]) for column in columns}
        reached = f"{row['reached']} of {row['seeds']}"
        rows.append({"to": f"{symbol} = {row['value']:g}", "method": row["method"], **spent, "seeds": reached})
    return pd.DataFrame(rows).set_index("to")


def _symbol(experiment: Reproduction, record: Record) -> str:
    return column_label(record.case.compared or experiment.compared)


def lowest_costs(experiment: Reproduction, records: list[Record], shown: int = 3) -> pd.DataFrame:
    """Returns the methods that reach each value of each case at the lowest costs, as text.

    Args:
        experiment: The experiment.
        records: The records of the cases.
        shown: How many methods are named per cost.
    """
    rows = []
    for record in records:
        found, symbol = costs_of(record, experiment.compared), _symbol(experiment, record)
        for value, part in found.groupby("value", sort=False):
            row = {"case": record.case.full_title, "to": f"{symbol} = {value:g}"}
            for column in (column for column in COLUMNS if column in found):
                reached = sorted((one[column], one["method"]) for one in part.to_dict("records"))[:shown]
                first = (f"{name} ({cost(column, spent)})" for spent, name in reached if np.isfinite(spent))
                row[COLUMNS[column]] = ", ".join(first) or ABSENT
            rows.append(row)
    return pd.DataFrame(rows).set_index("case")


def outperforming(experiment: Reproduction, record: Record) -> str:
    """Returns where the library's own methods are outperformed, as a list in Markdown, or nothing.

    Args:
        experiment: The experiment.
        record: The record of the case.
    """
    found = costs_of(record, experiment.compared)
    told = outperformed.comparisons(found, experiment.own, symbol=_symbol(experiment, record))
    return "\n".join(f"- {sentence}" for sentence in told)


def times(records: list[Record]) -> pd.DataFrame:
    """Returns the running times of every case and stage, all methods together."""
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
