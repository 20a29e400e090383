"""Says where a method of the two papers is outperformed: sentences made from the numbers alone."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from studies.table.formatting import joined, three_digits, whole
from studies.table.settings import COLUMNS

LESS = 0.99  # a number counts as lower only if it is lower by at least a hundredth


def sentences(table: pd.DataFrame, ends: pd.DataFrame, papers: Mapping[str, str]) -> list[str]:
    """Returns one sentence a value of M_t and one for the end, for every method of the papers that was run.

    A method is outperformed in a cost by every method whose median is lower by a hundredth or more.

    Args:
        table: As `numbers.costs` returns it.
        ends: As `numbers.ends` returns it.
        papers: The methods -> what they are called.
    """
    return [
        sentence
        for name, called in papers.items()
        if name in ends.index
        for sentence in (
            *(_to_value(table[table["value"] == value], name, called) for value in dict.fromkeys(table["value"])),
            _at_the_end(ends, name, called),
        )
    ]


def _to_value(table: pd.DataFrame, name: str, called: str) -> str:
    lines = table.set_index("method")
    where = f"For M_t <= {lines['value'].iloc[0]:g}"
    own = lines.loc[name]
    if not np.isfinite(own["round"]):
        others = [other for other in lines.index if np.isfinite(lines.loc[other, "round"])]
        told = f"{joined(others)} {'does' if len(others) == 1 else 'do'}" if others else "no other method does"
        return f"{where}, {called} does not reach this value; {told}."
    parts = []
    for column, words in COLUMNS.items():
        ahead = lines[lines[column] < LESS * own[column]].sort_values(column)
        if len(ahead):
            best = f"{whole(ahead[column].iloc[0])} against {whole(own[column])}"
            parts.append(f"in {words} by {joined([f'{ahead.index[0]} ({best})', *ahead.index[1:]])}")
    return (
        f"{where}, {called} is outperformed {'; '.join(parts)}." if parts else f"{where}, {called} is not outperformed."
    )


def _at_the_end(ends: pd.DataFrame, name: str, called: str) -> str:
    if not np.isfinite(ends.loc[name, "metric"]):
        return f"{called} diverged for one seed or more."
    larger = []
    for column, words in (("metric", "M_t"), ("stationarity", "|grad l|^2")):
        values = ends[column]
        ahead = values[values < LESS * values[name]].sort_values()
        if len(ahead):
            best = f"{ahead.index[0]} ({three_digits(ahead.iloc[0])} against {three_digits(values[name])})"
            larger.append(f"a larger {words} than {joined([best, *ahead.index[1:]])}")
        else:
            larger.append(f"no larger {words} than any other")
    return f"At the end of its rounds {called} has {', and '.join(larger)}."
