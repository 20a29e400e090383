"""Sentences of a report on cases that were tuned by different scores and over different grids."""

from types import SimpleNamespace

from hypergossip.lab.experiments import report_sections as sections


def tuned(title, score="metric", grid=(0.1, 0.3)):
    case = SimpleNamespace(full_title=title, tuned_in="")
    return SimpleNamespace(case=case, raw={"tune": {"score": score, "grid": {"upper_step": list(grid)}}})


def test_scores_are_named_with_their_cases_only_where_they_differ():
    assert sections._scores([tuned("one"), tuned("two")]) == "its M_t"
    assert sections._scores([tuned("one"), tuned("two", "stationarity")]) == "its M_t (one) and its stationarity (two)"


def test_every_grid_is_listed_once():
    text = "".join(sections._grids([tuned("one"), tuned("two")]))
    assert text == " of 2 points:\n\n- `upper_step`: 0.1, 0.3"
    text = "".join(sections._grids([tuned("one"), tuned("two"), tuned("three", grid=(5.0,))]))
    assert "one; two: a grid of 2 points:" in text
    assert "three: a grid of 1 points:\n\n- `upper_step`: 5" in text
