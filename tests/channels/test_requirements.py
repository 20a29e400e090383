"""Which channels are refused, and for what reason; which run with one warning; and that a growing sum is reported."""

import warnings
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from channels.setting import DIAMOND, DSGD, GTSGD, NETWORK, SLAM, problem, run
from hypergossip import channels
from hypergossip.channels.requirements import ChannelWarning, check_channel
from hypergossip.channels.stack import read_channel
from hypergossip.core.declarations import register
from refusals import refused

ONE_SIDED = channels.Loss(0.2, symmetric=False)
NEGATIVE = hg.networks.erdos_renyi(9, 0.3, seed=1, weights="fastest")


def solved(method, channel, network=NETWORK, **more):
    return hg.solve(method, problem(), network, rounds=20, channel=channel, progress=False, measure=False, **more)


@pytest.mark.parametrize(
    ("method", "channel", "reason"),
    [
        (DSGD, [channels.CommonCopy(), channels.Quantize(4), channels.Loss(0.1)], "reliable link"),
        (DSGD, [channels.CommonCopy(), channels.Noise(0.1)], "reliable link"),
        (DIAMOND, channels.Fading(0.1), "pilot"),
        (DSGD, [channels.EdgeSums(), channels.Fading(0.1, pilot=True)], "reciprocal=True"),
        (SLAM, channels.Fading(0.1, mean=0.9), "pilot"),
        (SLAM, channels.Delay(1), "different ages"),
        (DSGD, channels.TopK(2), "CommonCopy"),
        (DSGD, [channels.Loss(0.1), channels.EdgeSums()], "first stage"),
        (DSGD, [channels.EdgeSums(), channels.EdgeSums()], "several EdgeSums"),
        (DSGD, [channels.EdgeSums(), channels.Loss(0.1, replace="last")], 'replace="own"'),
    ],
    ids=str,
)
def test_combinations_that_cannot_work_are_refused_with_the_reason(method, channel, reason):
    refused(lambda: solved(method, channel), [reason])
    found = run(method, problem(), channel, 20)  # without the check it runs
    assert found.rounds == 20


def test_stages_that_change_nothing_are_accepted():
    for channel in (channels.Fading(0), channels.Noise(0), channels.Loss(0), channels.Delay(0)):
        assert check_channel("DIAMOND", DIAMOND, read_channel(channel), NETWORK) == []
        assert check_channel("SLAM", SLAM, read_channel([channels.EdgeSums(), channel]), NETWORK) == []
        np.testing.assert_allclose(
            run(DIAMOND, problem(), channel, 5).x, run(DIAMOND, problem(), None, 5).x, atol=1e-12
        )


def test_delay_with_negative_weights_is_refused():
    assert NEGATIVE.mixing.data.min() < 0
    refused(lambda: solved(DIAMOND, channels.Delay(1), NEGATIVE), ["negative"])
    assert check_channel("DSGD", DSGD, read_channel(channels.Delay(1)), NETWORK) == []


@pytest.mark.parametrize(
    ("channel", "remedy"),
    [
        (ONE_SIDED, "EdgeSums"),
        (channels.GilbertElliott(0.1, 0.4, symmetric=False), "EdgeSums"),
        (channels.Loss(0.2, replace="last"), "EdgeSums"),
        (channels.Noise(0.01), "EdgeSums"),
        (channels.Fading(0.1, pilot=True), "reciprocal=True"),
        (channels.Quantize(8), "CommonCopy"),
    ],
    ids=str,
)
def test_what_is_wrong_in_the_long_run_has_one_warning(channel, remedy):
    for method in (DIAMOND, GTSGD, SLAM):
        found = check_channel("A method", method, read_channel(channel), NETWORK)
        assert len(found) == 1
        assert remedy in found[0]
    assert check_channel("DSGD", DSGD, read_channel(channel), NETWORK) == []
    mended = {
        "EdgeSums": [channels.EdgeSums(), channel],
        "CommonCopy": [channels.CommonCopy(), channel],
        "reciprocal=True": channels.Fading(0.1, pilot=True, reciprocal=True),
    }
    if not (isinstance(channel, channels.Loss) and channel.replace == "last"):
        assert check_channel("Diamond", DIAMOND, read_channel(mended[remedy]), NETWORK) == []


def test_rounding_of_running_sums_has_a_warning_unless_the_lattice_is_fixed():
    stack = read_channel([channels.EdgeSums(), channels.Quantize(8)])
    assert "CommonCopy() in the place of EdgeSums()" in check_channel("Slam", SLAM, stack, NETWORK)[0]
    fixed = read_channel([channels.EdgeSums(), channels.Quantize(32, width=1e-6)])
    assert check_channel("Slam", SLAM, fixed, NETWORK) == []


@pytest.mark.parametrize("delay", [1, 3])
@pytest.mark.parametrize("method", [DSGD, DIAMOND, GTSGD], ids=lambda method: type(method).__name__)
def test_averages_of_one_age_are_refused_exactly_where_they_diverge(method, delay):
    """The bound is that of the averages alone; above it every method diverges, and half of it leaves room to move."""
    channel = [channels.EdgeSums(), channels.Delay(delay)]
    text = refused(lambda: solved(method, channel), ["lazier"])
    s = float(text.partition("with s = ")[2].split(",")[0])
    lazy = hg.networks.from_mixing(np.eye(9) - s * (np.eye(9) - NETWORK.mixing.toarray()))
    slow = replace(method, upper_step=0.01)
    assert check_channel("it", slow, read_channel(channel), lazy) == []
    assert np.abs(run(slow, problem(), channel, 2000, lazy).x).max() < 10
    broken = run(method, problem(), channel, 200)
    assert np.abs(broken.x).max() > 1e3


def test_the_warning_comes_before_the_run():
    with pytest.warns(ChannelWarning) as found:
        solved(DIAMOND, ONE_SIDED)
    assert "EdgeSums" in str(found[0].message)


def test_a_sum_that_grows_is_reported_once():
    with pytest.warns(ChannelWarning, match="has grown") as found:
        solved(GTSGD, ONE_SIDED, check=False, observe_every=2)
    assert len(found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = solved(GTSGD, [channels.EdgeSums(), ONE_SIDED], observe_every=2).history
    assert history["conserved"].max() < 1e-12


def test_the_column_is_there_only_where_a_sum_is_conserved_under_a_channel():
    assert "conserved" not in run(DSGD, problem(), channels.Loss(0.1), 2).history
    assert "conserved" not in run(DIAMOND, problem(), None, 2).history
    assert "conserved" in run(DIAMOND, problem(), channels.Loss(0.1), 2).history


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: channels.Loss(1.5), "probability from 0 to 1"),
        (lambda: channels.Loss(float("nan")), "give a number"),
        (lambda: channels.Loss(0.1, replace="zero"), "choose one of"),
        (lambda: channels.GilbertElliott(0, 0), "never changes|no link ever changes"),
        (lambda: channels.Noise(-1), "at least 0"),
        (lambda: channels.Fading(0.1, mean=0), "above 0"),
        (lambda: channels.Delay(-1), "from 0 to"),
        (lambda: channels.Delay(1, own="old"), "choose one of"),
        (lambda: channels.Quantize(0), "from 1 to 32"),
        (lambda: channels.Quantize(8, rounding="up"), "choose one of"),
        (lambda: channels.TopK(0), "at least 1"),
        (lambda: channels.CommonCopy(1.5), "at most 1"),
        (lambda: channels.CommonCopy(level="both"), "choose one of"),
        (lambda: read_channel("loss"), "not a stage"),
        (lambda: read_channel([channels.Loss(0.1), 3]), "not a stage"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@register
class Looping(hg.DSGD):
    """Averages x three times in a loop."""

    def step(self, agent, mix, round, state, key):
        state, cost = super().step(agent, mix, round, state, key)
        return state._replace(x=jax.lax.fori_loop(1, 3, lambda k, x: mix(upper=x, call=k), state.x)), cost


@register
class Branching(hg.DSGD):
    """Averages x inside a branch, whose alternative sends the same."""

    def step(self, agent, mix, round, state, key):
        state, cost = super().step(agent, mix, round, state, key)
        x = jax.lax.cond(round > 3, lambda: mix(upper=state.x), lambda: mix(upper=jnp.zeros_like(state.x)))
        return state._replace(x=x), cost


def test_a_channel_with_a_state_needs_messages_outside_loops_and_branches():
    steps = {"upper_step": 0.05, "lower_step": 0.3, "hypergradient": hg.Exact()}
    loop = Looping(**steps)
    refused(lambda: solved(loop, channels.Delay(1)), ["loop"])
    assert np.isfinite(run(loop, problem(), channels.Loss(0.1), 5).x).all()  # without a state it works
    branches = Branching(**steps)
    refused(lambda: solved(branches, channels.Delay(1)), ["branch"])
    assert np.isfinite(run(branches, problem(), channels.Loss(0.1), 5).x).all()


@register
class Helped(hg.DSGD):
    """Averages x twice more, through a compiled function, which JAX traces only once."""

    def step(self, agent, mix, round, state, key):
        state, cost = super().step(agent, mix, round, state, key)
        average = jax.jit(lambda v: mix(upper=v))
        return state._replace(x=average(average(state.x))), cost


def test_messages_that_would_share_their_random_numbers_are_refused():
    helped = Helped(upper_step=0.05, lower_step=0.3, hypergradient=hg.Exact())
    for channel in (channels.PrivacyNoise(1.0, 0.5), channels.Noise(0.5), channels.Loss(0.5)):
        refused(lambda channel=channel: solved(helped, channel), ["compiled function"])


def test_edge_sums_under_many_losses_have_a_warning_and_fewer_do_not():
    for channel, warned in (
        (channels.Loss(0.5), False),
        (channels.Loss(0.8), True),
        (channels.GilbertElliott(0.1, 0.1), True),
        (channels.GilbertElliott(0.1, 0.6), False),
    ):
        found = check_channel("DSGD", DSGD, read_channel([channels.EdgeSums(), channel]), NETWORK)
        assert [("lazier" in text) for text in found] == [True] * warned
    lazy = hg.networks.from_mixing(np.eye(9) - 0.25 * (np.eye(9) - NETWORK.mixing.toarray()))
    assert check_channel("DSGD", DSGD, read_channel([channels.EdgeSums(), channels.Loss(0.8)]), lazy) == []


def test_the_chance_of_a_second_loss_is_that_of_the_draws():
    """Of all lost messages of a link in bursts, the share after which the next one is lost, too."""
    bursts, random = channels.GilbertElliott(0.2, 0.3, 0.1, 0.8), np.random.default_rng(0)
    bad, lost = np.zeros(4000, bool), []
    for _ in range(400):
        bad = np.where(bad, random.random(4000) >= 0.3, random.random(4000) < 0.2)
        lost.append(random.random(4000) < np.where(bad, 0.8, 0.1))
    lost = np.stack(lost[100:])
    assert abs(lost.mean() - bursts.loss_rate) < 0.005
    assert abs((lost[1:] & lost[:-1]).mean() / lost[:-1].mean() - bursts.repeated_loss) < 0.005


def test_a_run_does_not_resume_under_another_channel():
    """The states of these channels have equal shapes."""
    for there, here in (
        ([channels.CommonCopy(0.5), channels.Quantize(4)], channels.EdgeSums()),
        (None, channels.Loss(0.2)),
        (channels.Loss(0.2), None),
    ):
        start = run(GTSGD, problem(), there, 5)
        refused(lambda here=here, start=start: run(GTSGD, problem(), here, 5, start=start), ["another channel"])


@pytest.mark.parametrize(
    "whole",
    [hg.problems.quadratic(9, 5, 4, heterogeneity=0.0), hg.problems.quadratic(9, 5, 4)],
    ids=["equal agents", "other agents"],
)
def test_round_off_is_not_reported_as_growth(whole):
    lazy = hg.networks.from_mixing(0.4 * NETWORK.mixing.toarray() + 0.6 * np.eye(9))
    channel = [channels.EdgeSums(), channels.Loss(0.3), channels.Delay(1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in (DIAMOND, GTSGD, SLAM):
            hg.solve(method, whole, lazy, rounds=30, channel=channel, observe_every=1, measure=False, progress=False)


def test_an_agent_that_hears_nothing_and_has_no_weight_of_its_own_keeps_its_vector():
    network = hg.networks.from_mixing([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    found = run(DSGD, hg.problems.quadratic(3, 5, 4), channels.Loss(0.5, replace="renormalise"), 50, network)
    assert np.isfinite(found.x).all()


def test_a_stage_may_begin_with_a_state_that_is_not_zero():
    @dataclass(frozen=True)
    class Counting(channels.Loss):
        """Loses the first two messages of every link."""

        probability: float = 0.0

        def link_state(self, vector):
            return jnp.full((), 2)

        def deliver(self, state, signal, keys):
            return signal._replace(arrived=state == 0), jnp.maximum(state - 1, 0)

    whole = problem()
    late, alone = run(DSGD, whole, Counting(), 2), run(DSGD, whole, channels.Loss(1.0), 2)
    np.testing.assert_array_equal(late.x, alone.x)
    assert np.abs(run(DSGD, whole, Counting(), 3).x - run(DSGD, whole, channels.Loss(1.0), 3).x).max() > 1e-3


def test_a_quantity_that_is_not_finite_has_its_name_in_the_method():
    with pytest.raises(hg.NotFinite) as error:
        run(DIAMOND, problem(), [channels.EdgeSums(), channels.Noise(1e308)], 50)
    assert ": x of " in str(error.value)


def test_the_channel_is_named_as_a_cause_where_a_quantity_is_not_finite():
    """In the first round, in a later one, and not without a channel."""
    fast = replace(DSGD, upper_step=1e200)
    for method, channel, words in (
        (DSGD, channels.Noise(1e308), ["round 0", "or what the channel (Noise(std=1e+308"]),
        (fast, channels.Loss(0.1), ["no longer", "or the channel (Loss(probability=0.1"]),
        (fast, None, ["no longer"]),
    ):
        with pytest.raises(hg.NotFinite) as error:
            run(method, problem(), channel, 50)
        assert all(word in str(error.value) for word in words)
        assert ("channel" in str(error.value)) == (channel is not None)
