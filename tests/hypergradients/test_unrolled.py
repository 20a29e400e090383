"""Differentiation through the lower steps: against automatic differentiation, its bias, and its memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import hypergossip as hg
from hypergossip.core.algorithm import Cost
from hypergossip.hypergradients.unrolled import unroll
from hypergossip.running.preflight import concerns, facts
from small_problems import dense, logistic, point

BETA = 0.3


def by_autodiff(agent, x, y, key, steps):
    """The derivative of f(x, y_T(x)) by JAX's own reverse mode through a scan; and y_T."""
    upper_key, lower_key = jax.random.split(key)

    def last(x):
        step = lambda y, t: (y - BETA * agent.lower_gradient(x, y, jax.random.fold_in(lower_key, t)), None)
        return lax.scan(step, y, jnp.arange(steps))[0]

    return jax.grad(lambda x: agent.upper_loss(x, last(x), upper_key))(x), last(x)


@pytest.mark.parametrize("checkpoints", [0, 1, 3])
@pytest.mark.parametrize("steps", [1, 7])
def test_products_backwards_are_automatic_differentiation(steps, checkpoints):
    """On batches: every step has a sample of its own, and the way back meets it again."""
    problem = logistic(batch_size=4)
    agent, (x, y), key = problem.agent(1), point(problem), jax.random.key(3)
    expected, y_T = jax.jit(lambda: by_autodiff(agent, x, y, key, steps))()
    found = jax.jit(lambda: unroll(agent, x, y, key, steps, BETA, checkpoints))()
    np.testing.assert_allclose(found.G, expected, rtol=1e-11)
    np.testing.assert_allclose(found.y, y_T, rtol=1e-12)
    recomputed = {(7, 1): 21, (7, 3): 1 + 2 + 1 + 2}.get((steps, checkpoints), 0)
    assert found.cost == Cost(4 * (steps + 1), 1, steps + recomputed, steps - 1, steps)
    estimate, cost = hg.Unrolled(steps, BETA, checkpoints)(agent, x, y, key)
    np.testing.assert_allclose(estimate, found.G, rtol=1e-12)
    assert cost == found.cost


def test_the_bias_from_the_lower_solution_shrinks_with_every_step(agent, points):
    """From y* the points stay there, and the sum is a Neumann series of T terms with L_g = 1 / beta."""
    x, _ = points
    o = jax.tree.map(np.asarray, agent)
    y = jnp.asarray(np.linalg.solve(o.H, o.B @ np.asarray(x) + o.c))
    fx, fy, H, J = dense(agent, x, y)
    exact, mu = fx - J @ np.linalg.solve(H, fy), np.linalg.eigvalsh(H)[0]
    depths = np.arange(30, 55, 6)
    estimate = jax.jit(lambda: [hg.Unrolled(int(T), 0.2)(agent, x, y, jax.random.key(0))[0] for T in depths])()
    series = jax.jit(lambda: [hg.TruncatedNeumann(int(T), 5.0)(agent, x, y, jax.random.key(0))[0] for T in depths])()
    np.testing.assert_allclose(estimate, series, rtol=1e-10)
    bias = [np.linalg.norm(value - exact) for value in estimate]
    assert np.polyfit(depths, np.log(bias), 1)[0] == pytest.approx(np.log(1 - 0.2 * mu), rel=0.03)


def test_memory_does_not_grow_with_the_steps():
    """With checkpoints: the same bytes for 50 steps and for 800; keeping every point, in proportion."""
    quartic = lambda x, y, batch: jnp.mean(batch) + jnp.sum(y**2 + 0.1 * y**4 + x**2 * y**2)
    data = np.zeros((1, 2))
    problem = hg.Problem(quartic, quartic, upper_data=data, lower_data=data, x0=np.ones(400), y0=np.ones(400))
    agent, x, y = problem.agent(0), problem.x0, problem.y0

    def temporary(steps, checkpoints):
        estimator = hg.Unrolled(steps, BETA, checkpoints)
        program = jax.jit(lambda agent, x, y: estimator(agent, x, y, jax.random.key(0))[0])
        return program.lower(agent, x, y).compile().memory_analysis().temp_size_in_bytes

    point_bytes = y.size * 8
    assert temporary(800, 1) - temporary(50, 1) < point_bytes
    assert temporary(800, 4) - temporary(50, 4) < point_bytes
    assert temporary(800, 0) - temporary(50, 0) > 700 * point_bytes


def test_lower_steps_that_diverge_are_refused():
    problem = hg.problems.quadratic(3, 2, 2, seed=0)
    known = facts(problem, hg.networks.ring(3))
    top = known.lower_curvature[1]
    assert hg.Unrolled(5, 1.9 / top).check(known) == []
    with pytest.raises(ValueError, match="diverge"):
        hg.Unrolled(5, 2.1 / top).check(known)
    for wrong in (hg.Unrolled(0, 0.1), hg.Unrolled(3, 0.0), hg.Unrolled(3, 0.1, -1)):
        with pytest.raises(ValueError, match="take steps >= 1"):
            wrong.check(known)
    decaying = hg.ITDBiO(0.1, hg.PowerDecay(2.5 / top, 1.0, 1 / 3), inner_steps=3)
    (warning,) = decaying.check(known)
    assert "until the step has decayed" in warning
    with pytest.raises(ValueError, match=r"ITDBiO.*diverge"):
        concerns(hg.ITDBiO(0.1, 2.5 / top, inner_steps=3), known)
