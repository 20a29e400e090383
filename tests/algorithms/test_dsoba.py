"""D-SOBA: its transcription, SPARKLE without a correction, the bias of each step, and the error of FO's differences."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.one_point import NETWORK, ROUNDS, ZEROS, distance, order, rounds_of, same_rounds, world
from laws.problems import AGENTS, Coefficients, P, Q, logistic_problem, quadratic_problem
from laws.running import final
from laws.table import REFERENCE
from laws.test_solutions import root
from laws.transcribed import NETWORKS
from numpy_methods.one_point import dsoba

STEPS = (0.06, 0.12, 0.15)
SO = hg.DSOBA(*STEPS, upper_momentum=0.7)
W = NETWORK.mixing.toarray()


@pytest.mark.parametrize("share", ["both", "upper"])
def test_fed_the_same_noise_it_is_its_transcription(share):
    points = dsoba(world(share), W, *ZEROS, ROUNDS, STEPS, 0.7, lower=share == "both")
    same_rounds(rounds_of(SO, share), points)


def test_it_is_sparkle_without_a_correction():
    one, two = (rounds_of(m, "both") for m in (SO, hg.Sparkle(*STEPS, upper_momentum=0.7, correction="none")))
    for name in "xyz":
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-12)


def test_in_turn_it_has_the_same_fixed_point():
    problem = quadratic_problem("both", noise=0.0)
    turns = (hg.Sparkle(*STEPS, correction="none", in_turn=turn) for turn in (False, True))
    one, two = (final(REFERENCE, method, problem, NETWORK, 2500) for method in turns)
    np.testing.assert_allclose(one.x, two.x, atol=1e-12)


def fixed_point(problem, a, b, c):
    """x (n, p) at which x = W (x - a D_x), y = W (y - b D_y) and z = W (z - c D_z), in closed form."""
    o = Coefficients(problem)

    def moved(x, y, z):
        D_x = o.a * (x - o.e) + np.einsum("nqp,nq->np", o.B, z)
        D_z = np.einsum("nqr,nr->nq", o.H, z) - np.einsum("nqr,nr->nq", o.F, y - o.d)
        return x - W @ (x - a * D_x), y - W @ (y - b * o.h(x, y)), z - W @ (z - c * D_z)

    return root(moved, (AGENTS, P), (AGENTS, Q), (AGENTS, Q))[0]


def test_every_step_leaves_a_bias_of_first_order():
    problem = quadratic_problem("both", noise=0.0)
    exact = solution(problem).x
    state = final(REFERENCE, hg.DSOBA(*STEPS), problem, NETWORK, 2500)
    np.testing.assert_allclose(state.x, fixed_point(problem, *STEPS), atol=1e-10)

    def biases(*scales):
        points = (fixed_point(problem, *(s * scale for scale in scales)) for s in 2.0 ** -np.arange(8, 11))
        return [np.linalg.norm(x.mean(axis=0) - exact) for x in points]

    tiny = 1e-3  # a step whose own bias is too small to matter beside another's
    for scales in ((1.0, 2.0, 2.0), (1.0, tiny, tiny), (tiny, 2.0, tiny), (tiny, tiny, 2.0)):
        found = biases(*scales)
        assert order(found)[-1] == pytest.approx(1.0, abs=0.15)
        assert found[-1] > 1e-4


def test_homogeneous_agents_have_no_bias():
    assert distance(SO, "both", 2500, heterogeneity=0.0) < 1e-10
    assert distance(SO, "both", 2500) > 0.1


def test_on_quadratics_first_order_differences_are_the_products():
    one, two = (rounds_of(replace(SO, difference=e), "both") for e in (None, 0.1))
    for name in "xyz":
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-10)


def test_elsewhere_forward_differences_move_the_fixed_point_in_proportion():
    problem, network, method = logistic_problem("both"), NETWORKS[5], hg.DSOBA(0.3, 0.4, 0.35)
    ends = [final(REFERENCE, replace(method, difference=e), problem, network, 1500).x for e in (None, 0.2, 0.1, 0.05)]
    errors = [float(np.abs(end - ends[0]).max()) for end in ends[1:]]
    assert errors[-1] > 1e-5
    assert order(errors)[-1] == pytest.approx(1.0, abs=0.15)


def test_first_order_costs_two_lower_gradients_and_no_product():
    problem, key = logistic_problem("both"), jax.random.key(0)
    method, alone = replace(SO, difference=0.1), lambda upper, lower: (upper, lower)
    state = method.init(problem.agent(0), problem.x0, problem.y0, key)
    for one, calls in ((method, (1, 2, 0, 0)), (SO, (1, 1, 1, 1))):
        assert one.step(problem.agent(0), alone, 0, state, key)[1][1:] == calls


def test_it_refuses_what_cannot_work():
    known = facts(quadratic_problem("both"), NETWORK)._replace(gradient_difference=0.0)
    assert concerns(SO, known) == []
    with pytest.raises(ValueError, match=r"DSOBA: difference = 0; it must be finite and positive: take a positive one"):
        concerns(replace(SO, difference=0.0), known)
    with pytest.raises(ValueError, match=r"shares only its lower level"):
        concerns(SO, facts(quadratic_problem("lower"), NETWORK))
