"""PrivacyNoise: clipping and noise, the stated epsilon, what it conserves, and where it may stand in a channel."""

import math
import sys

import dp_accounting
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.stats import norm

import hypergossip as hg
from hypergossip.channels import CommonCopy, Delay, EdgeSums, Loss, PrivacyNoise, Quantize, TopK
from hypergossip.channels.channel import Message
from hypergossip.channels.layout import Layout
from hypergossip.channels.requirements import check_stateful
from hypergossip.channels.stack import Neighbourhood, Stack, read_channel
from hypergossip.core.algorithm import register
from hypergossip.core.messages import Message as Sent
from hypergossip.core.messages import messages
from hypergossip.support.extras import MissingExtra
from refusals import refused

PROBLEM = hg.problems.quadratic(9, 5, 4)
NETWORK = hg.networks.erdos_renyi(9, 0.3, seed=1)
DIAMOND = hg.Diamond(upper_step=0.05, lower_step=0.3, upper_momentum=0.1, lower_momentum=0.1, hypergradient=hg.Exact())
SLAM = hg.Slam(upper_step=0.02, lower_step=0.1, gamma=0.1, rho=0.5, hypergradient=hg.Exact())
LAYOUT = Layout((3,), (2,), 64)


def sent(stage, vector, seed=0):
    vector = jnp.asarray(vector)
    message, state = stage.encode((), Message(vector, vector), LAYOUT, jax.random.key(seed))
    assert state == ()
    np.testing.assert_array_equal(message.own, message.vector)  # the sender uses its own message as sent
    return message.vector


def solved(channel, algorithm=DIAMOND, rounds=50, **more):
    given = {"progress": False, "observe_every": rounds, "measure": False, **more}
    return hg.solve(algorithm, PROBLEM, NETWORK, rounds=rounds, channel=channel, **given)


def test_a_message_is_clipped_to_its_norm_as_a_whole():
    clipping = PrivacyNoise(2.5, 0.0)
    long, short = 10 * jnp.arange(1.0, 6.0), 0.1 * jnp.arange(1.0, 6.0)
    np.testing.assert_allclose(sent(clipping, long), long / jnp.linalg.norm(long) * 2.5, rtol=1e-15)
    np.testing.assert_array_equal(sent(clipping, short), short)
    np.testing.assert_array_equal(sent(clipping, jnp.zeros(5)), jnp.zeros(5))
    assert float(jnp.linalg.norm(sent(clipping, 1e100 * long))) <= 2.5 * (1 + 1e-15)


@pytest.mark.parametrize("entry", [np.nan, np.inf, -np.inf, 1e200])
def test_a_message_without_a_finite_norm_is_sent_as_zero_and_noise(entry):
    stage, vector = PrivacyNoise(1.0, 0.5), np.array([1.0, entry, 2.0, 0.0, 0.0])
    np.testing.assert_array_equal(sent(stage, vector), sent(stage, np.zeros(5)))


def test_the_noise_has_the_stated_variance_and_no_mean():
    """200,000 entries: the standard errors are s / sqrt(n) of the mean and s^2 sqrt(2 / n) of the variance."""
    clip, multiplier, draws = 3.0, 0.7, 40_000
    vector = jnp.array([0.1, -0.5, 1.0, 0.0, 0.3])
    noise = jax.vmap(lambda seed: sent_from(clip, multiplier, vector, seed))(jnp.arange(draws)) - vector
    std, entries = clip * multiplier, noise.size
    assert abs(float(noise.mean())) < 4 * std / math.sqrt(entries)
    assert abs(float((noise**2).mean()) - std**2) < 4 * std**2 * math.sqrt(2 / entries)
    correlations = np.corrcoef(np.asarray(noise).T)[np.triu_indices(5, 1)]
    assert np.abs(correlations).max() < 5 / math.sqrt(draws)


def sent_from(clip, multiplier, vector, seed):
    return PrivacyNoise(clip, multiplier).encode((), Message(vector, vector), LAYOUT, jax.random.key(seed))[0].vector


def test_equal_messages_change_nothing_however_long_the_vectors():
    """The terms W_ij (m_j - m_i) vanish when neighbours send what the agent itself has sent."""
    here = Neighbourhood(jnp.uint32(0), jnp.array([1, 2], jnp.uint32), jnp.array([0.3, 0.2]))
    stack, vector = Stack((PrivacyNoise(1.0, 2.0),)), 100 * jnp.arange(1.0, 6.0)
    state = stack.initial(5, jnp.float64, LAYOUT, 2)
    key = jax.random.key(3)
    message, state = stack.encode(vector, LAYOUT, state, key, here)
    theirs = jnp.stack([message.vector, message.vector])
    mixed, _ = stack.combine(vector, message.own, theirs, LAYOUT, state, key, here)
    np.testing.assert_array_equal(mixed, vector)
    assert stack.message_bytes(LAYOUT) == 5 * 8


@pytest.mark.parametrize("algorithm", [DIAMOND, SLAM], ids=["trackers", "dual variables"])
@pytest.mark.parametrize("clip", [0.5, 100.0])
def test_clipping_and_noise_change_no_conserved_sum(algorithm, clip):
    history = solved(PrivacyNoise(clip, 0.1 / clip), algorithm, rounds=400, observe_every=100, measure=True).history
    assert history["conserved"].max() < 1e-12
    assert np.isfinite(history["metric"]).all()


STACKS = {
    "alone": ([PrivacyNoise(5.0, 0.01)], 6),
    "coded": ([PrivacyNoise(5, 0.01), CommonCopy(0.5), TopK(3)], 6),
    "lossy": ([PrivacyNoise(5.0, 0.01), EdgeSums(), Delay(1), Loss(0.2, symmetric=False)], 6),
}


@pytest.mark.parametrize("name", STACKS)
def test_debug_and_simulated_agree(name):
    channel, rounds = STACKS[name]
    debug, simulated = (solved(channel, rounds=rounds, engine=one, check=False) for one in (hg.Debug(), None))
    for a, b in ((debug.x, simulated.x), (debug.y, simulated.y)):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)
    assert np.abs(debug.x - solved(None, rounds=rounds).x).max() > 1e-3  # the channel does something


def delta_of(epsilon, multiplier, count):
    """Balle and Wang (2018), theorem 5, for k messages as one with sensitivity 2 clip sqrt(k)."""
    mu = 2 * math.sqrt(count) / multiplier
    return norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu))


@pytest.mark.parametrize(("multiplier", "count"), [(1.0, 1), (40.0, 100), (2.0, 50), (20.0, 10_000), (300.0, 7)])
@pytest.mark.parametrize("delta", [1e-3, 1e-6])
def test_epsilon_is_that_of_the_closed_form(multiplier, count, delta):
    epsilon = PrivacyNoise(3.0, multiplier).epsilon(count, delta)
    assert delta_of(epsilon, multiplier, count) == pytest.approx(delta, rel=1e-8)
    assert hg.channels.noise_multiplier_for(epsilon, delta, count) == pytest.approx(multiplier, rel=1e-8)


def test_epsilon_is_that_of_the_composing_accountant():
    """It replaces a vector by its opposite (sensitivity 2 clip) and composes privacy losses on a grid of 1e-4."""
    replace = dp_accounting.NeighboringRelation.REPLACE_ONE
    accountant = dp_accounting.pld.PLDAccountant(replace).compose(dp_accounting.GaussianDpEvent(40.0), 100)
    assert PrivacyNoise(3.0, 40.0).epsilon(100, 1e-5) == pytest.approx(accountant.get_epsilon(1e-5), abs=1e-6)


def test_the_messages_of_two_adjacent_runs_are_as_hard_to_tell_apart_as_stated():
    """The worst case, opposite vectors of norm clip: delta is the mean of max(0, 1 - exp(epsilon - loss))."""
    clip, multiplier, count, runs, delta = 2.0, 5.0, 6, 20_000, 0.05
    vector = jnp.array([3.0, 0.0, -4.0, 0.0, 0.0])  # it is clipped
    seeds = jnp.arange(runs * count)
    outputs = jax.vmap(lambda seed: sent_from(clip, multiplier, vector, seed))(seeds).reshape(runs, count, 5)
    centre = clip * vector / 5
    losses = (2 * outputs @ centre).sum(axis=1) / (multiplier * clip) ** 2  # log density against that of -vector
    epsilon = PrivacyNoise(clip, multiplier).epsilon(count, delta)
    terms = np.maximum(0, -np.expm1(epsilon - np.asarray(losses)))
    assert abs(terms.mean() - delta) < 4 * terms.std() / math.sqrt(runs)


def test_epsilon_falls_with_noise_and_grows_with_messages():
    values = [PrivacyNoise(1.0, multiplier).epsilon(100, 1e-5) for multiplier in (0.0, 0.5, 5.0, 50.0, 5000.0)]
    assert values[0] == math.inf
    assert (np.diff(values[1:]) < 0).all()
    values = [PrivacyNoise(9.0, 20.0).epsilon(count, 1e-5) for count in (0, 1, 10, 1000, 10**6)]
    assert values[0] == 0
    assert (np.diff(values) > 0).all()


def test_a_history_reports_its_epsilon():
    noise = PrivacyNoise(1.0, 100.0)
    history = solved(noise, observe_every=25).history
    per_round = hg.channels.messages_in_a_round(DIAMOND, PROBLEM)
    assert per_round == 1
    history["epsilon"] = [noise.epsilon(per_round * t, 1e-5) for t in history["round"]]
    assert history["epsilon"].iloc[0] == 0
    assert delta_of(history["epsilon"].iloc[-1], 100.0, 50) == pytest.approx(1e-5, rel=1e-8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: PrivacyNoise(0.0, 1.0), ["PrivacyNoise", "clip", "above 0"]),
        (lambda: PrivacyNoise(math.inf, 1.0), ["PrivacyNoise", "clip", "inf"]),
        (lambda: PrivacyNoise(1.0, -1.0), ["PrivacyNoise", "noise_multiplier", "at least 0"]),
        (lambda: PrivacyNoise(1.0, 1.0).epsilon(-1, 1e-5), ["PrivacyNoise.epsilon", "messages", "-1"]),
        (lambda: PrivacyNoise(1.0, 1.0).epsilon(True, 1e-5), ["PrivacyNoise.epsilon", "messages", "True"]),
        (lambda: PrivacyNoise(1.0, 1.0).epsilon(10, 0), ["PrivacyNoise.epsilon", "delta", "above 0 and below 1"]),
        (lambda: PrivacyNoise(1.0, 1.0).epsilon(10, 1.0), ["PrivacyNoise.epsilon", "delta", "1.0"]),
        (lambda: hg.channels.noise_multiplier_for(0.0, 1e-5, 10), ["noise_multiplier_for", "epsilon", "above 0"]),
        (lambda: hg.channels.noise_multiplier_for(1.0, 2, 10), ["noise_multiplier_for", "delta", "2"]),
        (lambda: hg.channels.noise_multiplier_for(1.0, 1e-5, 0), ["noise_multiplier_for", "messages", "at least 1"]),
    ],
)
def test_arguments_are_refused_in_one_sentence(unchecked, call, words):
    refused(call, words)


def test_a_missing_accountant_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    for call in (
        lambda: PrivacyNoise(1.0, 1.0).epsilon(1, 1e-5),
        lambda: hg.channels.noise_multiplier_for(1.0, 1e-5, 1),
    ):
        with pytest.raises(
            MissingExtra, match=r"^The [^.]+ needs dp_accounting, .*: pip install 'hypergossip\[privacy\]'\.$"
        ):
            call()
    solved(PrivacyNoise(1.0, 1.0), rounds=2)  # a run needs no accountant


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([EdgeSums(), PrivacyNoise(1.0, 1.0)], ["clip the running sums", "put PrivacyNoise(clip=1.0"]),
        ([CommonCopy(), TopK(2), PrivacyNoise(1.0, 1.0)], ["different copies", "as the first stage"]),
        ([Quantize(8), PrivacyNoise(1.0, 1.0)], ["the agent's own vectors", "Quantize(bits=8"]),
        ([PrivacyNoise(1.0, 1.0), PrivacyNoise(1.0, 1.0)], ["several PrivacyNoise"]),
        ([PrivacyNoise(1.0, 1.0), Loss(0.1), EdgeSums()], ["EdgeSums", "follow PrivacyNoise"]),
    ],
)
def test_an_order_that_cannot_work_is_refused(stages, words):
    refused(lambda: solved(stages, rounds=1), words)


def test_a_delay_behind_running_sums_compares_sums_of_the_same_round():
    stages = read_channel([PrivacyNoise(1.0, 1.0), EdgeSums(), Delay(2)]).stages
    assert stages[-1] == Delay(2, own="same")


def test_messages_of_a_loop_need_their_numbers():
    """Without them all messages of the loop would have the same noise."""

    @register
    class Looped(hg.DSGD):
        def step(self, agent, mix, round, state, key):
            numbered = lax.fori_loop(0, 3, lambda k, x: mix(upper=x, call=k), state.x)
            repeated = lax.fori_loop(0, 3, lambda k, x: mix(upper=x), state.x)
            return state._replace(x=numbered + repeated), super().step(agent, mix, round, state, key)[1]

    spaces, start = (PROBLEM.upper, PROBLEM.lower), (PROBLEM.x0, PROBLEM.y0)
    found = messages(Looped(0.05, 0.3, hg.Exact()), spaces, PROBLEM.agent_shapes(), *start)
    assert [(message.times, message.numbered) for message in found[:2]] == [(3, True), (3, False)]
    channel = read_channel(PrivacyNoise(1.0, 1.0))
    check_stateful(channel, found[:1])
    check_stateful(channel, [Sent(5, 0, jnp.dtype("float64"))])
    refused(lambda: check_stateful(channel, found), ["same noise", "mix(..., call=k)"])
