"""What a channel does to each method in the long run: the laws of docs/channels.md, measured over derived."""

import numpy as np
import pytest
import scipy.linalg

from channels.setting import (
    AGENTS,
    DIAMOND,
    DSGD,
    GTSGD,
    NETWORK,
    OFF,
    RHO,
    SLAM,
    SQUARES,
    STEP,
    P,
    W,
    conserved,
    distance,
    hessian,
    is_law,
    optimum,
    problem,
    run,
    single_level,
    states,
    sums,
)
from hypergossip import channels

TRACKERS = {"DIAMOND": DIAMOND, "GT-SGD": GTSGD}
INTEGRATING = {**TRACKERS, "SLAM": SLAM}
S = 0.01


def last(found):
    """The last of a sequence of states."""
    *_, state = found
    return state


@pytest.mark.parametrize("name", INTEGRATING)
def test_noise_accumulates_in_what_is_conserved(name):
    """Law 1; SLAM's dual variables do not use the message of round 0."""
    rounds, method = 100, INTEGRATING[name]
    scale = RHO**2 * (rounds - 1) if name == "SLAM" else rounds
    state = last(states(method, problem(), channels.Noise(S), rounds, seeds=512))
    is_law(sums(method, state), P * S**2 * SQUARES * scale)


@pytest.mark.parametrize("name", INTEGRATING)
def test_noise_moves_the_agents_further_and_further(name):
    """Law 2."""
    first, more, method, whole = 200, 400, INTEGRATING[name], problem()
    early = run(method, whole, channels.Noise(S), first, seeds=768)
    late = run(method, whole, channels.Noise(S), more, seeds=768, start=early)
    inverse = np.linalg.inv(hessian(whole))
    scale = RHO**2 if name == "SLAM" else 1.0
    law = scale * S**2 * SQUARES * np.trace(inverse @ inverse) * more / AGENTS**2
    is_law(distance(late, whole) - distance(early, whole), law)


def test_dsgd_under_noise_has_a_floor():
    """Law 3, on a single level; the bias of D-SGD, which noise does not change in the mean, is subtracted."""
    whole, rounds = single_level(), 200
    A = np.asarray(whole.oracles.a)  # (agents, p): each agent's diagonal Hessian
    M = np.kron(W, np.eye(P)) - STEP * np.diag(A.ravel())
    noise = S**2 * np.diag(np.repeat((OFF**2).sum(axis=1), P))
    law = np.trace(scipy.linalg.solve_discrete_lyapunov(M, noise)) / AGENTS
    exact = run(DSGD, whole, None, rounds)
    noisy = run(DSGD, whole, channels.Noise(S), rounds, seeds=512)
    is_law(((noisy.x - exact.x) ** 2).sum(axis=-1).mean(axis=-1), law)


def accumulated(method, channel, rounds, seeds, sent):
    """|sum|^2 after the rounds, and sum_t sum_ij W_ij^2 |v_j - v_i|^2 of the vectors v that were sent; one a seed."""
    total, before = 0.0, None
    for round, state in enumerate(states(method, problem(noise=0.1), channel, rounds, seeds)):
        if before is not None:
            v = sent(before)
            apart = ((v[:, None] - v[:, :, None]) ** 2).sum(axis=-1)
            # SLAM's dual variables do not use the message of round 0.
            total = total + (OFF**2 * apart).sum(axis=(1, 2)) * (method is not SLAM or round > 1)
        before = state
    return sums(method, before), total


@pytest.mark.parametrize("name", INTEGRATING)
@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_one_sided_loss_accumulates(name, probability):
    """Law 4; in the mean over the runs the sum stays zero."""
    method, channel = INTEGRATING[name], channels.Loss(probability, symmetric=False)
    sent = (lambda state: state.x) if name == "SLAM" else (lambda state: state.u)
    found, apart = accumulated(method, channel, 40, 1024, sent)
    scale = RHO**2 if name == "SLAM" else 1.0
    is_law(found, scale * probability * (1 - probability) * apart.mean())


def test_gains_with_a_pilot_accumulate_with_their_variance():
    """Law 4, with the variance of the gain in the place of q (1 - q)."""
    found, apart = accumulated(DIAMOND, channels.Fading(0.3, pilot=True), 40, 1024, lambda state: state.u)
    is_law(found, 0.3**2 * apart.mean())


def test_gradient_tracking_wanders_much_faster_than_diamond():
    """With gradient noise eta makes DIAMOND's trackers differ less: (2 - eta) / eta^2 = 190; an order only."""
    walks = [
        distance(run(method, problem(0.1), channels.Loss(0.2, symmetric=False), 2000, seeds=32), problem()).mean()
        for method in (GTSGD, DIAMOND)
    ]
    assert 5 < walks[0] / walks[1] < 1000


def biased_towards_start(delay, whole):
    """argmin sum_i f_i(x) + (rho k / 2) sum_i (1 - W_ii) |x - x_0|^2, where l is quadratic and x_0 = 0."""
    pull = RHO * delay * (1 - np.diag(W)).sum() / AGENTS
    H = hessian(whole)
    return np.linalg.solve(H + pull * np.eye(P), H @ optimum(whole))


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_slam_under_delay_converges_to_a_known_wrong_point(delay):
    """Law 5."""
    whole = problem()
    assert not np.asarray(whole.x0).any()
    found = run(SLAM, whole, channels.Delay(delay), 6000)
    np.testing.assert_allclose(found.x, np.broadcast_to(biased_towards_start(delay, whole), found.x.shape), atol=1e-9)
    assert distance(found, whole) > 1e-3


@pytest.mark.parametrize("name", TRACKERS)
def test_trackers_under_delay_keep_another_sum(name):
    """Law 6, in every round, and the limit is exact."""
    delay, method, whole = 2, TRACKERS[name], problem(noise=0.1)
    trackers = []
    for state in states(method, whole, channels.Delay(delay), 60):
        past = trackers[::-1][:delay]
        term = state.u + (1 - np.diag(W))[:, None] * sum(past, np.zeros_like(state.u))
        tracked = state.u - conserved(method, state)[0]  # p
        np.testing.assert_allclose(term.sum(axis=1), tracked.sum(axis=1), atol=1e-12)
        trackers.append(state.u)
    assert distance(run(method, problem(), channels.Delay(delay), 4000), problem()) < 1e-24


def test_slam_with_the_last_value_is_biased_as_under_the_mean_delay():
    """Law 7."""
    probability, whole = 0.2, problem()
    channel = channels.Loss(probability, symmetric=False, replace="last")
    found = run(SLAM, whole, channel, 2000, seeds=128).x.mean(axis=1)
    law = biased_towards_start(probability / (1 - probability), whole) - optimum(whole)
    measured = (found - optimum(whole)) @ law / (law @ law)  # along the law's bias, one a seed
    is_law(measured, 1.0)


@pytest.mark.parametrize("name", INTEGRATING)
def test_gains_of_mean_below_one_pull_the_agents_to_zero(name):
    """Law 8: whatever the problem."""
    whole = problem()
    found = run(INTEGRATING[name], whole, channels.Fading(0.0, mean=0.9), 6000)
    assert np.abs(found.x).max() < 1e-6
    np.testing.assert_allclose(distance(found, whole), (optimum(whole) ** 2).sum(), rtol=1e-4)


@pytest.mark.parametrize(("rounding", "share"), [("stochastic", 6), ("nearest", 12)])
def test_rounding_to_a_fixed_lattice_accumulates(rounding, share):
    """Law 9: a sender's error is the same for all its neighbours."""
    width, rounds = 0.01, 100
    channel = channels.Quantize(16, rounding=rounding, width=width)
    state = last(states(DIAMOND, problem(noise=0.1), channel, rounds, seeds=512))
    law = P * width**2 / share * ((1 - np.diag(W)) ** 2).sum() * rounds
    is_law(sums(DIAMOND, state), law)


def test_under_edge_sums_noise_is_taken_out_again():
    """The remedy: the sum of the trackers does not depend on the number of rounds, E|sum|^2 = p s^2 sum W_ij^2."""
    channel = [channels.EdgeSums(), channels.Noise(S)]
    for rounds in (20, 60):
        state = last(states(GTSGD, problem(), channel, rounds, seeds=512))
        is_law(sums(GTSGD, state), P * S**2 * SQUARES)


def test_the_network_is_that_of_the_measurements():
    assert NETWORK.agents == 9
    assert len(NETWORK.edges) >= 9
    assert 0.8 < NETWORK.lambda_ < 0.95
