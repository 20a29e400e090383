"""Losses that can be differentiated once: HessianFree runs on them, and they are measured by differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import register

RING, CG = hg.networks.ring(3), hg.ConjugateGradient(10)
FREE = hg.HessianFree(CG)
RANDOM = np.random.default_rng(0)
DATA = {"a": RANDOM.standard_normal((3, 6, 2)), "t": RANDOM.standard_normal((3, 6))}


def _call(function, like, residual):
    return jax.pure_callback(
        lambda r: np.asarray(function(np.asarray(r)), r.dtype), like, residual, vmap_method="sequential"
    )


@jax.custom_vjp
def outside(residual):
    """sum (r^4 / 4 + r^2) / n by NumPy, value and gradient."""
    value = lambda r: np.mean(r**4 / 4 + r**2)
    return _call(value, jax.ShapeDtypeStruct((), residual.dtype), residual)


outside.defvjp(
    lambda r: (outside(r), r),
    lambda r, g: (g * _call(lambda r: (r**3 + 2 * r) / r.size, jax.ShapeDtypeStruct(r.shape, r.dtype), r),),
)


def within(residual):
    return jnp.mean(residual**4 / 4 + residual**2)


def made(loss, data=DATA):
    lower = lambda x, y, b: loss(b["a"] @ y - b["t"]) + 0.5 * jnp.sum((y - x) ** 2)
    upper = lambda x, y, b: jnp.mean((b["a"] @ y - b["t"]) ** 2) + jnp.sum(x**2)
    return hg.Problem(upper, lower, upper_data=data, lower_data=data, x0=np.zeros(2), y0=np.zeros(2))


def test_the_run_and_its_rows_are_those_of_the_loss_that_can_be_differentiated_twice():
    options = {"rounds": 3, "observe_every": 1}
    method = hg.DSGD(hg.PowerDecay(0.1), 0.1, FREE)
    with pytest.warns(
        hg.PreflightWarning, match="the lower loss cannot be differentiated twice: .* differences"
    ) as told:
        ours = hg.solve(method, made(outside), RING, **options)
    assert len(told) == 1
    theirs = hg.solve(method, made(within), RING, check=False, **options)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-8)
    for column in ("stationarity", "lower_error", "metric", "upper_loss"):
        np.testing.assert_allclose(ours.history[column], theirs.history[column], rtol=1e-6)
    assert (ours.history["relative_residual"] < 1e-6).all()


def test_unchecked_it_runs_without_a_word():
    hg.solve(hg.DSGD(0.1, 0.1, FREE), made(outside), RING, rounds=1, check=False, measure=False)


@register
class OwnHessian(hg.SOBA):
    """A method that differentiates the loss itself, outside the contract of oracles."""

    def step(self, agent, mix, k, s, key):
        H = jax.hessian(agent.lower_loss, 1)(s.x, s.y, key)
        return super().step(agent, mix, k, s._replace(z=H @ s.z), key)


STEPS = (0.1, 0.1, 0.1)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("method", [hg.DSGD(0.1, 0.1, CG), hg.SOBA(*STEPS), OwnHessian(*STEPS)])
@pytest.mark.filterwarnings("ignore:the lower loss cannot")
def test_products_that_do_not_exist_are_refused_with_the_remedy(method, check):
    name = type(method).__name__
    with pytest.raises(ValueError, match=rf"{name} asks for second derivatives .* HessianFree\(ConjugateGradient"):
        hg.solve(method, made(outside), RING, rounds=1, check=check, measure=False)


def test_an_estimator_is_checked_on_it():
    found = hg.check_hypergradient(made(outside), FREE, draws=1)
    assert found.relative_error < 1e-5
    assert found.lower_residual < 1e-6


def test_unequal_agents_call_it_on_their_own_rows():
    """JAX cannot trace it for any number of rows, so it is compiled for each."""
    data = [{name: leaf[i, : 4 + i % 2] for name, leaf in DATA.items()} for i in range(3)]
    problems = made(outside, data), made(within, data)
    assert [problem.oracles.form.whole[1].kind for problem in problems] == ["sizes", "masked"]
    ours, theirs = (
        hg.solve(hg.DSGD(0.1, 0.1, FREE), problem, RING, rounds=2, check=False, measure=("metric",))
        for problem in problems
    )
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-10)
    np.testing.assert_allclose(ours.history["metric"], theirs.history["metric"], rtol=1e-6)
