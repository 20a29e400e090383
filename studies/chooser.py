"""Which method reaches a given M_t at the lowest cost, from the results of the comparisons.

`python -m studies.chooser FOLDER ...` reads costs.csv of the folders of `hypergossip reproduce rivals-personal` and
`rivals-shared`, and writes docs/choosing_by_results.md. Nothing in the page is chosen by hand: a case counts at the
smallest of its values that at least three methods reach, and a method is named if its cost is at most 1.1 times the
lowest.
"""

import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from hypergossip.lab.experiments.catalogue import find
from hypergossip.lab.experiments.reproduce import ASKED
from hypergossip.lab.experiments.reproduce import COSTS as FILE
from hypergossip.lab.report.formatting import ABSENT, cost, joined, markdown

PAGE = Path(__file__).parents[1] / "docs" / "choosing_by_results.md"
WITHIN = 1.1
ENOUGH = 3  # methods that reach a value, so that a comparison says something
ROUNDS = {"round": "rounds", "exchanges": "communication rounds"}  # the second where a method has several in a round
RESOURCES = {**ROUNDS, "bytes_sent": "bytes", "samples": "samples", "seconds": "seconds"}
INTRODUCTION = f"""# How to choose, by results

This page names the methods that reached a given accuracy at the lowest cost: M_t, or on a9a the
stationarity of the mean x. `python -m studies.chooser` made it from the results of
[`rivals-personal`](experiments/rivals-personal/index.md) and
[`rivals-shared`](experiments/rivals-shared/index.md), and nothing in it was chosen by hand.
[How to choose](choosing.md) has what neither experiment decides, such as directed networks, games and full batches.

Every method was tuned by one rule, on the ring of 8 alone. A case counts at the smallest of its values that at
least {ENOUGH} methods reach in the median over the seeds. A method is named if its cost is at most {WITHIN:g} times the
lowest. The costs in parentheses are the lowest ones; samples and bytes are per agent."""


def value_of(case: pd.DataFrame) -> float | None:
    """Returns the smallest value that enough methods reach, or None.

    Args:
        case: The rows of a case in costs.csv.
    """
    reached = case[np.isfinite(case["round"])].groupby("value")["method"].count()
    enough = reached[reached >= ENOUGH]
    return float(min(enough.index)) if len(enough) else None


def best(case: pd.DataFrame, value: float) -> dict[str, tuple[list[str], float]]:
    """Returns column -> the methods whose cost to the value is close to the lowest one, lowest first, and that cost.

    Args:
        case: The rows of a case in costs.csv.
        value: One of its values.
    """
    rows, found = case[case["value"] == value], {}
    for column in columns_of(case):
        ordered = rows.sort_values(column)
        lowest = float(ordered[column].iloc[0])
        close = ordered[np.isfinite(ordered[column]) & (ordered[column] <= WITHIN * lowest)]
        found[column] = [str(name) for name in close["method"]], lowest
    return found


def columns_of(costs: pd.DataFrame) -> list[str]:
    """Returns the columns of costs, of which one counts rounds: messages where a method sends several per round.

    Args:
        costs: costs.csv, or a part of it.
    """
    present = [column for column in RESOURCES if column in costs]
    return [column for column in present if column != "round" or "exchanges" not in present]


def section(title: str, titles: Mapping[str, str], costs: pd.DataFrame) -> list[str]:
    """Returns the lines of an experiment: who was best most often, and who was best in every case.

    Args:
        title: The experiment's title.
        titles: Name of a case -> its title, in order.
        costs: costs.csv.
    """
    columns = columns_of(costs)
    rows, named = [], {column: dict.fromkeys(costs["method"].unique(), 0) for column in columns}
    for name, about in titles.items():
        case = costs[costs["case"] == name]
        value = value_of(case)
        if value is None:
            rows.append([about, ABSENT, *(ABSENT for _ in columns)])
            continue
        found = best(case, value)
        for column, (methods, _) in found.items():
            for method in methods:
                named[column][method] += 1
        cells = (f"{', '.join(methods)} ({cost(column, lowest)})" for column, (methods, lowest) in found.items())
        rows.append([about, f"{value:g}", *cells])
    counted = sum(row[1] != ABSENT for row in rows)
    lines = [f"## {title[0].upper()}{title[1:]}", ""]
    lines += [f"- {_most(RESOURCES[column], counts, counted)}" for column, counts in named.items()]
    return [*lines, "", *markdown(["case", "value", *(f"fewest {RESOURCES[column]}" for column in columns)], rows)]


def _most(resource: str, counts: Mapping[str, int], cases: int) -> str:
    """Returns a sentence on the methods that were named in the most cases for a resource."""
    order = sorted(counts, key=lambda method: -counts[method])[:3]
    parts = [f"{method} in {counts[method]}" for method in order if counts[method]]
    return (
        f"To save {resource}: {joined(parts)} of {cases} cases." if parts else f"To save {resource}: no case decides."
    )


def page(folders: Iterable[Path]) -> str:
    """Returns the page.

    Args:
        folders: The folders of the experiments.
    """
    lines = [INTRODUCTION]
    for folder in folders:
        name = tomllib.loads((folder / ASKED).read_text(encoding="utf-8"))["experiment"]
        experiment = find(name)
        costs = pd.read_csv(folder / FILE)
        present = set(costs["case"])
        titles = {case.name: case.full_title for case in experiment.cases if case.name in present}
        lines += ["", *section(experiment.title, titles, costs)]
        if left_out := [case.full_title for case in experiment.cases if case.name not in present]:
            lines += ["", f"Not counted, since they have not been run: {'; '.join(left_out)}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the page from the folders that the command line names."""
    folders = [Path(text) for text in sys.argv[1:]]
    if not folders or not all((folder / FILE).is_file() for folder in folders):
        sys.exit(f"Give the folders of the comparisons, each with a {FILE}; `hypergossip reproduce` writes them.")
    PAGE.write_text(page(folders), encoding="utf-8")


if __name__ == "__main__":
    main()
