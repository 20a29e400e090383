"""check_hypergradient passes what is right and finds what is wrong, by how much it is wrong."""

from typing import Any

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Hypergradient, register
from laws.problems import Coefficients
from small_problems import dense, logistic


def test_the_truth_is_the_closed_form():
    problem = hg.problems.quadratic(4, 3, 2, seed=1, curvature_heterogeneity=0.0, share="both", noise=0.3)
    x = np.array([0.5, -1.0, 2.0])
    found = hg.check_hypergradient(problem, hg.Exact(), x=x, draws=2)
    expected = hg.problems.solution(problem).hypergradient(x)
    np.testing.assert_allclose(found.truth, expected, rtol=1e-7)
    np.testing.assert_allclose(found.estimate, expected, rtol=1e-10)  # equal curvatures: the surrogate is exact
    assert found.relative_error < 1e-7
    assert found.lower_residual < 1e-9
    assert found.standard_error < 1e-12


def test_a_surrogates_bias_on_a_shared_lower_level_is_reported():
    """With local second derivatives: the mean of the agents' own estimates, against the averaged truth."""
    problem = hg.problems.quadratic(4, 3, 2, seed=1, share="both")
    solution, x = hg.problems.solution(problem), np.array([0.5, -1.0, 2.0])
    surrogate = Coefficients(problem).G(x, solution.lower_solution(x)).mean(0)
    truth = solution.hypergradient(x)
    found = hg.check_hypergradient(problem, hg.Exact(), x=x, draws=1)
    expected = np.linalg.norm(surrogate - truth) / np.linalg.norm(truth)
    assert expected > 0.03
    assert found.relative_error == pytest.approx(expected, rel=1e-6)


@register
class Wrong(Hypergradient):
    """Exact with the implicit term's sign turned: the commonest silent defect."""

    scale: Any

    def __call__(self, agent, x, y, key):
        fx, _ = agent.upper_gradients(x, y, key)
        exact, cost = hg.Exact()(agent, x, y, key)
        return fx + self.scale * (exact - fx), cost


def test_a_wrong_estimator_is_found():
    problem = hg.problems.quadratic(2, 3, 2, seed=1)
    assert hg.check_hypergradient(problem, Wrong(-1.0), draws=1).relative_error > 0.1
    assert hg.check_hypergradient(problem, Wrong(0.99), draws=1).relative_error > 1e-3


def test_random_depths_are_averaged_and_their_spread_is_stated():
    """The spread of eq. 5 over its uniform depth is known: the standard error is that over the root of the draws."""
    problem, terms, x = hg.problems.quadratic(1, 3, 2, seed=1), 40, np.array([0.5, -1.0, 2.0])
    found = hg.check_hypergradient(problem, hg.Neumann(terms, 4.0), x=x, draws=1000)
    y = hg.problems.solution(problem).lower_solution(x)[0]
    fx, fy, H, J = dense(problem.agent(0), x, y)
    factor = np.eye(2) - H / 4.0
    depths = [fx - terms / 4.0 * J @ np.linalg.matrix_power(factor, k) @ fy for k in range(terms)]
    expected = np.linalg.norm(np.std(depths, axis=0)) / np.sqrt(1000) / np.linalg.norm(found.truth)
    assert found.standard_error == pytest.approx(expected, rel=0.15)
    assert found.relative_error < 4 * found.standard_error


def test_many_dimensions_are_tried_along_random_directions():
    problem = hg.problems.quadratic(2, 20, 2, seed=1)
    found = hg.check_hypergradient(problem, hg.Exact(), directions=5, draws=1)
    assert found.truth.shape == found.estimate.shape == (5,)
    assert found.relative_error < 1e-7


def test_a_float32_problem_is_checked_in_float64_and_x_may_be_the_users_pytree():
    with jax.enable_x64(False):
        found = hg.check_hypergradient(
            logistic((4, 7)), hg.Exact(), x={"decay": np.full(3, 0.2), "tilt": np.ones(1)}, draws=1
        )
    assert found.relative_error < 1e-6
    assert found.truth.shape == (4,)


def test_a_private_x_has_no_single_l():
    with pytest.raises(ValueError, match="wholly shared"):
        hg.check_hypergradient(hg.problems.quadratic(2, 3, 2, share="lower"), hg.Exact())
