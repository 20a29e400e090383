"""dx f alone: what it is, what it costs, and where it is the hypergradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Cost
from hypergossip.running.preflight import concerns, facts
from small_problems import logistic, point


def test_it_is_dx_f_on_the_sample_of_its_key():
    problem = logistic(batch_size=4)
    agent, (x, y), key = problem.agent(1), point(problem), jax.random.key(3)
    estimate, cost = jax.jit(lambda: hg.Direct()(agent, x, y, key))()
    np.testing.assert_array_equal(estimate, agent.upper_gradients(x, y, key)[0])
    by_autodiff = jax.grad(lambda x: agent.upper_loss(x, y, key))(x)
    np.testing.assert_allclose(estimate, by_autodiff, rtol=1e-12)
    assert cost == Cost(samples=4, upper_gradients=1)  # one batch, of the upper level


def without_lower(x, y, batch):
    """An f that y does not move, on the numbers of `tilted`."""
    return jnp.mean(jnp.cosh(batch @ x))


def with_lower(x, y, batch):
    return without_lower(x, y, batch) + jnp.sum(y) / 4


def tilted(upper):
    """A problem whose lower solution depends on x, so that only f decides whether dx f is the hypergradient."""
    numbers = np.random.default_rng(2).standard_normal((3, 6, 2))
    lower = lambda x, y, batch: 0.5 * jnp.sum((y - x) ** 2) + jnp.mean(batch) ** 2
    return hg.Problem(upper, lower, upper_data=numbers, lower_data=numbers, x0=np.ones(2), y0=np.zeros(2), batch_size=2)


def test_it_is_the_derivative_of_l_where_f_does_not_depend_on_y():
    found = hg.check_hypergradient(tilted(without_lower), hg.Direct(), draws=1)
    assert found.relative_error < 1e-6, found


def test_elsewhere_what_it_leaves_out_is_its_bias():
    found = hg.check_hypergradient(tilted(with_lower), hg.Direct(), draws=1)
    # y*(x) = x and dy f = 1/4, so the missing term is 1/4 in each of both entries.
    np.testing.assert_allclose(found.truth - found.estimate, 0.25, atol=1e-6)


def test_it_solves_no_system_and_asks_for_nothing():
    known = facts(logistic(), hg.networks.ring(3))
    assert hg.Direct().check(known) == []
    with pytest.raises(ValueError, match="solves no linear system"):
        concerns(hg.RSVRB(0.1, 0.1, 0.3, 0.3, 0.3, hg.Direct()), known)
