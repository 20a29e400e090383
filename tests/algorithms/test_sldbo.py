"""SLDBO and S3LDBO: their transcription, SPARKLE with tracking, the ball of z, and the rounds without derivatives."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.one_point import LAZY, ROUNDS, ZEROS, distance, rounds_of, same_rounds, world
from laws.problems import quadratic_problem
from laws.running import final
from laws.table import REFERENCE
from numpy_methods.one_point import sldbo

STEPS = (0.04, 0.08, 0.08)
PLAIN = hg.SLDBO(*STEPS)
W = LAZY.mixing.toarray()
ALWAYS = lambda t: True


def adjoint(problem):
    """z* of the network, from the averaged second derivatives."""
    o, best = problem.oracles, solution(problem)
    fy = np.einsum("nqr,nr->nq", o.F, best.y - np.asarray(o.d)).mean(axis=0)
    return np.linalg.solve(np.asarray(o.H).mean(axis=0), fy)


def test_fed_the_same_noise_it_is_its_transcription():
    same_rounds(rounds_of(PLAIN, "both", LAZY), sldbo(world("both"), W, *ZEROS, ROUNDS, STEPS, np.inf, ALWAYS))


def test_in_a_ball_that_sometimes_binds_it_is_its_transcription():
    radius = float(np.linalg.norm(adjoint(quadratic_problem("both"))))
    states = rounds_of(replace(PLAIN, radius=radius), "both", LAZY)
    same_rounds(states, sldbo(world("both"), W, *ZEROS, ROUNDS, STEPS, radius, ALWAYS))
    assert 0.1 < np.isclose(np.linalg.norm(states.z, axis=-1), radius, rtol=1e-12).mean() < 0.9


def test_without_a_ball_it_is_sparkle_with_tracking():
    one = rounds_of(PLAIN, "both", LAZY)
    for other in (hg.Sparkle(*STEPS, correction="GT"), replace(PLAIN, radius=1e9)):
        two = rounds_of(other, "both", LAZY)
        for name in "xyz":
            np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-12)


def test_it_reaches_the_optimum_unless_the_ball_binds():
    size = float(np.linalg.norm(adjoint(quadratic_problem("both", noise=0.0))))
    assert distance(PLAIN, "both", 2500, LAZY) < 1e-10
    assert distance(replace(PLAIN, radius=2 * size), "both", 2500, LAZY) < 1e-10
    assert distance(replace(PLAIN, radius=size / 2), "both", 2500, LAZY) > 1e-2
    state = final(REFERENCE, replace(PLAIN, radius=size / 2), quadratic_problem("both", noise=0.0), LAZY, 2500)
    np.testing.assert_allclose(np.linalg.norm(state.z, axis=-1), size / 2, rtol=1e-6)  # by this one sees that it binds


SNAPSHOT = hg.S3LDBO(*STEPS, share=0.4, coin_seed=3)


def coin(t):
    return t == 0 or bool(jax.random.bernoulli(jax.random.fold_in(jax.random.key(3), t), 0.4))


def test_with_a_coin_it_is_its_transcription():
    flips = [coin(t) for t in range(ROUNDS)]
    assert 0.3 < np.mean(flips) < 0.5
    points = sldbo(world("both"), W, *ZEROS, ROUNDS, STEPS, np.inf, lambda t: flips[t])
    same_rounds(rounds_of(SNAPSHOT, "both", LAZY), points)
    always = rounds_of(replace(SNAPSHOT, share=1.0), "both", LAZY)
    same_rounds(always, sldbo(world("both"), W, *ZEROS, ROUNDS, STEPS, np.inf, ALWAYS))


def test_a_share_of_the_derivatives_reaches_the_optimum():
    """With smaller steps; and a round in which the coin fails costs nothing."""
    assert distance(replace(SNAPSHOT, upper_step=0.02, lower_step=0.04, adjoint_step=0.04), "both", 4000, LAZY) < 1e-10
    problem = quadratic_problem("both", noise=0.0)
    result = hg.solve(SNAPSHOT, problem, LAZY, rounds=ROUNDS, progress=False, measure=False)
    spent = result.history.iloc[-1]
    renewed = sum(map(coin, range(ROUNDS)))
    for name in ("upper_gradients", "lower_gradients", "hessian_products", "jacobian_products"):
        assert spent[name] == renewed
    assert spent["samples"] == 2 * renewed


def test_it_refuses_what_cannot_work():
    known = facts(quadratic_problem("both"), LAZY)
    assert concerns(PLAIN, known) == []
    (text,) = concerns(replace(PLAIN, lower_step=0.3), known)
    assert "SLDBO: lower_step = 0.3 is likely to be unstable: with the correction GT" in text
    with pytest.raises(ValueError, match=r"SLDBO: radius = 0; it must be finite and positive: take one above"):
        concerns(replace(PLAIN, radius=0.0), known)
    with pytest.raises(ValueError, match=r"S3LDBO: share = 0; it must lie in \(0, 1\]: it is the share of rounds"):
        concerns(replace(SNAPSHOT, share=0.0), known)
    with pytest.raises(ValueError, match=r"shares only its lower level"):
        concerns(PLAIN, facts(quadratic_problem("lower"), LAZY))
