"""Ratios of medians, their intervals, and claims that are met or not."""

import numpy as np
import pandas as pd
from small import SMALL

from hypergossip.experiments.findings import alike, findings, last, late, ratio
from hypergossip.experiments.reproduction import Claim


def history(values):
    """One row a round and seed; values (rounds, seeds)."""
    values = np.asarray(values, float)
    rounds, seeds = np.indices(values.shape)
    return pd.DataFrame({"round": 10 * rounds.ravel(), "seed": seeds.ravel(), "metric": values.ravel()})


def test_last_and_late_are_means_over_their_rows_by_seed():
    table = history([[9, 9], [5, 1], [4, 2], [3, 3], [2, 4], [1, 5]])  # rounds 0 to 50; the last fifth from 40 on
    np.testing.assert_array_equal(last(table, "metric"), [1, 5])
    np.testing.assert_array_equal(late(table, "metric"), [1.5, 4.5])


def test_the_ratio_of_proportional_seeds_is_certain():
    seeds = np.random.default_rng(1).lognormal(size=10)
    np.testing.assert_allclose(ratio(3 * seeds, seeds), 3.0)  # paired: whatever seeds are drawn, the ratio is 3
    value, low, high = ratio(seeds, np.ones(10))
    assert low < value == np.median(seeds) < high
    assert np.isnan(ratio(seeds[:2], seeds[:2])[1])


def test_the_interval_covers_as_often_as_it_says():
    random = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        one, other = random.lognormal(0.0, 0.3, (2, 15))
        _, low, high = ratio(one, other)
        covered += low <= 1.0 <= high
    assert 0.85 <= covered / 200 <= 1.0


def test_claims_are_met_or_not():
    calm, loud = (case.name for case in SMALL.cases)
    low, high = history(np.full((6, 3), 1.0)), history(np.full((6, 3), 4.0))
    claims = (Claim("DIAMOND", "D-SGD", "metric", 1 / 3), Claim("D-SGD", "DIAMOND", "metric", 1.0, (calm,), True))
    from dataclasses import replace

    found = findings(
        replace(SMALL, claims=claims), {calm: {"DIAMOND": low, "D-SGD": high}, loud: {"DIAMOND": high, "D-SGD": low}}
    )
    assert [(one.ratio, one.met) for one in found] == [(0.25, True), (4.0, True), (4.0, False)]
    assert "at most 0.333 times that of D-SGD" in found[0].claim
    assert findings(replace(SMALL, claims=claims), {calm: {"DIAMOND": low}, loud: {}}) == []


def test_lines_are_alike_within_a_bound():
    lines = {"a": np.full(5, 1.0), "b": np.full(5, 1.05), "c": np.full(5, 1.08)}
    one = alike("9 agents", "metric", 0.1, lines)
    assert one.met
    np.testing.assert_allclose(one.ratio, 1.08)
    assert "at most 10 %" in one.claim
    assert not alike("9 agents", "metric", 0.05, lines).met
