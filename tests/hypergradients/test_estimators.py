"""Every estimator against closed forms, finite differences and its own formula with dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import hypergossip as hg
from hypergossip.hypergradients.conjugate_gradient import solve_positive
from small_problems import dense, logistic, surprise

CONVERGED = {
    "exact": hg.Exact(),
    "conjugate gradient": hg.ConjugateGradient(30, 1e-12),
    "truncated Neumann": hg.TruncatedNeumann(400, 4.0),
    "mini-batch Neumann": hg.MiniBatchNeumann(400, 4.0, 2, 0.9),
    "unrolled": hg.Unrolled(300, 0.25),
    "Hessian-free": hg.HessianFree(hg.Exact()),
}


def mean_estimate(problem, estimator, x, y, key=None):
    """The estimate on the whole data at one x and every agent's y, averaged over the agents."""
    key = jax.random.key(0) if key is None else key
    full = problem.oracles.full
    one = lambda agent, y: estimator(agent, jnp.asarray(x), y, key)[0]
    return jnp.mean(jax.vmap(one)(full, jnp.asarray(y)), axis=0)


@pytest.mark.parametrize("name", CONVERGED)
def test_converged_estimators_are_the_closed_form(name):
    problem = hg.problems.quadratic(5, 4, 3, seed=3, heterogeneity=0.8)
    solution = hg.problems.solution(problem)
    x = np.random.default_rng(1).standard_normal(4)
    estimate = jax.jit(lambda x, y: mean_estimate(problem, CONVERGED[name], x, y))
    np.testing.assert_allclose(estimate(x, solution.lower_solution(x)), solution.hypergradient(x), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(estimate(solution.x, solution.y), 0, atol=1e-6)


@pytest.mark.parametrize("name", CONVERGED)
def test_converged_estimators_are_the_derivative_of_a_logistic_l(name):
    found = hg.check_hypergradient(logistic(), CONVERGED[name], draws=1)
    assert found.relative_error < 1e-6, found
    assert found.lower_residual < 1e-9


@pytest.mark.parametrize(
    "estimator",
    [
        hg.Exact(),
        hg.ConjugateGradient(3, 0.0),
        hg.TruncatedNeumann(1, 1.0),
        hg.Neumann(1, 1.0),
        hg.MiniBatchNeumann(1, 1.0),
    ],
    ids=str,
)
def test_the_upper_and_the_lower_batch_are_independent(estimator):
    """f = x_0 mean(u) + y and g = y^2 / 2 - x_1 y mean(l): the estimate is the means of the two batches."""
    numbers = np.arange(4.0)[None]
    problem = hg.Problem(
        lambda x, y, batch: x[0] * jnp.mean(batch) + jnp.sum(y),
        lambda x, y, batch: 0.5 * jnp.sum(y**2) - x[1] * jnp.mean(batch) * jnp.sum(y),
        upper_data=numbers,
        lower_data=numbers,
        x0=np.ones(2),
        y0=np.ones(1),
        batch_size=1,
    )
    estimate = lambda key: estimator(problem.agent(0), problem.x0, problem.y0, key)[0]
    drawn = jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(1), 3200))
    table = np.histogram2d(*np.asarray(drawn).T, bins=np.arange(-0.5, 4))[0]
    assert table.sum() == 3200
    assert surprise(table, 200) < 5


def test_conjugate_gradients_stop_early_and_count_what_they_took():
    # Three distinct eigenvalues: exact after three products, whatever the size.
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.standard_normal((9, 9)))[0]
    A = basis @ np.diag(np.repeat([1.0, 2.0, 5.0], 3)) @ basis.T
    b = random.standard_normal(9)
    z, taken = solve_positive(lambda v: jnp.asarray(A) @ v, jnp.asarray(b), 50, 1e-10)
    assert int(taken) == 3
    np.testing.assert_allclose(A @ np.asarray(z), b, atol=1e-9)
    z, taken = solve_positive(lambda v: jnp.asarray(A) @ v, jnp.asarray(b), 2, 1e-10)
    assert int(taken) == 2
    z, taken = solve_positive(lambda v: jnp.asarray(A) @ v, jnp.zeros(9), 50, 1e-10)
    assert int(taken) == 0
    assert (np.asarray(z) == 0).all()


@pytest.mark.parametrize("tolerance", [1e-1, 1e-4])
def test_conjugate_gradient_reaches_its_tolerance_and_states_its_cost(agent, points, tolerance):
    estimator, key = hg.ConjugateGradient(50, tolerance), jax.random.key(0)
    fx, fy, H, J = dense(agent, *points)
    estimate, cost = jax.jit(lambda: estimator(agent, *points, key))()
    z, _ = solve_positive(lambda v: jnp.asarray(H) @ v, jnp.asarray(fy), 50, tolerance)
    assert np.linalg.norm(H @ np.asarray(z) - fy) <= tolerance * np.linalg.norm(fy)
    np.testing.assert_allclose(estimate, fx - J @ np.asarray(z), rtol=1e-12)
    one_less, _ = solve_positive(lambda v: jnp.asarray(H) @ v, jnp.asarray(fy), int(cost.hessian_products) - 1, 0.0)
    assert np.linalg.norm(H @ np.asarray(one_less) - fy) > tolerance * np.linalg.norm(fy)


@pytest.mark.parametrize(
    "estimator",
    [
        hg.ConjugateGradient(5),
        hg.TruncatedNeumann(4, 4.0),
        hg.MiniBatchNeumann(4, 4.0),
        hg.Neumann(4, 4.0),
        hg.Neumann(4, 4.0, shared_batch=True),
        hg.Unrolled(3, 0.1, 1),
        hg.HessianFree(hg.ConjugateGradient(5)),
    ],
    ids=str,
)
def test_second_derivatives_come_only_as_products(estimator):
    """No array of the program, loops included, has more entries than the data: none is (q, q) or (p, q)."""
    q = 3000
    problem = hg.Problem(
        lambda x, y, batch: jnp.mean(jax.nn.softplus(batch @ y)) + jnp.sum(x**2),
        lambda x, y, batch: jnp.mean(jax.nn.softplus(batch @ y)) + 0.5 * jnp.sum(jnp.exp(x) * y**2),
        **dict.fromkeys(("upper_data", "lower_data"), np.ones((1, 4, q))),
        **dict.fromkeys(("x0", "y0"), np.zeros(q)),
        batch_size=2,
    )
    given = problem.agent(0), problem.x0, problem.y0, jax.random.key(0)
    program, whole = (jax.make_jaxpr(made)(*given).jaxpr for made in (estimator, hg.Exact()))
    assert largest_array(program) <= 4 * q
    assert largest_array(whole) >= q * q  # the measurement can fail


def largest_array(jaxpr):
    sizes = [variable.aval.size for equation in jaxpr.eqns for variable in equation.outvars]
    inner = [largest_array(part) for equation in jaxpr.eqns for part in jaxprs_in_params(equation.params)]
    return max([0, *sizes, *inner])


@pytest.mark.parametrize(
    "estimator", [hg.Exact(), hg.ConjugateGradient(20, 1e-12), hg.TruncatedNeumann(200, 4.0)], ids=str
)
def test_two_lower_tasks_as_one_pytree(estimator):
    """k = 2: y holds two regressions of unlike sizes, x weighs both; each task's term has its own closed form."""
    random = np.random.default_rng(4)
    A, B = random.standard_normal((2, 7, 3)), random.standard_normal((2, 7, 2))
    target = random.standard_normal((2, 7))

    def lower(x, y, batch):
        first = jnp.mean((batch["A"] @ y["first"] - batch["target"]) ** 2) / 2
        second = jnp.mean((batch["B"] @ y["second"] + batch["target"]) ** 2) / 2
        return first + second + x[0] * jnp.sum(y["first"] ** 2) / 2 + x[1] * jnp.sum(y["second"] ** 2) / 2

    def upper(x, y, batch):
        return jnp.mean((batch["A"] @ y["first"] - batch["B"] @ y["second"]) ** 2) / 2 + jnp.sum(x**2)

    data = {"A": A, "B": B, "target": target}
    problem = hg.Problem(
        upper, lower, upper_data=data, lower_data=data, x0=np.ones(2), y0={"first": np.zeros(3), "second": np.zeros(2)}
    )
    x, total = np.array([0.7, 1.3]), 0
    for a, b, t in zip(A, B, target, strict=True):
        H = [a.T @ a / 7 + x[0] * np.eye(3), b.T @ b / 7 + x[1] * np.eye(2)]
        y = [np.linalg.solve(H[0], a.T @ t / 7), np.linalg.solve(H[1], -b.T @ t / 7)]
        rest = a @ y[0] - b @ y[1]
        fy = [a.T @ rest / 7, -b.T @ rest / 7]
        total = total + 2 * x - np.array([y[k] @ np.linalg.solve(H[k], fy[k]) for k in (0, 1)])
    found = hg.check_hypergradient(problem, estimator, x=x, draws=1)
    np.testing.assert_allclose(found.estimate, total / 2, rtol=1e-7)
    assert found.relative_error < 1e-6
