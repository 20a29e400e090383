"""Law 5: without noise every method ends where theory says, and no better."""

from dataclasses import replace

import numpy as np
import pytest

from hypergossip.problems.quadratic import solution
from laws.problems import AGENTS, NETWORK, P, Q, quadratic_problem
from laws.running import final
from laws.table import BOTH, METHODS, REFERENCE, every_method, every_pair

ROUNDS = 2500
SPLIT_XY = AGENTS * P


def root(residual, size):
    """The zero of an affine function."""
    at_zero = residual(np.zeros(size))
    matrix = np.stack([residual(unit) - at_zero for unit in np.eye(size)], axis=1)
    return np.linalg.solve(matrix, -at_zero)


class Coefficients:
    """The agents' gradients once more: h = dy g, and eq. 4 with the agent's own second derivatives, G.

    A series (K, step) takes the place of eq. 4's inverse.
    """

    def __init__(self, problem, series=None):
        o = problem.oracles
        self.H, self.B, self.c, self.F, self.d, self.a, self.e = map(np.asarray, (o.H, o.B, o.c, o.F, o.d, o.a, o.e))
        self.inverse = np.linalg.inv(self.H)
        if series is not None:
            terms, step = series
            factor = np.eye(Q) - step * self.H
            self.inverse = step * sum(np.linalg.matrix_power(factor, k) for k in range(terms))

    def h(self, x, y):
        """(n, p), (n, q) -> (n, q)."""
        return np.einsum("nij,nj->ni", self.H, y) - np.einsum("nij,nj->ni", self.B, x) - self.c

    def G(self, x, y):
        """(n, p), (n, q) -> (n, p)."""
        z = np.einsum("nij,njk,nk->ni", self.inverse, self.F, y - self.d)
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


def optimum(problem, series):
    """The closed form; with a series, where the agents' G(x, y*(x)) with its inverse sum to zero."""
    exact = solution(problem).x
    if series is None:
        return exact
    o, common = Coefficients(problem, series), lambda x: np.tile(x, (AGENTS, 1))
    x = root(lambda x: o.G(common(x), o.y_star(common(x))).sum(axis=0), P)
    assert np.linalg.norm(x - exact) > 0.1  # the series' own bias
    return x


def neighbourhood_point(problem, alpha, series):
    """Where plain gossip stands still: (I - W) x + alpha G(x, y*(x)) = 0."""
    o, L = Coefficients(problem, series), np.eye(AGENTS) - NETWORK.mixing.toarray()

    def residual(z):
        x = z.reshape(AGENTS, P)
        return (L @ x + alpha * o.G(x, o.y_star(x))).ravel()

    return root(residual, AGENTS * P).reshape(AGENTS, P)


HALVED = (0.04, 0.02, 0.01, 0.005)  # the first and third are run, and are where the formula says


def bias_in_proportion(points, optimum):
    """Does the distance from the optimum halve with the step, the better the smaller it is, and so never vanish?"""
    bias = [np.linalg.norm(points[step] - optimum) for step in sorted(points, reverse=True)]
    ratios = np.divide(bias[:-1], bias[1:])
    assert (np.diff(np.abs(ratios - 2)) < 0).all()
    np.testing.assert_allclose(ratios[-1], 2.0, atol=0.15)
    assert bias[-1] > 1e-3


def means(points):
    """The points, (n, p) for every step, averaged over the agents."""
    return {step: x.mean(axis=0) for step, x in points.items()}


def adapted_point(problem, share, alpha, beta, order):
    """Where x and y stand still that adapt by G and h and are combined, each if it is shared, in one of both orders.

    x = W (x - alpha G(x, y)), y = W (y - beta h(x, y)): the combination comes last, and bears on the steps. Or first:
    x = W x - alpha G(x, y), y = W y - beta h(x, y), and any number of such steps of y stands still with one.
    """
    o, split = Coefficients(problem), SPLIT_XY
    W = {shared: NETWORK.mixing.toarray() if shared else np.eye(AGENTS) for shared in (True, False)}
    W_x, W_y = W[share != "lower"], W[share != "upper"]

    def moved(W, v, slope):
        return W @ (v - slope) if order == "adapt then combine" else W @ v - slope

    def residual(z):
        x, y = z[:split].reshape(AGENTS, P), z[split:].reshape(AGENTS, Q)
        moves = x - moved(W_x, x, alpha * o.G(x, y)), y - moved(W_y, y, beta * o.h(x, y))
        return np.concatenate([move.ravel() for move in moves])

    z = root(residual, AGENTS * (P + Q))
    return z[:split].reshape(AGENTS, P), z[split:].reshape(AGENTS, Q)


@every_method(lambda method: method.reaches in ("adapt then combine", "combine and adapt"))
def test_adapting_and_combining_both_levels_has_a_bias_in_proportion_to_the_steps(method):
    problem = quadratic_problem(method.share, noise=0.0)
    point = lambda alpha: np.hstack(adapted_point(problem, method.share, alpha, 2 * alpha, method.reaches))
    points = {alpha: point(alpha) for alpha in (*HALVED, 0.0025, 0.00125)}
    for alpha in HALVED[::2]:
        algorithm = replace(method.algorithm, upper_step=alpha, lower_step=2 * alpha)
        state = final(REFERENCE, algorithm, problem, NETWORK, max(ROUNDS, int(32 / alpha)))
        np.testing.assert_allclose(np.hstack([state.x, state.y]), points[alpha], atol=1e-10)
    if method.share == "upper":
        limit = np.tile(solution(problem).x, (AGENTS, 1)), solution(problem).y
    else:
        limit = surrogate_point(problem, method.share)
    bias_in_proportion(points, np.hstack(limit))


@every_pair(lambda method: method.reaches == "optimum", places=BOTH)
def test_tracking_and_primal_dual_methods_reach_the_optimum_to_round_off(method, engine):
    problem = quadratic_problem(method.share, noise=0.0)
    x = optimum(problem, method.series)
    state = final(engine, method.algorithm, problem, NETWORK, ROUNDS)
    np.testing.assert_allclose(state.x, np.tile(x, (AGENTS, 1)), atol=1e-11)
    np.testing.assert_allclose(state.y, solution(problem).lower_solution(x), atol=1e-11)


@every_method(lambda method: method.reaches == "neighbourhood")
def test_plain_gossip_has_a_bias_in_proportion_to_its_step(method):
    problem = quadratic_problem(method.share, noise=0.0)
    points = {alpha: neighbourhood_point(problem, alpha, method.series) for alpha in HALVED}
    for alpha in HALVED[::2]:
        rounds, algorithm = max(ROUNDS, int(32 / alpha)), replace(method.algorithm, upper_step=alpha / method.gain)
        state = final(REFERENCE, algorithm, problem, NETWORK, rounds)
        np.testing.assert_allclose(state.x, points[alpha], atol=1e-10)
    bias_in_proportion(means(points), optimum(problem, method.series))


@every_method(lambda method: method.reaches == "own metrics")
def test_agents_with_metrics_of_their_own_stand_still_where_the_scaled_hypergradients_cancel(method):
    """(I - W) x + alpha G / (|G| + rho) = 0 at y*(x): sum_i G_i = 0 only where the metrics agree."""
    problem, o = quadratic_problem(method.share, noise=0.0), Coefficients(quadratic_problem(method.share))
    L, exact = np.eye(AGENTS) - NETWORK.mixing.toarray(), solution(problem).x
    for rho, ratio in ((0.5, 1.0), (500.0, 2.0)):  # a large rho makes all metrics alike
        bias = []
        for alpha in (0.005 * (1 + rho), 0.0025 * (1 + rho)):
            algorithm = replace(method.algorithm, upper_step=alpha, lower_step=0.2 * rho, regularization=rho)
            state = final(REFERENCE, algorithm, problem, NETWORK, 2 * ROUNDS)
            np.testing.assert_allclose(state.y, o.y_star(state.x), atol=1e-10)
            G = o.G(state.x, state.y)
            np.testing.assert_allclose(L @ state.x + alpha * G / (np.abs(G) + rho), 0.0, atol=1e-10)
            bias.append(np.linalg.norm(state.x.mean(axis=0) - exact))
        np.testing.assert_allclose(bias[0] / bias[1], ratio, atol=0.15)


def inner_step_points(problem, mu, a):
    """Of F_i(x) = f_i(x, y_0 - a dy g_i(x, y_0)), y_0 = 0: where adapt-then-combine stands still, and the optimum.

    Standing still is x = W (x - mu grad F(x)): the combination comes after the adaptation, and so bears on mu, too.
    """
    o, W, L = Coefficients(problem), NETWORK.mixing.toarray(), np.eye(AGENTS) - NETWORK.mixing.toarray()

    def slopes(x):
        y = a * (np.einsum("nij,nj->ni", o.B, x) + o.c)
        fy = np.einsum("nij,nj->ni", o.F, y - o.d)
        return o.a * (x - o.e) + a * np.einsum("nij,ni->nj", o.B, fy)

    def still(z):
        x = z.reshape(AGENTS, P)
        return (L @ x + mu * W @ slopes(x)).ravel()

    optimum = root(lambda x: slopes(np.tile(x, (AGENTS, 1))).sum(axis=0), P)
    return root(still, AGENTS * P).reshape(AGENTS, P), optimum


@every_method(lambda method: method.reaches == "inner step")
def test_adapt_then_combine_has_a_bias_in_proportion_to_its_step_from_the_one_step_optimum(method):
    problem, a = quadratic_problem(method.share, noise=0.0), method.algorithm.lower_step
    points = {mu: inner_step_points(problem, mu, a)[0] for mu in HALVED}
    for mu in HALVED[::2]:
        state = final(REFERENCE, replace(method.algorithm, upper_step=mu), problem, NETWORK, int(100 / mu))
        np.testing.assert_allclose(state.x, points[mu], atol=1e-10)
    _, optimum = inner_step_points(problem, HALVED[0], a)
    bias_in_proportion(means(points), optimum)
    assert np.linalg.norm(optimum - solution(problem).x) > 0.1  # one lower step is not the lower solution


@every_method(lambda method: method.reaches == "surrogate")
def test_slam_on_a_shared_lower_level_reaches_its_surrogate(method):
    problem = quadratic_problem(method.share, noise=0.0)
    x, y = surrogate_point(problem, method.share)
    state = final(REFERENCE, method.algorithm, problem, NETWORK, ROUNDS)
    np.testing.assert_allclose(state.x, x, atol=1e-11)
    np.testing.assert_allclose(state.y, y, atol=1e-11)


def test_the_surrogate_is_the_optimum_where_second_derivatives_agree():
    problem = quadratic_problem("both", noise=0.0, curvature_heterogeneity=0.0)
    exact = solution(problem)
    state = final(REFERENCE, METHODS["Slam"].algorithm, problem, NETWORK, ROUNDS)
    np.testing.assert_allclose(state.x, np.tile(exact.x, (AGENTS, 1)), atol=1e-11)
    np.testing.assert_allclose(state.y, exact.y, atol=1e-11)


@pytest.mark.parametrize("curvature_heterogeneity", [0.5, 1.0])
def test_the_surrogate_is_not_the_optimum_elsewhere(curvature_heterogeneity):
    problem = quadratic_problem("both", noise=0.0, curvature_heterogeneity=curvature_heterogeneity)
    state = final(REFERENCE, METHODS["Slam"].algorithm, problem, NETWORK, ROUNDS)
    assert np.linalg.norm(state.x[0] - solution(problem).x) > 1e-2
