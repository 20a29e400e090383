"""The closed form is a closed form: every claim of `solution` against the oracles and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import QuadraticOracles

SHARES = ["upper", "both"]


def l_of(problem, solution, x):
    y = solution.lower_solution(x)
    key = jax.random.key(0)
    one = lambda agent, y: agent.upper_loss(jnp.asarray(x), y, key)
    return float(jnp.mean(jax.vmap(one)(problem.oracles.full, jnp.asarray(y))))


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("heterogeneity", [0.0, 1.0])
def test_lower_solutions_have_no_gradient_left(share, heterogeneity):
    problem = hg.problems.quadratic(5, 3, 4, seed=1, heterogeneity=heterogeneity, noise=0.3, share=share)
    solution, x = hg.problems.solution(problem), np.array([0.3, -1.0, 2.0])
    key = jax.random.key(0)
    gradient = lambda agent, y: agent.lower_gradient(jnp.asarray(x), y, key)
    y = solution.lower_solution(x)
    gradients = jax.vmap(gradient)(problem.oracles.full, jnp.asarray(y))
    if share == "both":
        gradients = gradients.mean(0)
        np.testing.assert_allclose(y, np.broadcast_to(y[0], y.shape), rtol=1e-14)
    np.testing.assert_allclose(gradients, 0, atol=1e-12)


@pytest.mark.parametrize("share", SHARES)
def test_the_hypergradient_is_the_derivative_of_l_and_vanishes_at_the_optimum(share):
    problem = hg.problems.quadratic(5, 3, 4, seed=1, share=share)
    solution, x = hg.problems.solution(problem), np.array([0.3, -1.0, 2.0])
    for k, direction in enumerate(np.eye(3)):  # l is quadratic: central differences are exact
        difference = (l_of(problem, solution, x + direction) - l_of(problem, solution, x - direction)) / 2
        assert difference == pytest.approx(solution.hypergradient(x)[k], rel=1e-10)
    np.testing.assert_allclose(solution.hypergradient(solution.x), 0, atol=1e-12)
    np.testing.assert_allclose(solution.y, solution.lower_solution(solution.x))
    best = l_of(problem, solution, solution.x)
    random = np.random.default_rng(0)
    assert all(l_of(problem, solution, solution.x + 0.1 * random.standard_normal(3)) > best for _ in range(10))


@pytest.mark.parametrize(("linear", "curvature"), [(0.0, None), (1.0, None), (1.0, 0.0), (0.4, 0.9)])
def test_curvatures_lie_between_1_and_4_and_agents_differ_as_asked(linear, curvature):
    o = hg.problems.quadratic(6, 4, 3, seed=3, heterogeneity=linear, curvature_heterogeneity=curvature).oracles
    curvature = linear if curvature is None else curvature
    for H, top in ((o.H, 4.0), (o.F, 2.0)):
        values = np.linalg.eigvalsh(np.asarray(H))
        np.testing.assert_allclose(values.max(), top, rtol=1e-12)
        assert values.min() >= 1 - 1e-12
    assert 1 <= np.asarray(o.a).min() <= np.asarray(o.a).max() <= 2
    for names, amount in (("cde", linear), ("HBFa", curvature)):
        for name in names:
            leaf = np.asarray(getattr(o, name))
            assert bool(np.ptp(leaf, axis=0).max() > 1e-3) is (amount > 0)


def test_noise_is_unbiased_of_the_stated_size_and_depends_on_the_key_alone():
    problem = hg.problems.quadratic(2, 3, 2, seed=0, noise=0.5)
    agent = problem.agent(0)
    keys = jax.random.split(jax.random.key(0), 4000)

    @jax.jit
    def noise(x, y):
        one = lambda key: (*agent.upper_gradients(x, y, key), agent.lower_gradient(x, y, key))
        exact = (*agent.full.upper_gradients(x, y, keys[0]), agent.full.lower_gradient(x, y, keys[0]))
        return jax.tree.map(lambda noisy, mean: noisy - mean, jax.vmap(one)(keys), exact)

    here, there = noise(jnp.zeros(3), jnp.zeros(2)), noise(jnp.ones(3), jnp.full(2, -4.0))
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13)
        assert np.abs(a.mean(0)).max() < 5 * 0.5 / np.sqrt(4000)
        np.testing.assert_allclose(a.std(0), 0.5, rtol=5 / np.sqrt(2 * 4000))
    together = np.concatenate(here[:2], axis=1)
    assert np.abs(np.corrcoef(together.T) - np.eye(5)).max() < 5 / np.sqrt(4000)


def test_the_seed_decides_everything():
    one, again, other = (hg.problems.quadratic(2, 3, 2, seed=seed).oracles for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    assert np.abs(one.H - other.H).max() > 0.01


def test_what_has_no_closed_form_says_so():
    plain = hg.problems.quadratic(2, 3, 2)
    for share in ("lower", {"upper": True, "lower": {"a": True, "b": False}}):
        y0 = {"a": np.zeros(1), "b": np.zeros(1)} if isinstance(share, dict) else np.zeros(2)
        problem = hg.Problem.from_oracles(plain.oracles, x0=np.zeros(3), y0=y0, share=share)
        with pytest.raises(ValueError, match="closed form requires"):
            hg.problems.solution(problem)
    data = np.ones((2, 3))
    square = lambda x, y, batch: jnp.sum(x**2) + jnp.sum(y**2) + 0 * jnp.mean(batch)
    problem = hg.Problem(square, square, upper_data=data, lower_data=data, x0=np.zeros(1), y0=np.zeros(1))
    with pytest.raises(ValueError, match=r"only problems made by problems\.quadratic"):
        hg.problems.solution(problem)
    assert isinstance(plain.oracles, QuadraticOracles)


def test_the_arguments_of_version_0_1_still_work_and_warn():
    with pytest.warns(DeprecationWarning, match="unlike of quadratic is now called heterogeneity"):
        earlier = hg.problems.quadratic(3, 2, 2, seed=1, unlike=0.5)
    present = hg.problems.quadratic(3, 2, 2, seed=1, heterogeneity=0.5)
    jax.tree.map(np.testing.assert_array_equal, earlier.oracles, present.oracles)
    with pytest.raises(TypeError, match="both unlike, an earlier name, and heterogeneity"):
        hg.problems.quadratic(3, unlike=0.5, heterogeneity=0.5)
    with pytest.warns(DeprecationWarning, match="metrics.figures is now hypergossip.metrics.evaluate"):
        assert hg.metrics.figures is hg.metrics.evaluate
