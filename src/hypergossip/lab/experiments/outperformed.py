"""Says where a method is outperformed by another one: sentences made from the numbers alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hypergossip.lab.experiments.costs import COLUMNS
from hypergossip.lab.report.formatting import joined, three_digits, whole

LESS = 0.99  # a number counts as lower only if it is lower by at least a hundredth


def comparisons(
    table: pd.DataFrame, methods: Mapping[str, str], ends: pd.DataFrame | None = None, symbol: str = "M_t"
) -> list[str]:
    """Returns one sentence per value and one for the end, for each of some methods.

    A method is outperformed in a cost by every method whose median is lower by a hundredth or more.

    Args:
        table: As `costs.costs` returns it.
        methods: The methods -> what they are called.
        ends: Index method, with the columns metric and stationarity at the end; None: no sentence for the end.
        symbol: What the values are values of.
    """
    found: list[str] = []
    rows: list[dict[str, Any]] = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    for name, called in methods.items():
        if all(row["method"] != name for row in rows):
            continue
        for value in dict.fromkeys(row["value"] for row in rows):
            lines = {row["method"]: row for row in rows if row["value"] == value}
            found.append(_to_value(lines, name, called, f"For {symbol} ≤ {value:g}"))
        if ends is not None:
            found.append(_at_the_end(ends, name, called))
    return found


def _to_value(lines: Mapping[str, Mapping[str, Any]], name: str, called: str, where: str) -> str:
    own = lines[name]
    if not np.isfinite(own["round"]):
        others = [other for other, row in lines.items() if np.isfinite(row["round"])]
        told = f"{joined(others)} {'does' if len(others) == 1 else 'do'}" if others else "no other method does"
        return f"{where}, {called} does not reach this value; {told}."
    parts = []
    for column, words in COLUMNS.items():
        if column in own and (ahead := _lower({other: row[column] for other, row in lines.items()}, name)):
            best = next(iter(ahead))
            first = f"{best} ({whole(ahead[best])} against {whole(own[column])})"
            parts.append(f"in {words} by {joined([first, *list(ahead)[1:]])}")
    return (
        f"{where}, {called} is outperformed {'; '.join(parts)}." if parts else f"{where}, {called} is not outperformed."
    )


def _at_the_end(ends: pd.DataFrame, name: str, called: str) -> str:
    names = [str(method) for method in ends.index]
    columns = {column: dict(zip(names, ends[column].tolist(), strict=True)) for column in ("metric", "stationarity")}
    if not np.isfinite(columns["metric"][name]):
        return f"{called} diverged for one seed or more."
    larger = []
    for column, words in (("metric", "M_t"), ("stationarity", "|grad l|^2")):
        values = columns[column]
        if ahead := _lower(values, name):
            best = next(iter(ahead))
            first = f"{best} ({three_digits(ahead[best])} against {three_digits(values[name])})"
            larger.append(f"a larger {words} than {joined([first, *list(ahead)[1:]])}")
        else:
            larger.append(f"no larger {words} than any other")
    return f"At the end of its rounds {called} has {', and '.join(larger)}."


def _lower(values: Mapping[str, float], name: str) -> dict[str, float]:
    """Returns the methods whose values are lower than one method's, the lowest first."""
    ahead = {other: value for other, value in values.items() if value < LESS * values[name]}
    return dict(sorted(ahead.items(), key=lambda item: item[1]))
