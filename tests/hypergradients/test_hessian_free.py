"""Products by differences of gradients: their error, their cost, and every estimator with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Cost
from hypergossip.hypergradients.hessian_free import differenced
from hypergossip.running.preflight import concerns, facts
from small_problems import logistic, point

ESTIMATORS = {
    "Exact": hg.Exact(),
    "ConjugateGradient": hg.ConjugateGradient(6, 0.0),
    "Neumann": hg.Neumann(6, 5.0),
    "Neumann on one batch": hg.Neumann(6, 5.0, shared_batch=True),
    "TruncatedNeumann": hg.TruncatedNeumann(6, 5.0),
    "MiniBatchNeumann": hg.MiniBatchNeumann(4, 5.0, 2, 0.5),
    "Unrolled": hg.Unrolled(5, 0.2),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_is_itself_without_second_derivatives(name):
    """The same samples and depths, the same estimate but for the differences' error, each product two gradients."""
    problem, estimator = logistic(batch_size=5), ESTIMATORS[name]
    agent, (x, y), key = problem.agent(0), point(problem), jax.random.key(4)
    both = jax.jit(lambda: (estimator(agent, x, y, key), hg.HessianFree(estimator)(agent, x, y, key)))
    (exact, cost), (free, free_cost) = both()
    error = np.linalg.norm(free - exact) / np.linalg.norm(exact)
    assert 0 < error < 1e-8
    products = cost.hessian_products + cost.jacobian_products
    assert free_cost == Cost(cost.samples, 1, cost.lower_gradients + 2 * products)
    assert products > 1


@pytest.mark.parametrize("which", ["hessian_product", "jacobian_product"])
def test_the_error_is_of_second_order_in_the_radius_until_rounding(which):
    wavy = lambda x, y, batch: jnp.mean(batch) + jnp.sum(y**2 + jnp.sin(x) * jnp.sin(y))
    data = np.zeros((1, 2))
    problem = hg.Problem(wavy, wavy, upper_data=data, lower_data=data, x0=np.ones(4), y0=np.ones(4))
    agent, (x, y), key = problem.agent(0), point(problem), jax.random.key(0)
    v = jnp.asarray(np.random.default_rng(3).standard_normal(y.size))
    truth = getattr(agent, which)(x, y, key)(v)
    radii = np.array([0.08, 0.04, 0.02, 0.01])
    product = jax.jit(lambda radius: getattr(differenced(agent, radius), which)(x, y, key)(v))
    error = [float(jnp.linalg.norm(product(radius) - truth)) for radius in radii]
    assert np.polyfit(np.log(radii), np.log(error), 1)[0] == pytest.approx(2.0, abs=0.05)
    best = float(jnp.linalg.norm(getattr(differenced(agent), which)(x, y, key)(v) - truth))
    tiny = float(jnp.linalg.norm(product(1e-12) - truth))
    assert best < 1e-8 < tiny  # the default lies where neither truncation nor rounding rules
    assert not np.asarray(getattr(differenced(agent), which)(x, y, key)(jnp.zeros_like(v))).any()


def test_no_second_derivative_is_asked_for():
    """An agent that has none runs; one that has no dx g is refused with a sentence."""
    problem = logistic()
    (x, y), key = point(problem), jax.random.key(0)

    class FirstOrder:
        def __init__(self, agent):
            for name in ("full", "samples", "upper_loss", "upper_gradients", "lower_gradient", "lower_gradients"):
                setattr(self, name, getattr(agent, name))

        def hessian_product(self, x, y, key):
            raise AssertionError

        jacobian_product = hessian_product

        def project(self, x):
            return x

    agent = FirstOrder(problem.agent(0))
    expected = hg.Exact()(problem.agent(0), x, y, key)[0]
    np.testing.assert_allclose(hg.HessianFree(hg.Exact())(agent, x, y, key)[0], expected, rtol=1e-7)
    with pytest.raises(AssertionError):
        hg.Exact()(agent, x, y, key)
    del agent.lower_gradients
    with pytest.raises(TypeError, match="has no lower_gradients"):
        hg.HessianFree(hg.Exact())(agent, x, y, key)


def test_refusals():
    problem = logistic()
    known = facts(problem, hg.networks.ring(3))
    with pytest.raises(ValueError, match="radius"):
        hg.HessianFree(hg.Exact(), radius=0.0).check(known)
    with pytest.raises(ValueError, match="TruncatedNeumann: terms"):
        concerns(hg.DSGD(0.1, 0.1, hg.HessianFree(hg.TruncatedNeumann(0, 5.0))), known)
    with pytest.raises(TypeError, match="solves no linear system"):
        hg.HessianFree(hg.Unrolled(3, 0.1)).adjoint(problem.agent(0), problem.x0, problem.y0, jax.random.key(0))
