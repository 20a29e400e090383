"""Ratios of medians with their intervals, and the verdicts on claims."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small import SMALL

from hypergossip.lab.experiments.catalogue import find, names
from hypergossip.lab.experiments.reproduction import Claim
from hypergossip.lab.experiments.verdicts import (
    MET,
    NOT_JUDGED,
    NOT_MET,
    UNDECIDED,
    cases_agree,
    last,
    late,
    ratio,
    verdicts,
)


def history(values):
    """A history with one row per round and seed, from values (rounds, seeds)."""
    values = np.asarray(values, float)
    rounds, seeds = np.indices(values.shape)
    return pd.DataFrame({"round": 10 * rounds.ravel(), "seed": seeds.ravel(), "metric": values.ravel()})


def level(value, seeds=5):
    """A history with this value in all rounds of all seeds."""
    return history(np.full((6, seeds), value))


def judge(one, other, quick=False):
    """The verdict on the claim that DIAMOND has at most a third of D-SGD's metric, in one case."""
    calm = SMALL.cases[0]
    experiment = replace(SMALL, cases=(calm,), claims=(Claim("DIAMOND", "D-SGD", "metric", 1 / 3),))
    (found,) = verdicts(experiment, {calm.name: {"DIAMOND": one, "D-SGD": other}}, quick)
    return found


def test_last_and_late_are_means_of_every_seed():
    table = history([[9, 9], [5, 1], [4, 2], [3, 3], [2, 4], [1, 5]])  # rounds 0 to 50; the last fifth begins at 40
    np.testing.assert_array_equal(last(table, "metric"), [1, 5])
    np.testing.assert_array_equal(late(table, "metric"), [1.5, 4.5])


def test_the_ratio_of_proportional_values_has_no_uncertainty():
    seeds = np.random.default_rng(1).lognormal(size=10)
    np.testing.assert_allclose(ratio(3 * seeds, seeds), 3.0)  # paired: the ratio is 3 for any drawn seeds
    value, low, high = ratio(seeds, np.ones(10))
    assert low < value == np.median(seeds) < high
    assert np.isnan(ratio(seeds[:2], seeds[:2])[1])


def test_the_interval_has_the_nominal_coverage():
    random = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        one, other = random.lognormal(0.0, 0.3, (2, 15))
        _, low, high = ratio(one, other)
        covered += low <= 1.0 <= high
    assert 0.85 <= covered / 200 <= 0.99  # an interval that is too wide always covers


def test_a_claim_about_the_compared_column_is_about_that_of_the_case():
    calm, loud = SMALL.cases[0], SMALL.cases[1]._replace(compared="stationarity")
    one = level(1.0).assign(stationarity=4.0)
    other = level(4.0).assign(stationarity=1.0)
    claims = (Claim("DIAMOND", "D-SGD", "metric", 1.0),)
    experiment = replace(SMALL, cases=(calm, loud), claims=claims)
    histories = {case.name: {"DIAMOND": one, "D-SGD": other} for case in (calm, loud)}
    assert [found.ratio for found in verdicts(experiment, histories)] == [0.25, 4.0]


def test_claims_are_met_not_met_or_inconclusive():
    calm, loud = (case.name for case in SMALL.cases)
    low, high = level(1.0), level(4.0)
    claims = (Claim("DIAMOND", "D-SGD", "metric", 1 / 3), Claim("D-SGD", "DIAMOND", "metric", 1.0, (calm,), True))
    measured = verdicts(
        replace(SMALL, claims=claims), {calm: {"DIAMOND": low, "D-SGD": high}, loud: {"DIAMOND": high, "D-SGD": low}}
    )
    assert [(one.ratio, one.verdict) for one in measured] == [(0.25, MET), (4.0, MET), (4.0, NOT_MET)]
    assert measured[0].claim == "DIAMOND's final M_t is at most a third of D-SGD's"
    assert "over the last fifth of the rounds is no smaller than DIAMOND's" in measured[1].claim
    # The claim holds for three of five seeds, hence for the median, but not for every bootstrap sample.
    one = judge(history(np.tile([1.0, 1.0, 1.0, 9.0, 9.0], (6, 1))), high)
    assert (one.ratio, one.verdict) == (0.25, UNDECIDED)
    assert one.low <= 1 / 3 <= one.high
    assert verdicts(replace(SMALL, claims=claims), {calm: {"DIAMOND": low}, loud: {}}) == []


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_fewer_than_five_seeds_give_no_verdict(seeds):
    """Not even for clear values: the claim is true of them in one order, and false in the other."""
    for pair in ((1.0, 4.0), (4.0, 1.0)):
        one = judge(*(level(value, seeds) for value in pair))
        assert (one.verdict, np.isnan(one.low)) == (NOT_JUDGED, seeds < 3)
    assert cases_agree("9 agents", "metric", 0.05, {"a": np.ones(seeds), "b": np.ones(seeds)}).verdict == NOT_JUDGED


def test_a_quick_run_gives_no_verdict_with_any_number_of_seeds():
    for quick, verdict in ((False, MET), (True, NOT_JUDGED)):
        one = judge(level(1.0, 10), level(4.0, 10), quick)
        assert (one.ratio, one.low, one.high, one.verdict) == (0.25, 0.25, 0.25, verdict)


@pytest.mark.parametrize("name", names())
def test_quick_runs_have_no_verdict_and_ten_seeds_have_one(name):
    """The number of seeds alone decides this; the histories are proportional, so ten seeds give a verdict."""
    experiment = find(name)
    few, many = experiment.quick["run.seeds"], experiment.run["seeds"]
    labels = list(experiment.methods or experiment.stated)
    columns = {experiment.compared, *(claim.column for claim in experiment.claims)}
    columns |= {case.compared for case in experiment.cases if case.compared}

    def judged(seeds):
        table = history(np.tile(np.arange(1.0, seeds + 1), (6, 1)))
        tables = {
            label: table.assign(**dict.fromkeys(columns, table["metric"] * (1 + k))) for k, label in enumerate(labels)
        }
        measured = verdicts(experiment, {case.name: tables for case in experiment.cases})
        assert measured
        return {one.verdict for one in measured}

    assert judged(few) == {NOT_JUDGED}
    assert NOT_JUDGED not in judged(many)


def test_a_claim_without_an_interval_is_not_judged():
    """Values that are not a number, and ratios to zero."""
    for pair in ((np.nan, 1.0), (0.0, 0.0)):
        assert judge(*map(level, pair)).verdict == NOT_JUDGED
    one = judge(level(0.0), level(1.0))
    assert (one.ratio, one.verdict) == (0.0, MET)


def test_lines_of_cases_agree_within_a_bound():
    lines = {"a": np.full(5, 1.0), "b": np.full(5, 1.05), "c": np.full(5, 1.08)}
    one = cases_agree("9 agents", "metric", 0.1, lines)
    assert one.verdict == MET
    np.testing.assert_allclose(one.ratio, 1.08)
    assert "at most 10 %" in one.claim
    assert cases_agree("9 agents", "metric", 0.05, lines).verdict == NOT_MET


def test_the_largest_over_the_smallest_is_at_least_one_and_finds_different_lines():
    """The lines have one distribution. The largest differs between bootstrap samples, so the interval is above one."""
    random = np.random.default_rng(3)
    lines = {name: random.lognormal(0.0, 0.2, 10) for name in "abc"}
    one = cases_agree("9 agents", "metric", 0.05, lines)
    medians = [np.median(values) for values in lines.values()]
    np.testing.assert_allclose(one.ratio, max(medians) / min(medians))
    assert 1.0 <= one.low <= one.ratio <= one.high
    apart = cases_agree("9 agents", "metric", 0.05, {**lines, "d": 3 * lines["a"]})
    assert apart.verdict == NOT_MET
    assert apart.low > 2
