"""Where each method of the table ends, computed from the histories."""

from collections.abc import Mapping

import pandas as pd

from hypergossip.figures.histories import spread


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
