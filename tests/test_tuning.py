"""tune: every point of the grid is the run that `solve` would make of it, and the best is the best."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import hypergossip as hg
from hypergossip.channels.requirements import ChannelWarning
from hypergossip.running.tune import beyond
from refusals import refused

NETWORK = hg.networks.ring(3)
ALGORITHM = hg.DSGD(hg.PowerDecay(0.1, 2.0, 0.5), 0.2, hg.TruncatedNeumann(6, 4.0))
GRID = {"upper_step.scale": [0.03, 0.3, 50.0], "lower_step": [0.2, 0.4]}


@pytest.fixture(scope="module")
def problem():
    return hg.problems.quadratic(3, 2, 2, seed=0, noise=0.2, observe=None)


@pytest.fixture(scope="module")
def tuning(problem):
    return hg.tune(ALGORITHM, problem, NETWORK, grid=GRID, rounds=40, seeds=3, seed=50)


def at(point):
    step = hg.PowerDecay(point["upper_step.scale"], 2.0, 0.5)
    return dataclasses.replace(ALGORITHM, upper_step=step, lower_step=point["lower_step"])


def test_the_table_has_every_point_once_best_first(tuning):
    assert list(tuning.table.columns) == [*GRID, "score", "best_seed", "worst_seed", "diverged", "note"]
    points = set(zip(tuning.table["upper_step.scale"], tuning.table["lower_step"], strict=True))
    assert len(tuning.table) == len(points) == 6
    assert (np.diff(tuning.table["score"]) >= 0).all()
    assert (tuning.table["best_seed"] <= tuning.table["score"]).all()
    assert (tuning.table["score"] <= tuning.table["worst_seed"]).all()
    assert tuning.best == at(tuning.table.iloc[0])


def test_a_score_is_the_median_over_seeds_of_what_solve_shows(tuning, problem):
    """The metric at 80, 90 and 100 % of each run, averaged; the median of three seeds is one of them."""
    for row in (0, 3):
        point = tuning.table.iloc[row]
        history = hg.solve(
            at(point), problem, NETWORK, rounds=40, observe_every=4, seed=50, seeds=3, check=False
        ).history
        late = history[history["round"].isin([32, 36, 40])].groupby("seed")["metric"].mean()
        assert point["score"] == pytest.approx(late.median(), rel=1e-6)
        assert point["best_seed"] == pytest.approx(late.min(), rel=1e-6)
        assert point["worst_seed"] == pytest.approx(late.max(), rel=1e-6)


CHANNEL = [hg.channels.EdgeSums(), hg.channels.Loss(0.3, symmetric=False)]
TRACKING = hg.GTSGD(0.1, 0.2, hg.Exact())


def test_a_score_under_a_channel_is_what_solve_shows_under_it(problem):
    options = {"grid": {"lower_step": [0.1, 0.2]}, "rounds": 20, "seeds": 2, "seed": 50}
    lossy = hg.tune(TRACKING, problem, NETWORK, channel=CHANNEL, **options).table
    ideal = hg.tune(TRACKING, problem, NETWORK, **options).table
    assert set(lossy["score"]).isdisjoint(ideal["score"])
    for _, point in lossy.iterrows():
        method = dataclasses.replace(TRACKING, lower_step=point["lower_step"])
        runs = {"rounds": 20, "observe_every": 2, "seed": 50, "seeds": 2, "check": False}
        history = hg.solve(method, problem, NETWORK, channel=CHANNEL, **runs).history
        late = history[history["round"].isin([16, 18, 20])].groupby("seed")["metric"].mean()
        assert point["score"] == pytest.approx(late.median(), rel=1e-6)


def test_a_channel_that_the_method_cannot_work_with_is_refused_and_others_are_warned_of_once(problem):
    tune = lambda channel, **more: hg.tune(
        TRACKING, problem, NETWORK, grid={"lower_step": [0.1, 0.2]}, rounds=1, seeds=1, channel=channel, **more
    )
    with pytest.raises(ValueError, match="CommonCopy needs a reliable link"):
        tune([hg.channels.CommonCopy(), hg.channels.Loss(0.1)])
    with pytest.raises(ValueError, match="not a stage of a channel"):
        tune("loss")
    with pytest.warns(ChannelWarning) as caught:
        tune(hg.channels.Loss(0.3, symmetric=False), extend=1)
    (before,) = [str(one.message) for one in caught if "a loss in one direction" in str(one.message)]
    assert before.startswith("GTSGD: ")


def test_what_diverges_comes_last_and_is_counted(problem):
    with pytest.warns(hg.PreflightWarning, match="smallest of the grid"):
        tuning = hg.tune(ALGORITHM, problem, NETWORK, grid={"lower_step": [0.2, 5.0, 9.0]}, rounds=600, seeds=2)
    assert list(tuning.table["lower_step"]) == [0.2, 5.0, 9.0]
    assert list(tuning.table["diverged"]) == [0, 2, 2]
    assert np.isinf(tuning.table["score"].iloc[1:]).all()
    with pytest.raises(ValueError, match=r"diverged, .* with smaller steps"):
        hg.tune(ALGORITHM, problem, NETWORK, grid={"lower_step": [5.0, 7.0, 9.0]}, rounds=600, seeds=2)


def test_a_point_that_the_method_refuses_is_noted_and_not_run(problem):
    tuning = hg.tune(ALGORITHM, problem, NETWORK, grid={"hypergradient.lipschitz": [1.0, 4.0]}, rounds=10, seeds=1)
    assert tuning.best.hypergradient.lipschitz == 4.0
    assert list(tuning.table["note"] != "") == [False, True]
    assert "diverges" in tuning.table["note"].iloc[1]
    with pytest.raises(ValueError, match=r"every point of the grid is refused.*diverges"):
        hg.tune(ALGORITHM, problem, NETWORK, grid={"hypergradient.lipschitz": [0.5, 1.0]}, rounds=10)


def test_the_largest_score_may_be_the_best(problem):
    watched = hg.Problem.from_oracles(
        problem.oracles, x0=np.zeros(2), y0=np.zeros(2), observe={"accuracy": lambda x, y: -(x[0] ** 2)}
    )
    grid, options = {"upper_step.scale": [0.001, 0.3]}, {"rounds": 40, "seeds": 1, "score": "accuracy"}
    best = hg.tune(ALGORITHM, watched, NETWORK, grid=grid, largest=True, **options).table
    worst = hg.tune(ALGORITHM, watched, NETWORK, grid=grid, **options).table
    assert list(best["upper_step.scale"]) == [0.001, 0.3] == list(worst["upper_step.scale"])[::-1]


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({}, ["grid is empty"]),
        ({"lower_step": []}, ["grid is empty"]),
        ({"lower_step": (value for value in ())}, ["grid is empty"]),
        ({"lower_step": 0.1}, ["0.1 for 'lower_step'", "give a list of values"]),
        ({"lower_step": "0.1"}, ["'0.1' for 'lower_step'", "give a list of values"]),
        ({"lower_step": {"scale": [0.1]}}, ["{'scale': [0.1]} for 'lower_step'", "give a list of values"]),
        ({"lower_step": [{"c": 0.1}]}, ["the value {'c': 0.1} for 'lower_step'", "give numbers", "use a dot"]),
        ({"lower_step": [0.1, "fast"]}, ["the value 'fast' for 'lower_step'"]),
        ({"stepsize": [0.1]}, ["'stepsize'", "DSGD", "upper_step, lower_step, hypergradient"]),
        ({"upper_step.rate": [0.1]}, ["'upper_step.rate'", "PowerDecay", "scale, offset, power"]),
        ({"lower_step.scale": [0.1]}, ["'lower_step.scale'", "float", "no parts"]),
        ({"upper_step": [0.1]}, ["'upper_step'", "PowerDecay", "upper_step.scale"]),
        ({"hypergradient": [0.1]}, ["'hypergradient'", "TruncatedNeumann", "hypergradient.lipschitz"]),
        ({"hypergradient.terms": [2, 3]}, ["'hypergradient.terms'", "shapes the compiled program"]),
    ],
)
def test_a_grid_that_cannot_be_swept_is_refused(problem, grid, words):
    refused(lambda: hg.tune(ALGORITHM, problem, NETWORK, grid=grid, rounds=10), words)


@pytest.mark.parametrize(("name", "value"), [("rounds", 0), ("seeds", 0), ("seed", -1)])
def test_numbers_that_make_no_sense_are_refused(problem, name, value):
    options = {"rounds": 10, "seeds": 1} | {name: value}
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        hg.tune(ALGORITHM, problem, NETWORK, grid=GRID, **options)


def test_a_score_that_is_no_column_is_refused(problem):
    with pytest.raises(ValueError, match=r"score is 'accuracy'.*choose one of.*metric"):
        hg.tune(ALGORITHM, problem, NETWORK, grid={"lower_step": [0.1]}, rounds=1, seeds=1, score="accuracy")


@pytest.mark.filterwarnings("ignore::hypergossip.PreflightWarning")
def test_the_grid_grows_beyond_the_end_at_which_the_best_lies(problem):
    """Every point of the grown grid is there once, scored as by a call over the whole of it; the axis of one stays."""
    grid, options = {"lower_step": [0.001, 0.002], "upper_step.scale": [0.3]}, {"rounds": 40, "seeds": 2, "seed": 50}
    grown = hg.tune(ALGORITHM, problem, NETWORK, grid=grid, extend=3, **options)
    assert sorted(grown.table["lower_step"]) == pytest.approx([0.001, 0.002, 0.004, 0.008, 0.016])
    assert set(grown.table["upper_step.scale"]) == {0.3}
    whole = hg.tune(
        ALGORITHM, problem, NETWORK, grid={**grid, "lower_step": sorted(grown.table["lower_step"])}, **options
    )
    pd.testing.assert_frame_equal(grown.table, whole.table, rtol=1e-6)
    assert grown.best == whole.best
    assert beyond({"a": [4.0, 2.0, 1.0]}, {"a": 1.0}) == {"a": [4.0, 2.0, 1.0, 0.5]}
    assert beyond({"a": [1.0, 3.0, 2.0]}, {"a": 2.0}) is None
    assert beyond({"a": [0.0, 1.0]}, {"a": 1.0}) is None


@pytest.mark.filterwarnings("ignore::hypergossip.PreflightWarning")
def test_points_that_are_known_are_not_run_again(problem, tuning):
    """They keep a score that no run would give; the grid alone decides which points are in the table."""
    known = tuning.table.assign(score=np.where(tuning.table["lower_step"] == 0.4, 1e-9, tuning.table["score"]))
    grid = {"upper_step.scale": [0.03, 0.3, 0.1], "lower_step": [0.2, 0.4]}
    table = hg.tune(ALGORITHM, problem, NETWORK, grid=grid, rounds=40, seeds=3, seed=50, known=known).table
    assert len(table) == 6
    assert (table["score"] == 1e-9).sum() == 2
    fresh = hg.tune(ALGORITHM, problem, NETWORK, grid=grid, rounds=40, seeds=3, seed=50).table
    columns = [*grid, "score"]
    ours, theirs = (t.sort_values([*grid])[columns].reset_index(drop=True) for t in (table, fresh))
    run = ours["score"] != 1e-9
    pd.testing.assert_frame_equal(ours[run], theirs[run], rtol=1e-6)
    with pytest.raises(ValueError, match="known has no column lower_step"):
        hg.tune(ALGORITHM, problem, NETWORK, grid=grid, rounds=40, known=known.drop(columns="lower_step"))


def test_a_score_that_cannot_be_measured_gets_advice():
    """The lower level has a kink where its minimum is."""
    data = {"t": np.random.default_rng(0).standard_normal((3, 4, 2))}
    problem = hg.Problem(
        lambda x, y, b: jnp.mean((y - b["t"]) ** 2) + jnp.sum((x - 1) ** 2),
        lambda x, y, b: jnp.sum(jnp.abs(y - x - 1)) + 0.05 * jnp.sum(y**2),
        upper_data=data,
        lower_data=data,
        x0=np.zeros(2),
        y0=np.full(2, 0.3),
    )
    options = {"grid": {"upper_step": [0.01, 0.03, 0.1]}, "rounds": 3, "seeds": 1}
    call = lambda score: hg.tune(hg.DSGD(0.1, 0.01, hg.Direct()), problem, hg.networks.ring(3), score=score, **options)
    with pytest.raises(ValueError, match=r"its metric could not be measured\. .* such as upper_loss"):
        call("metric")
    with pytest.warns(hg.PreflightWarning, match="the largest of the grid"):
        assert call("upper_loss").best.upper_step == 0.1
