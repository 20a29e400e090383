"""Laws 6 and 9, with the gradients off: how fast agents agree on what they share, and that nothing else is heard."""

import jax
import numpy as np
import pytest

import hypergossip as hg
from laws.problems import AGENTS, PRIVATE, still_problem
from laws.running import final, mixes, trajectory
from laws.table import BOTH, KINDS, METHODS, every_pair, rounds_for

ROUNDS = 60


def starts(problem):
    random = np.random.default_rng(6)
    x = random.standard_normal((AGENTS, problem.upper.size))
    y = random.standard_normal((AGENTS, problem.lower.size))
    return x - x.mean(axis=0), y - y.mean(axis=0)


def disagreement(points):
    """(rounds, agents, entries) -> shared entries less their mean."""
    shared = points[..., PRIVATE:]
    return shared - shared.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("weights", ["metropolis", "laplacian"])
@every_pair(lambda method: method.contracts == "lambda", places=BOTH)
def test_gossip_contracts_at_lambda(method, weights, engine):
    problem, network = still_problem(method.share), hg.networks.ring(AGENTS, weights=weights)
    x, y = starts(problem)
    state = trajectory(engine, method.algorithm, problem, network, range(1, ROUNDS + 1), x=x, y=y)
    for level, points, personal in (("upper", state.x, "lower"), ("lower", state.y, "upper")):
        if method.share == personal:
            continue
        factor = network.lambda_ ** (mixes(method.algorithm, problem, level) - method.trackers_apart)
        size = np.linalg.norm(disagreement(points), axis=(1, 2))
        np.testing.assert_allclose(size[-1] / size[-2], factor, rtol=1e-4)
        assert (size[1:] <= size[:-1] * factor * (1 + 1e-9)).all()
    # A second route to lambda, by NumPy.
    np.testing.assert_allclose(network.lambda_, np.sort(np.abs(np.linalg.eigvalsh(network.mixing.toarray())))[-2])


def slam_radius(L, step, gamma, rho):
    """The spectral radius of (v, d) -> one SLAM round without gradients, away from consensus."""
    n = len(L)
    dual = np.block([[np.eye(n), np.zeros((n, n))], [rho / gamma * L, np.eye(n)]])  # d+ = d + (rho / gamma) L v
    primal = np.block([[np.eye(n) - step * rho * gamma * L, -step * gamma * np.eye(n)], [np.zeros((n, n)), np.eye(n)]])
    off_mean = np.kron(np.eye(2), np.eye(n) - 1 / n)
    return np.abs(np.linalg.eigvals(off_mean @ primal @ dual @ off_mean)).max()


def fitted_radius(points):
    """The larger root of the two-term recursion that a late stretch of a trajectory follows, (rounds, ...)."""
    a, b, c = (points[-20 + k : len(points) - 2 + k].ravel() for k in range(3))
    scale = np.repeat(np.linalg.norm(points[-20:-2].reshape(18, -1), axis=1), points[0].size)
    trace, minus_determinant = np.linalg.lstsq(np.stack([b, a], axis=1) / scale[:, None], c / scale, rcond=None)[0]
    return np.abs(np.roots([1.0, -trace, -minus_determinant])).max()


@pytest.mark.parametrize("weights", ["metropolis", "laplacian"])
@every_pair(lambda method: method.contracts == "primal-dual", places=BOTH)
def test_slam_contracts_at_the_radius_of_its_own_recursion(method, weights, engine):
    problem, network = still_problem(method.share), hg.networks.ring(AGENTS, weights=weights)
    x, y = starts(problem)
    slam = method.algorithm
    # Long enough for the slowest mode to be left alone; the last rounds one by one.
    state = trajectory(engine, slam, problem, network, (1, *range(1180, 1201)), x=x, y=y)
    L = np.eye(AGENTS) - network.mixing.toarray()
    for points, step, shared in (
        (state.x, slam.upper_step, method.share != "lower"),
        (state.y, slam.lower_step, method.share != "upper"),
    ):
        if shared:
            radius = slam_radius(L, step, slam.gamma, slam.rho)
            np.testing.assert_allclose(fitted_radius(disagreement(points)), radius, rtol=1e-5)
        else:
            np.testing.assert_array_equal(points, np.broadcast_to(points[0], points.shape))


@every_pair(lambda method: any(method is METHODS[name] for name in KINDS))
def test_agents_that_agree_stay_as_they_are(method, engine):
    """To the last bit, in every precision: W's rows, rounded, need not sum to one."""
    problem, network = still_problem(method.share), hg.networks.ring(AGENTS, weights="laplacian")
    random = np.random.default_rng(8)
    x, y = (np.broadcast_to(random.standard_normal(s.size), (AGENTS, s.size)) for s in (problem.upper, problem.lower))
    state = final(engine, method.algorithm, problem, network, rounds_for(engine, ROUNDS), x=x, y=y)
    np.testing.assert_array_equal(state.x, x.astype(state.x.dtype))
    np.testing.assert_array_equal(state.y, y.astype(state.y.dtype))


@every_pair(places=BOTH)
def test_nothing_private_leaves_an_agent_or_is_averaged(method, engine):
    """Agent 0's private entries are NaN: anything that touched them would be NaN too, even with weight zero."""
    problem, network = still_problem(method.share), hg.networks.ring(AGENTS)
    x, y = starts(problem)
    poisoned_x, poisoned_y = x.copy(), y.copy()
    poisoned_x[0, :PRIVATE] = poisoned_y[0, :PRIVATE] = np.nan
    if method.share == "upper":
        poisoned_y[0] = np.nan  # the whole level is private
    if method.share == "lower":
        poisoned_x[0] = np.nan
    one = final(engine, method.algorithm, problem, network, ROUNDS, x=x, y=y)
    two = final(engine, method.algorithm, problem, network, ROUNDS, x=poisoned_x, y=poisoned_y)
    np.testing.assert_array_equal(one.x[:, :PRIVATE], x[:, :PRIVATE])
    np.testing.assert_array_equal(one.y[:, :PRIVATE], y[:, :PRIVATE])
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1:], b[1:]), one, two)
    assert np.isnan(two.x[0, :PRIVATE]).all()
    if method.share != "lower":
        np.testing.assert_array_equal(one.x[0, PRIVATE:], two.x[0, PRIVATE:])
    if method.share != "upper":
        np.testing.assert_array_equal(one.y[0, PRIVATE:], two.y[0, PRIVATE:])
