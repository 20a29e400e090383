"""Law 5: without noise every method ends where theory says, and no better."""

from dataclasses import replace

import numpy as np
import pytest

from hypergossip.problems.quadratic import solution
from laws.problems import AGENTS, NETWORK, P, Q, quadratic_problem
from laws.running import final
from laws.table import METHODS, REFERENCE, both_engines, every_method

ROUNDS = 2500
SPLIT_XY = AGENTS * P


def root(residual, size):
    """The zero of an affine function."""
    at_zero = residual(np.zeros(size))
    matrix = np.stack([residual(unit) - at_zero for unit in np.eye(size)], axis=1)
    return np.linalg.solve(matrix, -at_zero)


class Coefficients:
    """The agents' gradients once more: h = dy g, and eq. 4 with the agent's own second derivatives, G."""

    def __init__(self, problem):
        o = problem.oracles
        self.H, self.B, self.c, self.F, self.d, self.a, self.e = map(np.asarray, (o.H, o.B, o.c, o.F, o.d, o.a, o.e))

    def h(self, x, y):
        """(n, p), (n, q) -> (n, q)."""
        return np.einsum("nij,nj->ni", self.H, y) - np.einsum("nij,nj->ni", self.B, x) - self.c

    def G(self, x, y):
        """(n, p), (n, q) -> (n, p)."""
        z = np.linalg.solve(self.H, np.einsum("nij,nj->ni", self.F, y - self.d)[..., None])[..., 0]
        return self.a * (x - self.e) + np.einsum("nij,ni->nj", self.B, z)

    def y_star(self, x):
        """(n, p) -> (n, q), each agent's own."""
        return np.linalg.solve(self.H, (np.einsum("nij,nj->ni", self.B, x) + self.c)[..., None])[..., 0]


def surrogate_point(problem, share):
    """Where SLAM stands still on a shared lower level: the agents' G and h sum to zero, or each G is zero by itself."""
    o = Coefficients(problem)
    repeat = lambda v: np.tile(v, (AGENTS, 1))

    def common(z):
        x, y = repeat(z[:P]), repeat(z[P:])
        return np.concatenate([o.G(x, y).sum(axis=0), o.h(x, y).sum(axis=0)])

    def personal(z):
        x, y = z[:SPLIT_XY].reshape(AGENTS, P), repeat(z[SPLIT_XY:])
        return np.concatenate([o.G(x, y).ravel(), o.h(x, y).sum(axis=0)])

    if share == "both":
        z = root(common, P + Q)
        return repeat(z[:P]), repeat(z[P:])
    z = root(personal, SPLIT_XY + Q)
    return z[:SPLIT_XY].reshape(AGENTS, P), repeat(z[SPLIT_XY:])


def neighbourhood_point(problem, alpha):
    """Where plain gossip stands still: (I - W) x + alpha G(x, y*(x)) = 0."""
    o, L = Coefficients(problem), np.eye(AGENTS) - NETWORK.mixing.toarray()

    def residual(z):
        x = z.reshape(AGENTS, P)
        return (L @ x + alpha * o.G(x, o.y_star(x))).ravel()

    return root(residual, AGENTS * P).reshape(AGENTS, P)


@both_engines
@every_method(lambda method: method.reaches == "optimum")
def test_tracking_and_primal_dual_methods_reach_the_optimum_to_round_off(method, engine):
    problem = quadratic_problem(method.share, noise=0.0)
    exact = solution(problem)
    state = final(engine, method.algorithm, problem, NETWORK, ROUNDS)
    np.testing.assert_allclose(state.x, np.tile(exact.x, (AGENTS, 1)), atol=1e-11)
    np.testing.assert_allclose(state.y, exact.y, atol=1e-11)


@every_method(lambda method: method.reaches == "neighbourhood")
def test_plain_gossip_has_a_bias_in_proportion_to_its_step(method):
    problem = quadratic_problem(method.share, noise=0.0)
    exact, bias = solution(problem).x, []
    for alpha in (0.04, 0.02, 0.01, 0.005):
        state = final(REFERENCE, replace(method.algorithm, upper_step=alpha), problem, NETWORK, int(100 / alpha))
        np.testing.assert_allclose(state.x, neighbourhood_point(problem, alpha), atol=1e-10)
        bias.append(np.linalg.norm(state.x.mean(axis=0) - exact))
    ratios = np.divide(bias[:-1], bias[1:])  # towards 2 as the step goes to 0, and so never to the optimum itself
    assert (np.diff(np.abs(ratios - 2)) < 0).all()
    np.testing.assert_allclose(ratios[-1], 2.0, atol=0.15)
    assert bias[-1] > 1e-3


@every_method(lambda method: method.reaches == "surrogate")
def test_slam_on_a_shared_lower_level_reaches_its_surrogate(method):
    problem = quadratic_problem(method.share, noise=0.0)
    x, y = surrogate_point(problem, method.share)
    state = final(REFERENCE, method.algorithm, problem, NETWORK, ROUNDS)
    np.testing.assert_allclose(state.x, x, atol=1e-11)
    np.testing.assert_allclose(state.y, y, atol=1e-11)


def test_the_surrogate_is_the_optimum_where_second_derivatives_agree():
    problem = quadratic_problem("both", noise=0.0, unlike_curvature=0.0)
    exact = solution(problem)
    state = final(REFERENCE, METHODS["Slam"].algorithm, problem, NETWORK, ROUNDS)
    np.testing.assert_allclose(state.x, np.tile(exact.x, (AGENTS, 1)), atol=1e-11)
    np.testing.assert_allclose(state.y, exact.y, atol=1e-11)


@pytest.mark.parametrize("unlike_curvature", [0.5, 1.0])
def test_the_surrogate_is_not_the_optimum_elsewhere(unlike_curvature):
    problem = quadratic_problem("both", noise=0.0, unlike_curvature=unlike_curvature)
    state = final(REFERENCE, METHODS["Slam"].algorithm, problem, NETWORK, ROUNDS)
    assert np.linalg.norm(state.x[0] - solution(problem).x) > 1e-2
