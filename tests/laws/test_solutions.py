"""Law 5: without noise every method ends where theory says, and no better."""

from dataclasses import replace

import numpy as np
import pytest

from hypergossip.problems.quadratic import solution
from laws.problems import AGENTS, NETWORK, Coefficients, P, Q, quadratic_problem
from laws.running import final
from laws.table import BOTH, METHODS, REFERENCE, every_method, every_pair

ROUNDS = 2500
W = NETWORK.mixing.toarray()


def root(residual, *shapes):
    """The arrays of these shapes at which an affine function of them is zero."""
    cuts = np.cumsum([np.prod(shape) for shape in shapes])
    parts = lambda z: [v.reshape(shape) for v, shape in zip(np.split(z, cuts[:-1]), shapes, strict=True)]
    flat = lambda z: np.concatenate([np.ravel(v) for v in residual(*parts(z))])
    at_zero = flat(np.zeros(cuts[-1]))
    matrix = np.stack([flat(unit) - at_zero for unit in np.eye(cuts[-1])], axis=1)
    return tuple(parts(np.linalg.solve(matrix, -at_zero)))


def everywhere(v):
    """(entries,) -> (agents, entries)."""
    return np.tile(v, (AGENTS, 1))


def surrogate_point(problem, share):
    """Where SLAM stands still on a shared lower level: the agents' G and h sum to zero, or each G is zero by itself."""
    o = Coefficients(problem)
    if share == "both":
        sums = lambda *point: [slope(*map(everywhere, point)).sum(axis=0) for slope in (o.G, o.h)]
        return tuple(map(everywhere, root(sums, (P,), (Q,))))
    x, y = root(lambda x, y: (o.G(x, everywhere(y)), o.h(x, everywhere(y)).sum(axis=0)), (AGENTS, P), (Q,))
    return x, everywhere(y)


def optimum(problem, series):
    """The closed form; with a series, where the agents' G(x, y*(x)) with its inverse sum to zero."""
    exact = solution(problem).x
    if series is None:
        return exact
    o = Coefficients(problem, series)
    (x,) = root(lambda x: [o.G(everywhere(x), o.y_star(everywhere(x))).sum(axis=0)], (P,))
    assert np.linalg.norm(x - exact) > 0.1  # the series' own bias
    return x


def neighbourhood_point(problem, alpha, series):
    """Where plain gossip stands still: (I - W) x + alpha G(x, y*(x)) = 0."""
    o = Coefficients(problem, series)
    return root(lambda x: [x - W @ x + alpha * o.G(x, o.y_star(x))], (AGENTS, P))[0]


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
    o = Coefficients(problem)
    W_x, W_y = (W if share in (level, "both") else np.eye(AGENTS) for level in ("upper", "lower"))

    def moved(W, v, slope):
        return W @ (v - slope) if order == "adapt then combine" else W @ v - slope

    moves = lambda x, y: (x - moved(W_x, x, alpha * o.G(x, y)), y - moved(W_y, y, beta * o.h(x, y)))
    return root(moves, (AGENTS, P), (AGENTS, Q))


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
        limit = everywhere(solution(problem).x), solution(problem).y
    else:
        limit = surrogate_point(problem, method.share)
    bias_in_proportion(points, np.hstack(limit))


@every_pair(lambda method: method.reaches == "optimum", places=BOTH)
def test_tracking_and_primal_dual_methods_reach_the_optimum_to_round_off(method, engine):
    problem = quadratic_problem(method.share, noise=0.0)
    x = optimum(problem, method.series)
    state = final(engine, method.algorithm, problem, NETWORK, ROUNDS)
    np.testing.assert_allclose(state.x, everywhere(x), atol=1e-11)
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
    exact = solution(problem).x
    for rho, ratio in ((0.5, 1.0), (500.0, 2.0)):  # a large rho makes all metrics alike
        bias = []
        for alpha in (0.005 * (1 + rho), 0.0025 * (1 + rho)):
            algorithm = replace(method.algorithm, upper_step=alpha, lower_step=0.2 * rho, regularization=rho)
            state = final(REFERENCE, algorithm, problem, NETWORK, 2 * ROUNDS)
            np.testing.assert_allclose(state.y, o.y_star(state.x), atol=1e-10)
            G = o.G(state.x, state.y)
            np.testing.assert_allclose(state.x - W @ state.x + alpha * G / (np.abs(G) + rho), 0.0, atol=1e-10)
            bias.append(np.linalg.norm(state.x.mean(axis=0) - exact))
        np.testing.assert_allclose(bias[0] / bias[1], ratio, atol=0.15)


def inner_step_points(problem, mu, a):
    """Of F_i(x) = f_i(x, y_0 - a dy g_i(x, y_0)), y_0 = 0: where adapt-then-combine stands still, and the optimum.

    Standing still is x = W (x - mu grad F(x)): the combination comes after the adaptation, and so bears on mu, too.
    """
    o = Coefficients(problem)

    def slopes(x):
        y = a * (np.einsum("nij,nj->ni", o.B, x) + o.c)
        fy = np.einsum("nij,nj->ni", o.F, y - o.d)
        return o.a * (x - o.e) + a * np.einsum("nij,ni->nj", o.B, fy)

    (optimum,) = root(lambda x: [slopes(everywhere(x)).sum(axis=0)], (P,))
    return root(lambda x: [x - W @ (x - mu * slopes(x))], (AGENTS, P))[0], optimum


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
    np.testing.assert_allclose(state.x, everywhere(exact.x), atol=1e-11)
    np.testing.assert_allclose(state.y, exact.y, atol=1e-11)


@pytest.mark.parametrize("curvature_heterogeneity", [0.5, 1.0])
def test_the_surrogate_is_not_the_optimum_elsewhere(curvature_heterogeneity):
    problem = quadratic_problem("both", noise=0.0, curvature_heterogeneity=curvature_heterogeneity)
    state = final(REFERENCE, METHODS["Slam"].algorithm, problem, NETWORK, ROUNDS)
    assert np.linalg.norm(state.x[0] - solution(problem).x) > 1e-2
