"""Sentences of a report on cases that were tuned by different scores and over different grids."""

import pandas as pd

import hypergossip as hg
from hypergossip.lab.experiments import report_sections as sections
from hypergossip.lab.experiments.comparison import Outcome
from hypergossip.lab.experiments.reproduce import Record
from hypergossip.lab.experiments.reproduction import Case


def tuned(title, score="metric", grid=(0.1, 0.3)):
    raw = {"tune": {"score": score, "grid": {"upper_step": list(grid)}}}
    case, nothing = Case(title, title, {}, {}), Outcome({}, {})
    return Record(case, raw, hg.networks.ring(3), nothing, None, {}, {}, {}, pd.DataFrame(), "", {})


def test_scores_are_named_with_their_cases_only_where_they_differ():
    assert sections._scores([tuned("one"), tuned("two")]) == "its M_t"
    assert sections._scores([tuned("one"), tuned("two", "stationarity")]) == "its M_t (one) and its stationarity (two)"


def test_every_grid_is_listed_once():
    text = "".join(sections._grids([tuned("one"), tuned("two")]))
    assert text == " of 2 points:\n\n- `upper_step`: 0.1, 0.3"
    text = "".join(sections._grids([tuned("one"), tuned("two"), tuned("three", grid=(5.0,))]))
    assert "one; two: a grid of 2 points:" in text
    assert "three: a grid of 1 points:\n\n- `upper_step`: 5" in text
