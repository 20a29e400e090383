"""Which codes need a smaller gamma of a common copy: the warned ones diverge, and the recommended gamma converges."""

import contextlib
from dataclasses import dataclass

import numpy as np
import pytest

import hypergossip as hg
from channels.setting import AGENTS, DIAMOND, DSGD, GTSGD, NETWORK, SLAM, distance, problem, run
from hypergossip import channels
from hypergossip.channels.coding import Coding
from hypergossip.channels.requirements import ChannelWarning, check_channel
from hypergossip.channels.stability import coarse, relative_errors
from hypergossip.channels.stack import read_channel


def warnings_of(method, stages, entries, other=0):
    return check_channel("It", method, read_channel(stages), NETWORK, (entries, other))


def recommended(text):
    return float(text.partition("CommonCopy(gamma=")[2].partition(")")[0])


@pytest.mark.parametrize(
    ("code", "entries", "rounds", "near"),
    [
        (channels.Quantize(1), 5, 4000, 1e-8),
        (channels.TopK(1), 20, 30_000, 1e-6),
        (channels.RandomK(4), 20, 6000, 1e-8),
    ],
    ids=str,
)
def test_the_warned_gamma_diverges_and_the_recommended_one_converges(code, entries, rounds, near):
    whole = problem(dimension=entries)
    (text,) = warnings_of(DIAMOND, [channels.CommonCopy(), code], entries)
    gamma = recommended(text)
    assert warnings_of(DIAMOND, [channels.CommonCopy(gamma), code], entries) == []
    assert distance(run(DIAMOND, whole, [channels.CommonCopy(gamma), code], rounds), whole) < near
    with contextlib.suppress(hg.NotFinite):
        assert np.abs(run(DIAMOND, whole, [channels.CommonCopy(), code], 2000).x).max() > 1e3


def test_a_code_that_enlarges_differences_has_no_gamma():
    for method in (DSGD, DIAMOND, GTSGD):
        (text,) = warnings_of(method, [channels.CommonCopy(0.01), channels.Quantize(1)], 20)
        assert "for no gamma" in text
        assert "use a finer code." in text


@pytest.mark.parametrize(
    ("gamma", "code", "entries"),
    [
        (1.0, channels.Quantize(4), 5),
        (1.0, channels.Quantize(4), 10_000),
        (1.0, channels.Quantize(4, rounding="stochastic"), 20),
        (0.5, channels.Quantize(2), 5),
        (0.5, channels.Quantize(2), 10_000),
        (0.2, channels.TopK(4), 20),
        (0.2, channels.RandomK(4), 20),
        (1.0, channels.Quantize(16, width=0.01), 20),
        (1.0, channels.TopK(20), 20),
    ],
    ids=str,
)
def test_what_is_exact_in_the_studies_has_no_warning(gamma, code, entries):
    for method in (DIAMOND, GTSGD, DSGD):
        assert warnings_of(method, [channels.CommonCopy(gamma), code], entries) == []


def test_only_what_is_coded_and_averaged_counts():
    """SLAM multiplies the differences by its step and rho, so the bound of averages says nothing about it."""
    coarse_code = channels.TopK(1)
    for level, warned in ((None, 1), ("upper", 1), ("lower", 0)):
        assert len(warnings_of(DIAMOND, [channels.CommonCopy(level=level), coarse_code], 20)) == warned
    assert len(warnings_of(DIAMOND, [channels.CommonCopy(level="lower"), coarse_code], 0, 20)) == 1
    assert warnings_of(SLAM, [channels.CommonCopy(), coarse_code], 20) == []


def test_the_warning_comes_before_a_run():
    channel = [channels.CommonCopy(), channels.Quantize(1)]
    options = {"rounds": 1, "progress": False, "measure": False}
    with pytest.warns(ChannelWarning, match="may diverge: Quantize"):
        hg.solve(DIAMOND, problem(), NETWORK, channel=channel, **options)
    with pytest.warns(ChannelWarning, match="may diverge: Quantize"):
        hg.tune(DIAMOND, problem(), NETWORK, grid={"upper_step": [0.01]}, rounds=1, seeds=1, channel=channel)


@dataclass(frozen=True)
class Overshoot(Coding):
    """Sends somewhat more than the vector: the code of a given relative error for which the bound is sharp."""

    error: float = 0.3

    def coded(self, vector, key):
        return (1 + self.error) * vector

    def size(self, entries, bits):
        return bits


@pytest.mark.parametrize("error", [0.3, 0.6])
def test_the_bound_is_sharp_for_the_worst_code(error):
    """Averages alone: the agents' vectors approach each other just below the bound, and part just above it."""
    bound = coarse(read_channel([channels.CommonCopy(), Overshoot(error)]).stages[0], (5, 0), NETWORK).bound
    assert bound == pytest.approx(
        2 * (1 - error) / ((1 + error) * (1 - np.linalg.eigvalsh(NETWORK.mixing.toarray())[0]))
    )
    still = hg.DSGD(upper_step=1e-12, lower_step=1e-3, hypergradient=hg.Exact())
    x0 = np.random.default_rng(0).normal(size=(AGENTS, 5))

    def spread(gamma):
        found = run(still, problem(), [channels.CommonCopy(gamma), Overshoot(error)], 400, x0=x0)
        return float(np.linalg.norm(found.x - found.x.mean(axis=0)))

    assert spread(0.97 * bound) < 1e-2 < 1e2 < spread(1.03 * bound)


def test_errors_are_those_of_the_closed_forms():
    """k of p random entries leave out 1 - k / p of the square; steps of h round uniform entries by h^2 / 12."""
    gaussian, _ = relative_errors((channels.RandomK(50),), 200, None)
    assert gaussian**2 == pytest.approx(0.75, abs=0.02)
    _, uniform = relative_errors((channels.Quantize(3),), 2000, 0.5)
    assert uniform == pytest.approx(1 / 7, rel=0.03)  # step 2 / 7 of entries of variance 1 / 3
