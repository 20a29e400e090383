"""The method chooser names what costs.csv has, and nothing else."""

import numpy as np
import pandas as pd

from hypergossip.lab.toml_text import write_toml
from studies import chooser


def costs(rows):
    """Rows (case, value, method, rounds, bytes)."""
    return pd.DataFrame(rows, columns=["case", "value", "method", "round", "bytes_sent"])


CASE = costs(
    [
        *(("meta", 1.0, name, rounds, sent) for name, rounds, sent in (("A", 10, 900), ("B", 11, 90), ("C", 20, 95))),
        *(("meta", 0.1, name, rounds, sent) for name, rounds, sent in (("A", 50, 9e3), ("B", np.inf, np.inf))),
    ]
)


def test_a_case_counts_at_the_smallest_value_that_three_methods_reach():
    assert chooser.value_of(CASE) == 1.0
    assert chooser.value_of(CASE[CASE["method"] != "C"]) is None


def test_methods_within_a_tenth_of_the_lowest_cost_are_named():
    found = chooser.best(CASE, 1.0)
    assert found == {"round": (["A", "B"], 10.0), "bytes_sent": (["B", "C"], 90.0)}


def test_the_page(tmp_path):
    other = CASE.assign(case="a9a", round=CASE["round"] * np.where(CASE["method"] == "A", 3, 1))
    hopeless = CASE.assign(case="meta-loss", round=np.inf, bytes_sent=np.inf)
    pd.concat([CASE, other, hopeless]).to_csv(tmp_path / chooser.FILE, index=False)
    (tmp_path / chooser.ASKED).write_text(write_toml({"experiment": "rivals-personal"}), encoding="utf-8")
    text = chooser.page([tmp_path])
    assert "- To save rounds: B in 2 and A in 1 of 2 cases." in text
    assert "| meta-learning on MNIST, ring of 8 | 1 | A, B (10) | B, C (90) |" in text
    assert "| regularisers on a9a, ring of 8 | 1 | B (11) | B, C (90) |" in text
    assert "lost | – | – | – |" in text
    assert "Not counted, since they have not been run: meta-learning on MNIST, ring of 32;" in text


def test_rounds_are_those_of_messages_where_a_method_sends_several_in_one():
    several = CASE.assign(exchanges=CASE["round"] * np.where(CASE["method"] == "A", 9, 1))
    assert chooser.columns_of(CASE) == ["round", "bytes_sent"]
    assert chooser.best(several, 1.0)["exchanges"] == (["B"], 11.0)
    assert "round" not in chooser.best(several, 1.0)
