"""Every method keeps x in the set that the problem projects onto, and leaves y alone, or lets it follow x."""

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.flat_messages import mix_through
from hypergossip.problems.quadratic import QuadraticOracles
from laws.problems import quadratic_problem
from laws.table import every_method

RADIUS = 0.01


class Bounded(QuadraticOracles):
    """A quadratic whose x stays in a small ball around zero."""

    def project(self, x):
        return x * jnp.minimum(1.0, RADIUS / jnp.linalg.norm(x))


@every_method()
def test_a_step_is_projected(method):
    problem = quadratic_problem(method.share)
    alone = mix_through((problem.upper, problem.lower), lambda buffer, call, weights: buffer)
    free = problem.agent(0)
    bounded = Bounded(**vars(free))
    algorithm, key = method.algorithm, jax.random.key(0)
    state = algorithm.init(free, problem.x0, problem.y0, key)
    without, within = (algorithm.step(agent, alone, 0, state, key)[0] for agent in (free, bounded))
    moved, inside = without.x, within.x
    np.testing.assert_allclose(inside, bounded.project(moved), rtol=1e-12)
    if method.lower_follows:
        follows = np.linalg.solve(free.H, free.B @ (within.x - without.x))
        np.testing.assert_allclose(within.y - without.y, follows, atol=1e-12)
    else:
        np.testing.assert_array_equal(within.y, without.y)
    assert np.linalg.norm(moved) > 2 * RADIUS
