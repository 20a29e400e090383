"""SPARKLE: every correction is the paper's with its square roots, exact, stable to its bound, and free of drift."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.corrections import largest_step
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.one_point import LAZY, ROUNDS, ZEROS, distance, in_turn_world, rounds_of, same_rounds, world
from laws.problems import AGENTS, quadratic_problem, still_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from numpy_methods.one_point import sparkle

STEPS = (0.03, 0.06, 0.05)
W = LAZY.mixing.toarray()
PURE = [(name,) * 3 for name in ("ED", "EXTRA", "GT", "semi-GT", "ATC-GT")]
MIXED = [("ED", "GT", "ED"), ("GT", "ED", "EXTRA"), ("semi-GT", "ATC-GT", "GT")]


def corrected(names, **more):
    x, y, z = names
    fields = {"correction": y, "upper_correction": x, "adjoint_correction": z}
    return hg.Sparkle(*STEPS, **{"upper_momentum": 0.7, **fields, **more})


@pytest.mark.parametrize("names", [*PURE, *MIXED, ("none",) * 3], ids="/".join)
def test_at_one_point_it_is_the_papers_form_with_square_roots(names):
    points = sparkle(world("both"), W, *ZEROS, ROUNDS, STEPS, 0.7, names)
    same_rounds(rounds_of(corrected(names), "both", LAZY), points)


@pytest.mark.parametrize("names", [PURE[0], PURE[4], MIXED[2]], ids="/".join)
def test_in_turn_it_is_the_papers_form_at_the_newest_points(names):
    points = sparkle(in_turn_world("both"), W, *ZEROS, ROUNDS, STEPS, 0.7, names, in_turn=True)
    same_rounds(rounds_of(corrected(names, in_turn=True), "both", LAZY), points)


@pytest.mark.parametrize("in_turn", [False, True])
@pytest.mark.parametrize("names", [*PURE, *MIXED], ids="/".join)
def test_it_reaches_the_optimum_of_heterogeneous_agents(names, in_turn):
    if not in_turn or names in (PURE[0], PURE[4], MIXED[2]):
        assert distance(corrected(names, in_turn=in_turn), "both", 2500, LAZY) < 1e-10


def test_without_a_correction_it_is_biased_and_with_a_personal_lower_level_it_is_not():
    assert distance(corrected(("none",) * 3), "both", 2500, LAZY) > 0.1
    assert distance(corrected(PURE[0]), "upper", 2500, LAZY) < 1e-10


def test_slam_tracked_is_extra_on_other_weights():
    """gamma = 1 and rho = k / step: SLAM's step on I - W is EXTRA's on I - k (I - W)."""
    step, k = 0.05, 0.6
    other = hg.networks.from_mixing(np.eye(AGENTS) - k * (np.eye(AGENTS) - W))
    one = rounds_of(hg.SlamTracked(step, step, step, gamma=1.0, rho=k / step), "both", LAZY)
    two = rounds_of(hg.Sparkle(step, step, step, correction="EXTRA", in_turn=True), "both", other)
    same(one, two)


def test_slam_tracked_with_a_penalty_that_follows_the_step_is_extra_at_unequal_steps():
    k, steps = 0.6, (0.05, 0.12, 0.08)
    other = hg.networks.from_mixing(np.eye(AGENTS) - k * (np.eye(AGENTS) - W))
    one = rounds_of(hg.SlamTracked(*steps, gamma=1.0, rho=hg.InverseStep(k)), "both", LAZY)
    same(one, rounds_of(hg.Sparkle(*steps, correction="EXTRA", in_turn=True), "both", other))


def same(one, two):
    for name in "xyz":
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-12)
    assert np.abs(one.x).max() > 0.1


def rounds_needed(algorithm, most, every=10):
    """After how many rounds the agents stay within 1e-8 of the optimum; infinity if later than `most`."""
    problem = quadratic_problem("both", noise=0.0)
    points = trajectory(REFERENCE, algorithm, problem, LAZY, range(every, most + 1, every)).x
    far = ~(np.abs(points - solution(problem).x).max(axis=(1, 2)) < 1e-8)
    return np.inf if far[-1] else every * (1 + (np.flatnonzero(far)[-1] + 1 if far.any() else 0))


def test_exact_diffusion_needs_less_than_half_of_the_rounds_of_tracking():
    """Each at the best of a few scales; `python -m studies.corrections` searches a fine grid."""
    assert 0.90 < np.linalg.eigvalsh(W)[-2] < 0.95

    def best(name, scales):
        steps = (np.array([0.05, 0.15, 0.15]) * scale for scale in scales)
        return min(rounds_needed(hg.Sparkle(*map(float, each), correction=name), 1200) for each in steps)

    tracked = best("GT", (0.5, 0.35, 0.25, 0.18))
    assert tracked < 1200
    assert best("ED", (1.0, 1.4)) <= 0.45 * tracked


RING = hg.networks.ring(AGENTS)  # plain Metropolis: l_n = -1/3
DENSE = hg.networks.erdos_renyi(AGENTS, 0.4, seed=2)  # l_n = -.23


@pytest.mark.parametrize("network", [RING, DENSE], ids=["ring", "random"])
@pytest.mark.parametrize("name", ["ED", "EXTRA", "GT", "semi-GT", "ATC-GT"])
def test_the_bound_is_where_one_level_becomes_unstable(name, network):
    """x is held still and z as well, so that y alone moves; equal second derivatives make the bound sharp."""
    problem = quadratic_problem("both", noise=0.0, curvature_heterogeneity=0.0)
    top = float(np.linalg.eigvalsh(np.asarray(problem.oracles.H[0]))[-1])
    bound, known = largest_step(name, network.smallest_eigenvalue) / top, facts(problem, network)
    algorithm = hg.Sparkle(0.0, 0.1, 0.01, correction=name)
    if name == "EXTRA" and network is RING:
        with pytest.raises(ValueError, match=r"Sparkle: the correction EXTRA of upper_step has no stable.*lazy-metrop"):
            concerns(algorithm, known)
        return
    exact = solution(problem).lower_solution(np.asarray(problem.x0))
    for factor in (0.98, 1.02):
        tried = replace(algorithm, lower_step=factor * bound, adjoint_step=0.0)
        error = np.abs(final(REFERENCE, tried, problem, network, 4000).y - exact).max()
        assert error < 1e-6 if factor < 1 else not error < 1e3
        texts = concerns(replace(algorithm, lower_step=factor * bound), known)
        assert ["lower_step" in text and f"correction {name}" in text for text in texts] == [True] * (factor > 1)


def test_what_has_no_stable_step_is_refused():
    star = hg.networks.from_mixing([[0.2, 0.8], [0.8, 0.2]])  # l_n = -.6
    known = facts(hg.problems.quadratic(2, 3, 4, share="both", heterogeneity=0.0), star)
    with pytest.raises(ValueError, match=r"correction ED of upper_step has no stable step .* -0\.6\. Take lazy"):
        concerns(hg.Sparkle(*STEPS), known)
    assert concerns(hg.Sparkle(*STEPS, correction="none"), known) == []
    with pytest.raises(ValueError, match=r"Sparkle: there is no correction 'GT2'; give one of ED, EXTRA"):
        hg.Sparkle(*STEPS, adjoint_correction="GT2")
    with pytest.raises(ValueError, match=r"shares only its lower level"):
        concerns(hg.Sparkle(*STEPS), facts(quadratic_problem("lower"), LAZY))


def test_on_weights_that_change_tracking_is_exact_and_exact_diffusion_is_warned_of():
    """Matchings drawn in every round: none of their weights has a negative eigenvalue, and exact diffusion diverges."""
    network = hg.networks.over_time.random_matchings(hg.networks.ring(AGENTS))
    known, tracked = facts(quadratic_problem("both"), network), hg.Sparkle(0.04, 0.05, 0.05, correction="GT")
    assert concerns(tracked, known) == []
    assert distance(tracked, "both", 2500, network) < 1e-10
    (text,) = concerns(hg.Sparkle(0.04, 0.05, 0.05), known)
    assert "Sparkle: the correction ED is stable for weights that stay the same" in text
    assert not distance(hg.Sparkle(0.04, 0.05, 0.05), "both", 2500, network) < 1e3


def test_exact_diffusion_contracts_by_the_root_of_the_second_eigenvalue():
    problem, start = still_problem("both"), np.random.default_rng(6).standard_normal((AGENTS, 5))
    x = start - start.mean(axis=0)
    states = trajectory(REFERENCE, hg.Sparkle(*STEPS), problem, LAZY, (100, 300), x=x, y=x)
    before, after = np.linalg.norm(states.x[..., 2:], axis=(1, 2))
    assert (after / before) ** (1 / 200) == pytest.approx(np.sqrt(LAZY.lambda_), rel=5e-3)


@pytest.mark.parametrize("name", ["ED", "EXTRA", "GT"])
def test_float32_does_not_drift(name):
    """Rounded weights need not sum to one; `python -m studies.precision` runs 60,000 rounds."""
    with jax.enable_x64(False):
        problem = hg.problems.quadratic(AGENTS, 3, 4, seed=0, noise=0.0, share="both")
        algorithm = hg.Sparkle(0.05, 0.1, 0.1, correction=name)
        network = hg.networks.ring(AGENTS, weights="lazy-metropolis")
        x = trajectory(REFERENCE, algorithm, problem, network, (4000, 8000)).x
    assert x.dtype == np.float32
    errors = np.abs(x - solution(problem).x).max(axis=(1, 2))
    assert errors.max() < 1e-5
