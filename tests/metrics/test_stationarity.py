"""Every figure of a row against formulas in NumPy: personal, shared and partly shared levels, in either precision."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.collective import RUNS_AT_ONCE, side_by_side
from hypergossip.metrics import evaluate, lower_solution
from hypergossip.metrics.linear_systems import in_double_precision
from hypergossip.metrics.lower_solution import newton
from hypergossip.problems.quadratic import QuadraticOracles
from laws.problems import Coefficients
from small_problems import logistic, logistic_by_hand, rows

AGENTS, P, LOWER = 4, 3, 2


def measure(problem, x, y):
    """The metrics of one run at x (agents, p) and y (agents, q), as floats."""
    found = evaluate(problem.oracles, problem.upper, problem.lower, jnp.asarray(x)[None], jnp.asarray(y)[None])
    numbers = {name: float(value[0]) for name, value in found._asdict().items()}
    assert numbers.pop("relative_residual") <= 1e-9
    return numbers


def somewhere(seed=0, p=P, q=LOWER):
    random = np.random.default_rng(seed)
    return random.standard_normal((AGENTS, p)), random.standard_normal((AGENTS, q))


def coefficients(problem):
    return jax.tree.map(np.asarray, problem.oracles)


def upper_loss(o, x, y):
    rest_y, rest_x = y - o.d, x - o.e
    return np.mean(np.einsum("ni,nij,nj->n", rest_y, o.F, rest_y) / 2 + (o.a * rest_x**2).sum(1) / 2)


def check(problem, x, y, stationarity, consensus, solution, lower_consensus):
    """Holds every figure of a row against its value, with the lower solution."""
    expected = {
        "stationarity": stationarity,
        "consensus_error": consensus,
        "lower_error": ((solution - y) ** 2).sum(),
        "upper_loss": upper_loss(coefficients(problem), x, y),
        "lower_consensus_error": lower_consensus,
    }
    expected["metric"] = sum(expected[name] for name in ("stationarity", "consensus_error", "lower_error"))
    assert measure(problem, x, y) == pytest.approx(expected, rel=1e-9)


def test_personal_lower_levels():
    problem = hg.problems.quadratic(AGENTS, P, LOWER, seed=1, noise=0.5)
    o, (x, y) = Coefficients(problem), somewhere()
    mean = np.broadcast_to(x.mean(0), x.shape)
    gradient = o.G(mean, o.y_star(mean)).mean(0)
    np.testing.assert_allclose(gradient, hg.problems.solution(problem).hypergradient(x.mean(0)), rtol=1e-12)
    check(problem, x, y, gradient @ gradient, ((x - x.mean(0)) ** 2).sum(), o.y_star(x), 0.0)


def shared_solution(o, x):
    """argmin_y 1/n sum_i g_i(x_i, y)."""
    return np.linalg.solve(o.H.mean(0), (np.einsum("nqp,np->nq", o.B, x) + o.c).mean(0))


@pytest.mark.parametrize("share", ["both", "lower"])
def test_a_shared_lower_level(share):
    problem = hg.problems.quadratic(AGENTS, P, LOWER, seed=2, share=share)
    o, (x, y) = coefficients(problem), somewhere(1)
    solution = shared_solution(o, x)
    fy = np.einsum("nij,nj->ni", o.F, solution - o.d)
    if share == "both":
        mean = x.mean(0)
        z = np.linalg.solve(o.H.mean(0), fy.mean(0))
        gradient = (o.a * (mean - o.e)).mean(0) + o.B.mean(0).T @ z  # every second derivative averaged
        stationarity, consensus = gradient @ gradient, ((x - mean) ** 2).sum()
    else:  # SLAM-L: each agent's own f_i at its own x_i, and no consensus on x
        z = np.linalg.solve(o.H.mean(0), fy.T).T
        gradients = o.a * (x - o.e) + np.einsum("nqp,nq->np", o.B, z)
        stationarity, consensus = (gradients**2).sum(1).mean(), 0.0
    check(problem, x, y, stationarity, consensus, solution, ((y - y.mean(0)) ** 2).sum())


def test_at_the_shared_optimum_nothing_is_left():
    problem = hg.problems.quadratic(AGENTS, P, LOWER, seed=2, share="both")
    solution = hg.problems.solution(problem)
    found = measure(problem, np.broadcast_to(solution.x, (AGENTS, P)), solution.y)
    assert found["metric"] < 1e-16


def test_partial_sharing_leaf_by_leaf():
    """x = (shared, own), y = (own, shared) as dicts; the whole is one block quadratic solved densely."""
    share = {"upper": {"all": True, "own": False}, "lower": {"me": False, "us": True}}
    plain = hg.problems.quadratic(AGENTS, P, 3, seed=5, curvature_heterogeneity=0.5)
    problem = hg.Problem.from_oracles(
        plain.oracles,
        x0={"all": np.zeros(2), "own": np.zeros(1)},
        y0={"me": np.zeros(2), "us": np.zeros(1)},
        share=share,
    )
    o, (x, y) = coefficients(problem), somewhere(3, P, 3)
    together = 2 * AGENTS + 1  # the agents' private entries one after another, then the shared one
    place = np.array([[2 * i, 2 * i + 1, 2 * AGENTS] for i in range(AGENTS)])
    A, x_average = np.zeros((together, together)), x.copy()
    x_average[:, :2] = x[:, :2].mean(0)
    for i in range(AGENTS):
        A[np.ix_(place[i], place[i])] += o.H[i]

    def solve(right):
        b = np.zeros(together)
        for i in range(AGENTS):
            b[place[i]] += right[i]
        return np.linalg.solve(A, b)[place]

    at = lambda x: solve(np.einsum("nqp,np->nq", o.B, x) + o.c)
    found = measure(problem, x, y)
    assert found["consensus_error"] == pytest.approx(((x[:, :2] - x[:, :2].mean(0)) ** 2).sum(), rel=1e-12)
    assert found["lower_consensus_error"] == pytest.approx(((y[:, 2] - y[:, 2].mean()) ** 2).sum(), rel=1e-12)
    assert found["lower_error"] == pytest.approx(((at(x) - y) ** 2).sum(), rel=1e-9)
    z = solve(np.einsum("nij,nj->ni", o.F, at(x) - o.d))
    terms = o.a * (x_average - o.e) + np.einsum("nqp,nq->np", o.B, z)
    shared, own = terms[:, :2].mean(0), terms[:, 2]
    assert found["stationarity"] == pytest.approx(shared @ shared + (own**2).mean(), rel=1e-9)


def test_several_runs_are_measured_one_by_one():
    problem = hg.problems.quadratic(AGENTS, P, LOWER, seed=1)
    points = [somewhere(seed) for seed in (0, 1, 2)]
    x, y = (jnp.asarray(np.stack(v)) for v in zip(*points, strict=True))
    together = evaluate(problem.oracles, problem.upper, problem.lower, x, y)
    for k, (one_x, one_y) in enumerate(points):
        assert measure(problem, one_x, one_y)["metric"] == pytest.approx(float(together.metric[k]), rel=1e-12)


def test_a_float32_run_is_measured_in_float64():
    """At the optimum plus 1e-5: squares near 1e-10, where float32 would see its own round-off."""
    solution = hg.problems.solution(hg.problems.quadratic(AGENTS, P, LOWER, seed=1))
    with jax.enable_x64(False):
        problem = hg.problems.quadratic(AGENTS, P, LOWER, seed=1)
        assert problem.x0.dtype == problem.oracles.H.dtype == np.float32
        x = np.broadcast_to(solution.x, (AGENTS, P)).astype(np.float32)
        y = (solution.y + 1e-5).astype(np.float32)
        found = evaluate(problem.oracles, problem.upper, problem.lower, jnp.asarray(x)[None], jnp.asarray(y)[None])
        assert {leaf.dtype for leaf in found} == {np.dtype(np.float64)}
    exact = Coefficients(problem).y_star(x.astype(float))
    assert float(found.lower_error[0]) == pytest.approx(((exact - y) ** 2).sum(), rel=1e-6)
    assert float(found.consensus_error[0]) == 0.0


@pytest.mark.parametrize("share", ["upper", "both"])
def test_logistic_lower_solutions_to_a_relative_residual_of_1e_6(share):
    """The residual in NumPy and float64, of a problem whose numbers are float32."""
    with jax.enable_x64(False):
        problem = logistic((9, 6, 12), share=share)
        x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    with jax.enable_x64(True):
        double = lambda leaf: leaf.astype(np.float64) if leaf.dtype == np.float32 else leaf
        oracles = jax.tree.map(double, problem.oracles)
        solve = jax.jit(lambda oracles, x, start: lower_solution(oracles, problem.lower, x, start))
        y = np.asarray(solve(oracles, jnp.asarray(x, jnp.float64), jnp.zeros((3, 4))))

    def gradients(y):
        result = []
        for i, count in enumerate((9, 6, 12)):
            data = {name: leaf.astype(np.float32) for name, leaf in rows(count + 1, 50 + i).items()}
            result.append(logistic_by_hand(data, x[i].astype(float), y[i])[1])
        return np.stack(result) if share == "upper" else np.mean(result, axis=0, keepdims=True)

    residual, scale = (np.linalg.norm(gradients(v), axis=1) for v in (y, np.zeros_like(y)))
    assert (residual <= 1e-6 * scale).all()
    if share == "both":
        np.testing.assert_array_equal(y, np.broadcast_to(y[0], y.shape))


def test_newton_goes_where_full_steps_overshoot():
    """log cosh: from 3 a full Newton step jumps away; halving brings it to 0."""
    gradient = lambda y: jnp.tanh(y - 1.0) + 1e-3 * y
    product = lambda y, v: (1 / jnp.cosh(y - 1.0) ** 2 + 1e-3) * v
    y, residual = jax.jit(lambda start: newton(gradient, in_double_precision(lambda y: partial(product, y)), start))(
        jnp.array([4.0, -30.0])
    )
    assert residual < 1e-9
    assert float(jnp.max(jnp.abs(gradient(y)))) < 1e-8


def test_newton_from_the_solution_and_with_nothing_to_do():
    identity = in_double_precision(lambda y: lambda v: v)
    assert float(newton(lambda y: y, identity, jnp.zeros(2))[0].max()) == 0.0
    np.testing.assert_allclose(newton(lambda y: y - 3.0, identity, jnp.full(2, 3.0))[0], 3.0)
    np.testing.assert_allclose(newton(lambda y: y, identity, jnp.ones(2))[0], 0.0, atol=1e-12)


def test_quadratic_oracles_are_the_derivatives_of_their_losses():
    problem = hg.problems.quadratic(2, P, LOWER, seed=4, noise=0.3)
    agent, key = problem.agent(1), jax.random.key(5)
    assert isinstance(agent, QuadraticOracles)
    x, y = jnp.arange(3.0), jnp.array([0.3, -2.0])
    fx, fy = jax.grad(agent.upper_loss, (0, 1))(x, y, key)
    np.testing.assert_allclose(agent.upper_gradients(x, y, key)[0], fx, rtol=1e-12)
    np.testing.assert_allclose(agent.upper_gradients(x, y, key)[1], fy, rtol=1e-12)
    gradient = lambda x, y: agent.lower_gradient(x, y, key)
    v = jnp.array([1.0, -0.5])
    np.testing.assert_allclose(jax.jvp(lambda y: gradient(x, y), (y,), (v,))[1], agent.hessian_product(x, y, key)(v))
    np.testing.assert_allclose(jax.vjp(lambda x: gradient(x, y), x)[1](v)[0], agent.jacobian_product(x, y, key)(v))


@pytest.mark.parametrize("runs", range(1, 26))
def test_runs_are_measured_in_equal_groups_where_that_is_possible(runs):
    together = side_by_side(runs)
    assert 1 <= together <= RUNS_AT_ONCE
    assert together == runs or together >= RUNS_AT_ONCE / 2
    if runs in (10, 12, 14, 15, 16, 18, 20, 21, 24, 25):
        assert runs % together == 0
