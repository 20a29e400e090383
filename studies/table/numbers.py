"""What the table says, computed from the histories: costs to fixed values of M_t, where each method ends."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from hypergossip.figures.histories import spread
from studies.table.settings import COLUMNS


def reach(history: pd.DataFrame, value: float) -> pd.DataFrame:
    """Returns what every seed had spent when M_t first was at the value or below.

    Between two observed rounds log M_t is taken as a straight line in log(1 + t), and what was spent as one in t.

    Args:
        history: One row a seed and observed round.
        value: Of M_t.

    Returns:
        Index seed; the columns of `COLUMNS`, infinite where the seed's observed rounds never were there.
    """
    return pd.DataFrame.from_dict(
        {seed: _reach(rows.sort_values("round"), value) for seed, rows in history.groupby("seed")},
        orient="index",
        columns=list(COLUMNS),
    )


def _reach(rows: pd.DataFrame, value: float) -> list[float]:
    metric = rows["metric"].to_numpy(float)
    spent = rows[list(COLUMNS)].to_numpy(float)
    below = np.flatnonzero(metric <= value)  # a number that is not finite is not below
    if not below.size:
        return [np.inf] * len(COLUMNS)
    end = int(below[0])
    if end == 0 or not np.isfinite(metric[end - 1]):
        return spent[end].tolist()
    tiny = np.finfo(float).tiny
    high, low = (np.log(max(number, tiny)) for number in (metric[end - 1], metric[end]))
    share = (high - np.log(max(value, tiny))) / (high - low)
    first, last = np.log1p(spent[end - 1, 0]), np.log1p(spent[end, 0])
    round = np.expm1(first + share * (last - first))
    part = (round - spent[end - 1, 0]) / (spent[end, 0] - spent[end - 1, 0])
    return (spent[end - 1] + part * (spent[end] - spent[end - 1])).tolist()


def costs(histories: Mapping[str, pd.DataFrame], values: Iterable[float]) -> pd.DataFrame:
    """Returns the costs of every method to every value: medians over all seeds, one that never got there being last.

    Args:
        histories: Method -> history.
        values: Of M_t.

    Returns:
        Columns value, method, seeds, reached (how many of them), and those of `COLUMNS`, infinite where half of the
        seeds or more never got there. By value as given, then by rounds.
    """
    rows = []
    for value in values:
        lines = []
        for name, history in histories.items():
            spent = reach(history, value)
            reached = int(np.isfinite(spent["round"]).sum())
            lines.append({"value": value, "method": name, "seeds": len(spent), "reached": reached, **spent.median()})
        rows += sorted(lines, key=lambda line: line["round"])
    return pd.DataFrame(rows, columns=["value", "method", "seeds", "reached", *COLUMNS])


def ends(histories: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Returns where every method ends: index method, medians over its seeds, NaN where one diverged.

    Columns: rounds, seeds, metric with metric_low and metric_high, stationarity, both before the first round
    (metric_start, stationarity_start), lower_share (of M_t), test_accuracy, and rounds_per_second of one seed.
    """
    rows = {}
    for name, history in histories.items():
        last = history[history["round"] == history["round"].max()]
        metric = spread(last["metric"].to_numpy(float))
        rows[name] = {
            "rounds": int(last["round"].iloc[0]),
            "seeds": len(last),
            "metric": metric.median,
            "metric_low": metric.low,
            "metric_high": metric.high,
            "stationarity": spread(last["stationarity"].to_numpy(float)).median,
            "metric_start": float(history["metric"].iloc[0]),
            "stationarity_start": float(history["stationarity"].iloc[0]),
            "lower_share": spread((last["lower_error"] / last["metric"]).to_numpy(float)).median,
            "test_accuracy": spread(last["test_accuracy"].to_numpy(float)).median,
            "rounds_per_second": float(last["round"].iloc[0]) / float(last["seconds"].iloc[0]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
