"""What methods spend until they reach fixed values of a column: rounds, samples, bytes and seconds."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

COLUMNS = {
    "round": "rounds",
    "exchanges": "communication rounds",
    "samples": "samples",
    "bytes_sent": "bytes sent",
    "seconds": "seconds",
}


def timed(histories: Mapping[str, pd.DataFrame], round_seconds: Mapping[str, float]) -> dict[str, pd.DataFrame]:
    """Returns histories whose seconds are the rounds times the measured time of a round.

    Args:
        histories: Method -> history.
        round_seconds: Method -> the seconds of a round of one seed, measured in turns; a method without keeps its own.
    """
    return {
        label: history.assign(seconds=history["round"] * round_seconds[label]) if label in round_seconds else history
        for label, history in histories.items()
    }


def present(histories: Iterable[pd.DataFrame]) -> list[str]:
    """Returns the columns of `COLUMNS` that all histories have.

    Args:
        histories: One or more histories.
    """
    common = set.intersection(*(set(history) for history in histories))
    return [column for column in COLUMNS if column in common]


def reach(history: pd.DataFrame, value: float, column: str = "metric") -> pd.DataFrame:
    """Returns what every seed had spent when a column first was at the value or below.

    Between two observed rounds, its logarithm is taken as a straight line in log(1 + t), and what was spent as one in
    t.

    Args:
        history: One row per seed and observed round.
        value: The value, positive.
        column: The column, such as "metric" for M_t.

    Returns:
        Index seed; the columns of `COLUMNS` that the history has, infinite where the seed's observed rounds never were
        there.
    """
    spent = present([history])
    return pd.DataFrame.from_dict(
        {seed: _reach(rows.sort_values("round"), value, column, spent) for seed, rows in history.groupby("seed")},
        orient="index",
        columns=spent,
    )


def _reach(rows: pd.DataFrame, value: float, column: str, columns: list[str]) -> list[float]:
    measured, spent = rows[column].to_numpy(float), rows[columns].to_numpy(float)
    below = np.flatnonzero(measured <= value)  # a number that is not finite is not below
    if not below.size:
        return [np.inf] * len(columns)
    end = int(below[0])
    if end == 0 or not np.isfinite(measured[end - 1]):
        return spent[end].tolist()
    tiny = np.finfo(float).tiny
    high, low = (np.log(max(number, tiny)) for number in (measured[end - 1], measured[end]))
    share = (high - np.log(max(value, tiny))) / (high - low)
    first, last = np.log1p(spent[end - 1, 0]), np.log1p(spent[end, 0])
    round = np.expm1(first + share * (last - first))
    part = (round - spent[end - 1, 0]) / (spent[end, 0] - spent[end - 1, 0])
    return (spent[end - 1] + part * (spent[end] - spent[end - 1])).tolist()


def costs(histories: Mapping[str, pd.DataFrame], values: Iterable[float], column: str = "metric") -> pd.DataFrame:
    """Returns the costs of every method to every value: medians over all seeds, one that never got there being last.

    Args:
        histories: Method -> history.
        values: Values of the column.
        column: The column.

    Returns:
        Columns value, method, seeds, reached (how many of them), and those of `COLUMNS` that all histories have,
        infinite where half of the seeds or more never got there. By value as given, then by rounds.
    """
    columns, rows = present(histories.values()), []
    for value in values:
        lines = []
        for name, history in histories.items():
            spent = reach(history, value, column)
            reached = int(np.isfinite(spent["round"]).sum())
            medians = spent[columns].median()
            lines.append({"value": value, "method": name, "seeds": len(spent), "reached": reached, **medians})
        rows += sorted(lines, key=lambda line: line["round"])
    return pd.DataFrame(rows, columns=["value", "method", "seeds", "reached", *columns])
