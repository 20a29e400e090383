"""Which remedy makes which method exact again, what is conserved in every round, and what it costs in bytes."""

from dataclasses import replace

import numpy as np
import pytest

import hypergossip as hg
from channels.setting import AGENTS, DIAMOND, METHODS, NETWORK, SLAM, TRACKED, P, Q, distance, optimum, problem, run
from hypergossip import channels
from hypergossip.engines import Simulated

SHARES = {"SlamTracked": "both"}
EXACT = {"DIAMOND": DIAMOND, "SLAM": SLAM, "SlamTracked": TRACKED}
ROUNDS = 4000


def of(name):
    return problem(share=SHARES.get(name, "upper"))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_edge_sums_make_one_sided_loss_harmless(name, probability):
    loss = channels.Loss(probability, symmetric=False)
    exact = run(EXACT[name], of(name), [channels.EdgeSums(), loss], ROUNDS)
    wrong = run(EXACT[name], of(name), loss, ROUNDS)
    assert distance(exact, of(name)) < 1e-20
    assert distance(wrong, of(name)) > 1e-8


@pytest.mark.parametrize("name", [*EXACT, "GT-SGD"])
@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_what_is_conserved_stays_zero_in_every_round_with_what_is_under_way(name, probability):
    channel = [channels.EdgeSums(), channels.Loss(probability, symmetric=False)]
    history = run(METHODS[name], of(name), channel, 200, observe_every=1).history
    assert len(history) == 201
    assert history["conserved"].max() < 1e-12
    lost = run(METHODS[name], of(name), channel[1], 200, observe_every=1).history["conserved"]
    assert (lost.iloc[10:] > 1e-3).all()  # the column is not zero whatever happens


@pytest.mark.parametrize("name", ["SLAM", "SlamTracked"])
def test_a_rho_that_changes_with_the_step_conserves_what_a_constant_one_does(name):
    channel = [channels.EdgeSums(), channels.Loss(0.2, symmetric=False)]
    decaying = replace(METHODS[name], upper_step=hg.PowerDecay(0.1, 2.0, 1 / 3))
    changing = replace(decaying, rho=hg.InverseStep(0.025))
    grown = lambda method, channel: run(method, of(name), channel, 50).history["conserved"].max()
    assert grown(decaying, channel) < 1e-12
    assert grown(changing, channel) < 1e-12
    assert grown(changing, channel[1]) > 1e-3  # the column is not zero whatever happens


EXTRA = hg.Sparkle(0.02, 0.1, 0.1, correction="EXTRA")


@pytest.mark.parametrize("method", [SLAM, replace(TRACKED, rho=hg.InverseStep(0.025)), EXTRA, DIAMOND], ids=repr)
def test_agents_that_start_at_different_points_conserve_it_as_well(method):
    """A message of round 0 that is lost must not be made up for by one that counts."""
    network, whole = hg.networks.ring(AGENTS, weights="lazy-metropolis"), problem(share="both")
    random = np.random.default_rng(0)
    starts = {"x0": random.normal(size=(AGENTS, P)), "y0": random.normal(size=(AGENTS, Q))}
    channel = [channels.EdgeSums(), channels.Loss(0.4, symmetric=False)]
    found = run(method, whole, channel, 100, network, observe_every=5, **starts)
    assert found.history["conserved"].max() < 1e-12


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(
    "channel",
    [
        channels.Loss(0.2),
        channels.GilbertElliott(0.1, 0.4),
        channels.Fading(0.3, pilot=True, reciprocal=True),
        [channels.EdgeSums(), channels.GilbertElliott(0.1, 0.4, symmetric=False)],
        [channels.CommonCopy(), channels.Quantize(4)],
        [channels.CommonCopy(0.5), channels.Quantize(2)],
        [channels.CommonCopy(), channels.Quantize(4, rounding="stochastic")],
    ],
    ids=str,
)
def test_channels_that_keep_the_sum_are_exact(name, channel):
    assert distance(run(EXACT[name], of(name), channel, ROUNDS), of(name)) < 1e-20


def test_delayed_messages_are_exact_with_edge_sums_and_a_smaller_penalty():
    """With a delay of three rounds a smaller rho is exact."""
    channel = [channels.EdgeSums(), channels.Delay(3)]
    slower = hg.Slam(upper_step=0.05, lower_step=0.3, gamma=1.0, rho=0.1, hypergradient=hg.Exact())
    assert distance(run(slower, problem(), channel, 2 * ROUNDS), problem()) < 1e-20
    assert distance(run(SLAM, problem(), [channels.EdgeSums(), channels.Delay(1)], ROUNDS), problem()) < 1e-20


@pytest.mark.parametrize("code", [channels.TopK(4), channels.RandomK(4)], ids=str)
def test_a_few_entries_of_the_difference_suffice(code):
    """The largest 4 of 20 entries: slower, and exact in the end."""
    whole = problem(dimension=20)
    channel = [channels.CommonCopy(0.2), code]
    early, late = (distance(run(DIAMOND, whole, channel, rounds), whole) for rounds in (2000, 8000))
    assert late < 1e-20 < early


def test_four_bits_suffice_for_an_eighth_of_the_bytes():
    whole = problem(dimension=20)
    coded = run(DIAMOND, whole, [channels.CommonCopy(), channels.Quantize(4)], ROUNDS)
    plain = run(DIAMOND, whole, None, ROUNDS)
    assert distance(coded, whole) < 1e-20
    assert coded.history["bytes_sent"].iloc[-1] <= 0.15 * plain.history["bytes_sent"].iloc[-1]


def test_only_one_level_may_be_coded():
    """SlamTracked sends x, y and z; with level="lower" x arrives exactly, and only y and z are coded."""
    whole = problem(share="both", dimension=20)
    coding = channels.Quantize(4)
    both, lower = (
        run(TRACKED, whole, [channels.CommonCopy(level=level), coding], 50).history["bytes_sent"].iloc[-1]
        for level in (None, "lower")
    )
    per_round = NETWORK.degrees.mean()
    x, y, z = 20, 4, 4
    assert both == pytest.approx(50 * per_round * (10 + 8 + 2 * (2 + 8)))
    assert lower == pytest.approx(50 * per_round * (8 * x + 2 * (2 + 8)))
    assert y == z
    exact = run(TRACKED, whole, [channels.CommonCopy(level="lower"), coding], ROUNDS)
    assert distance(exact, whole) < 1e-20


def test_dsgd_with_the_last_value_has_the_limit_of_a_run_without_loss():
    whole, method = problem(), METHODS["D-SGD"]
    lossless = run(method, whole, None, ROUNDS)
    held = run(method, whole, channels.Loss(0.2, symmetric=False, replace="last"), ROUNDS)
    np.testing.assert_allclose(held.x, lossless.x, atol=1e-12)
    own = run(method, whole, channels.Loss(0.2, symmetric=False), ROUNDS)
    assert distance(own, whole) > 1.1 * distance(lossless, whole) > 1e-3


def test_float32_keeps_the_sum_to_its_round_off():
    """As users run: the invariant drifts by the round-off of the running sums and not by the loss."""
    import jax

    with jax.enable_x64(False):
        whole = problem()
        channel = [channels.EdgeSums(), channels.Loss(0.3, symmetric=False)]
        found = run(DIAMOND, whole, channel, 2000, engine=Simulated())
        assert found.x.dtype == np.float32
        assert ((found.x - optimum(whole)) ** 2).sum(axis=-1).mean() < 1e-6
