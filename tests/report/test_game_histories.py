"""Histories of games, which have no metric: tables and figures show the return instead."""

import numpy as np
import pandas as pd
import pytest

from hypergossip import networks
from hypergossip.figures import axes as axes_drawing
from hypergossip.figures import curves as figures
from hypergossip.figures.histories import check, errors, leading, rounds_shown
from hypergossip.lab.report.document import Curves, Document, Panel, method_indices
from hypergossip.lab.report.pictures import curves_figure, drawn
from hypergossip.lab.report.tables import markdown, summary


def game(seeds=3, rounds=20, every=5, messages=None, shift=0.0):
    """The history of a game: the return rises from -30 by one per round; nothing is shared at the upper level."""
    rows = []
    for round in range(0, rounds + 1, every):
        for seed in range(seeds):
            row = {"seed": seed, "round": round, "seconds": 0.01 * round, "consensus_error": 0.0}
            row |= {"lower_consensus_error": 1e-4 * round, "bytes_sent": 8.0 * round, "bytes_sent_max": 8 * round}
            row |= {"samples": 500.0 * round, "lower_gradients": 1.0 * round, "return": round - 30.0 + seed + shift}
            rows.append(row if messages is None else {**row, "exchanges": messages * round})
    return pd.DataFrame(rows)


def labels(figure):
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]


def test_the_table_has_the_return_instead_of_the_metric():
    table = summary({"A": game(), "B": game(shift=2.0)})
    assert table.columns.tolist() == [
        *("seeds", "rounds", "samples", "bytes_sent", "seconds", "return", "return_low", "return_high"),
        *("lower_consensus_error", "return_tail"),
    ]
    assert table.loc["A", ["return", "return_low", "return_high"]].tolist() == [-9.0, -10.0, -8.0]
    assert "| **-7** |" in markdown(table)


def test_exchanges_are_shown_where_there_are_any():
    table = summary({"A": game(messages=1), "B": game(messages=10)})
    assert table["exchanges"].tolist() == [20.0, 200.0]
    assert rounds_shown([game(), game(messages=10)]) == "exchanges"
    assert rounds_shown([game()]) == "round"
    figure = figures.comparison_figure({"A": game(messages=1), "B": game(messages=10)}, networks.ring(3))
    assert figure.axes[0].get_xlim()[1] > 200


def test_figures_draw_the_return_against_steps_on_a_linear_axis():
    histories = {"A": game(), "B": game(shift=2.0)}
    figure = figures.comparison_figure(histories, networks.ring(3), "A title")
    assert labels(figure)[:3] == [
        ("communication rounds", "return, mean over the agents"),
        ("environment steps", ""),
        ("communication rounds", axes_drawing.LABELS["lower_consensus_error"]),
    ]
    assert figure.axes[0].get_yscale() == "linear"
    alone = figures.convergence_figure(histories)
    assert labels(alone)[1] == ("environment steps", "")
    assert len(alone.axes) == 4
    positive = {"A": game(shift=30.001)}  # from nearly 0 to 20: an observation of this range would be logarithmic
    shown = list(axes_drawing.curves(positive, "return", "round").values())
    assert [axes_drawing.y_scale(shown, column).logarithmic for column in ("return", "other")] == [False, True]


def test_panels_of_a_document_have_the_same_labels():
    shown = {"A": game(messages=1), "B": game(messages=10)}
    block = Curves((Panel(shown, "return", "samples"), Panel(shown, "return", "exchanges")), "x", "x.png")
    figure = curves_figure(block, method_indices(Document("t", "s", (block,))))
    assert [x for x, _ in labels(figure)] == ["environment steps", "communication rounds"]
    np.testing.assert_array_equal(drawn(block)[1].lines["B"].x, [0, 50, 100, 150, 200])


def test_the_main_column_and_the_errors(make):
    assert leading([game()]) == "return"
    assert leading([game(), make()]) == "metric"
    before = game()
    before.insert(3, "conserved", 0.0)  # under a channel; it is no observation of the problem
    assert leading([before]) == "return"
    assert errors([game()]) == ["consensus_error", "lower_consensus_error"]
    assert errors([game()], seen=True) == ["lower_consensus_error"]
    assert axes_drawing.x_label({"A": make()}, "samples") == "samples per agent"
    with pytest.raises(ValueError, match="neither a metric nor an observation"):
        leading([game().drop(columns="return")])
    with pytest.raises(ValueError, match="no column metric"):
        check({"A": game().drop(columns="return")})
    with pytest.raises(ValueError, match="no column samples"):
        check({"A": game().drop(columns="samples")})
