"""One agent of quadratics, and a point away from its lower solution."""

import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg


@pytest.fixture(scope="module")
def agent():
    """One agent of quadratics with curvature between 1 and 4, away from its lower solution."""
    problem = hg.problems.quadratic(1, 3, 5, seed=11)
    return problem.agent(0)


@pytest.fixture(scope="module")
def points():
    random = np.random.default_rng(5)
    return jnp.asarray(random.standard_normal(3)), jnp.asarray(random.standard_normal(5))
