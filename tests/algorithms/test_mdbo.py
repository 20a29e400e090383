"""MDBO and VRDBO: their transcriptions, the local surrogate that they solve, and when they are exact."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.problems import AGENTS, NETWORK, NOISE, Coefficients, P, Q, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from laws.transcribed import SEED, ZEROS
from numpy_methods import averaged
from numpy_methods.draws import quadratic_draws
from numpy_methods.penalties import solve_affine
from numpy_methods.quadratic import quadratic_world

ROUNDS, ETA = 200, 0.5
W = NETWORK.mixing.toarray()
NUMBERS = {"upper_step": 0.1, "lower_step": 0.12, "upper_momentum": 0.6, "lower_momentum": 0.8, "eta": ETA}
MDBO, VRDBO = hg.MDBO(**NUMBERS, hypergradient=hg.Exact()), hg.VRDBO(**NUMBERS, hypergradient=hg.Exact())
METHODS = {"MDBO": (MDBO, averaged.mdbo), "VRDBO": (VRDBO, averaged.vrdbo)}
RATES = averaged.Rates((0.1, 0.12), (0.6, 0.8), ETA)

every_method = pytest.mark.parametrize(("algorithm", "transcription"), METHODS.values(), ids=METHODS)


def series(terms):
    return hg.TruncatedNeumann(terms=terms, lipschitz=4.0)


@pytest.mark.parametrize("share", ["both", "upper"])
@pytest.mark.parametrize("terms", [None, 6], ids=["eq. 4", "random depth"])
@every_method
def test_fed_the_same_noise_it_is_its_transcription(algorithm, transcription, terms, share):
    drawn = None if terms is None else (terms, 5.0)
    tried = algorithm if terms is None else replace(algorithm, hypergradient=hg.Neumann(*drawn))
    problem = quadratic_problem(share)
    world = quadratic_world(problem.oracles, quadratic_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE, drawn), drawn)
    matrices = W, W if share == "both" else np.eye(AGENTS)
    x, y = transcription(world, matrices, *ZEROS, ROUNDS, RATES)
    state = trajectory(REFERENCE, tried, problem, NETWORK, range(1, ROUNDS + 1), seed=SEED)
    np.testing.assert_allclose(state.x, x, rtol=0, atol=1e-9)
    np.testing.assert_allclose(state.y, y, rtol=0, atol=1e-9)
    assert np.abs(x[-1]).max() > 0.1


def surrogate(problem):
    """Where the sums of the agents' own hypergradients and of dy g vanish."""
    o, everywhere = Coefficients(problem), lambda v: np.tile(v, (AGENTS, 1))
    sums = lambda *point: [slope(*map(everywhere, point)).sum(axis=0) for slope in (o.G, o.h)]
    return solve_affine(sums, (P,), (Q,))[0]


def ends(algorithm, problem, rounds=2500):
    return final(REFERENCE, algorithm, problem, NETWORK, rounds).x


def of_equal(names):
    """The quadratics with the means of these coefficients for every agent."""
    problem = quadratic_problem("both", noise=0.0)
    o = problem.oracles
    means = {name: jnp.broadcast_to(getattr(o, name).mean(axis=0), getattr(o, name).shape) for name in names}
    return hg.Problem.from_oracles(replace(o, **means), x0=problem.x0, y0=problem.y0, share="both")


@pytest.mark.parametrize("step", [1.0, 0.5])
@every_method
def test_on_heterogeneous_agents_it_ends_at_the_local_surrogate_whatever_the_step(algorithm, transcription, step):
    """With the mean of the paper's series, 200 terms: close to the surrogate's point, and far from the optimum."""
    problem = quadratic_problem("both", noise=0.0)
    x, local = solution(problem).x, surrogate(problem)
    tried = replace(algorithm, upper_step=0.1 * step, lower_step=0.12 * step, hypergradient=series(200))
    found = ends(tried, problem)
    assert np.abs(found - local).max() < 1e-10
    assert np.linalg.norm(found - x, axis=1).min() > 0.2


@every_method
def test_with_equal_second_derivatives_it_is_exact_up_to_its_series(algorithm, transcription):
    problem = of_equal("HB")
    x = solution(problem).x
    assert np.abs(ends(algorithm, problem) - x).max() < 1e-10
    errors = [np.abs(ends(replace(algorithm, hypergradient=series(terms)), problem) - x).max() for terms in (5, 10, 20)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 1e-9


def test_with_equal_hessians_alone_it_is_biased():
    problem = of_equal("H")
    assert np.linalg.norm(ends(MDBO, problem) - solution(problem).x, axis=1).min() > 0.1


@pytest.mark.parametrize("share", ["both", "upper"])
def test_without_noise_vrdbo_is_the_same_whatever_its_momenta(share):
    problem = quadratic_problem(share, noise=0.0)
    plain = replace(VRDBO, upper_momentum=1 / ETA**2, lower_momentum=1 / ETA**2)
    np.testing.assert_allclose(ends(VRDBO, problem, 100), ends(plain, problem, 100), rtol=0, atol=1e-12)


@every_method
def test_without_momenta_and_whole_steps_it_is_gtsgd_where_y_is_personal(algorithm, transcription):
    """Tracking a gradient that is not mixed changes nothing."""
    problem = quadratic_problem("upper")
    whole = replace(algorithm, eta=1.0, upper_momentum=1.0, lower_momentum=1.0)
    one, other = (ends(method, problem, 100) for method in (whole, hg.GTSGD(0.1, 0.12, hg.Exact())))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@every_method
def test_it_warns_of_heterogeneous_second_derivatives_on_a_shared_lower_level(algorithm, transcription):
    """Of different Hessians, and of equal ones with different d2xy g: wherever it is biased."""
    for problem in (quadratic_problem("both"), of_equal("H"), of_equal("B")):
        (text,) = concerns(algorithm, facts(problem, NETWORK))
        begin = f"{type(algorithm).__name__}: the agents share the lower level, and their second derivatives differ, by"
        assert text.startswith(begin)
    for problem in (quadratic_problem("upper"), of_equal("HB"), quadratic_problem("both", curvature_heterogeneity=0.0)):
        assert concerns(algorithm, facts(problem, NETWORK)) == []
    (text,) = concerns(replace(algorithm, lower_step=0.6), facts(of_equal("HB"), NETWORK))
    assert "lower_step = 0.6 is likely to be unstable" in text


@every_method
def test_it_refuses_numbers_outside_their_ranges(algorithm, transcription):
    known = facts(quadratic_problem("upper"), NETWORK)
    for eta in (0.0, 1.5):
        with pytest.raises(ValueError, match=r"eta = .*it must lie in \(0, 1\]"):
            concerns(replace(algorithm, eta=eta), known)
    with pytest.raises(ValueError, match=r"upper_momentum = 5 with eta = 0\.5: the average would forget more"):
        concerns(replace(algorithm, upper_momentum=5.0), known)
    with pytest.raises(ValueError, match=r"lower_momentum is SquaredStep.*give a number or a schedule"):
        concerns(replace(algorithm, lower_momentum=hg.SquaredStep(1.0)), known)


@pytest.mark.parametrize("share", ["both", "upper"])
def test_the_lower_step_is_stable_below_its_bound_and_not_above(share):
    """Of tracking alone: VRDBO without noise, with x held still and equal curvatures."""
    problem = quadratic_problem(share, noise=0.0, curvature_heterogeneity=0.0)
    top = np.linalg.eigvalsh(np.asarray(problem.oracles.H[0]))[-1]
    least = NETWORK.smallest_eigenvalue if share == "both" else 1.0
    bound = (1 + least) * (1 + 1 - ETA * (1 - least)) / 2 / (ETA * top)
    known = facts(problem, NETWORK)
    for factor in (0.98, 1.02):
        tried = replace(VRDBO, upper_step=0.0, lower_step=factor * bound)
        y = [final(REFERENCE, tried, problem, NETWORK, rounds).y for rounds in (3000, 3001)]
        moves = np.abs(y[1] - y[0]).max()
        assert moves < 1e-6 if factor < 1 else moves > 1e3
        assert [text.startswith("VRDBO: lower_step") for text in concerns(tried, known)] == [True] * (factor > 1)
