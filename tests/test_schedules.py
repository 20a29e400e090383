"""Schedules are the formulas they name, and their numbers are data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.schedules import at, momentum_at
from small_problems import advance


@pytest.mark.parametrize("round", [0, 1, 7, 10**6])
def test_power_decay_is_its_formula(round):
    schedule = hg.PowerDecay(0.5, offset=2, power=1 / 3)
    assert float(schedule(round)) == pytest.approx(0.5 / (2 + round) ** (1 / 3), rel=1e-14)
    assert float(jax.jit(schedule)(jnp.int32(round))) == pytest.approx(0.5 / (2 + round) ** (1 / 3), rel=1e-14)


def test_numbers_and_constants_are_the_same_step():
    assert at(0.3, 5) == at(hg.Constant(0.3), 5) == 0.3


@pytest.mark.parametrize("momentum", [0.1, hg.Constant(0.1), hg.PowerDecay(0.1), hg.SquaredStep(2.0)])
def test_every_momentum_is_one_in_round_zero(momentum):
    assert float(momentum_at(momentum, 0.3, 0)) == 1.0
    assert float(momentum_at(momentum, 0.3, 1)) < 1.0


def test_squared_step_follows_the_upper_step_of_the_round_before():
    step = hg.PowerDecay(2.0, offset=1, power=0.5)
    for t in range(1, 9):
        expected = min(1.0, 0.7 * (2.0 * t**-0.5) ** 2)  # (offset + (t - 1)) = t
        assert float(momentum_at(hg.SquaredStep(0.7), step, t)) == pytest.approx(expected, rel=1e-14)
    assert float(momentum_at(hg.SquaredStep(0.7), step, 1)) == 1.0  # 2.8, cut at 1
    assert float(momentum_at(hg.SquaredStep(5.0), 0.2, 3)) == pytest.approx(0.2)  # a number is a step, too


def test_a_sweep_over_the_numbers_is_one_trace():
    traces = []

    @jax.jit
    def value(schedule, momentum, round):
        traces.append(1)
        return at(schedule, round), momentum_at(momentum, schedule, round)

    for scale, c in ((0.1, 1.0), (0.2, 2.0), (0.4, 3.0)):
        value(hg.PowerDecay(scale, offset=2.0, power=0.5), hg.SquaredStep(c), 3)
    assert len(traces) == 1


def test_single_precision_stays_single():
    with jax.enable_x64(False):
        value = momentum_at(hg.SquaredStep(0.5), hg.PowerDecay(0.5, offset=2, power=1 / 3), jnp.int32(4))
        assert value.dtype == np.float32


def test_a_decay_that_divides_by_zero_is_refused():
    with pytest.raises(ValueError, match="offset is 0"):
        hg.PowerDecay(0.5, offset=0)


def test_ones_own_function_of_the_round_is_a_schedule():
    problem, network = hg.problems.quadratic(2, 2, 2), hg.networks.path(2)
    own = jax.tree_util.Partial(lambda scale, t: scale / (2.0 + jnp.asarray(t, float)), 0.3)
    state, _ = advance(hg.DSGD(own, 0.1, hg.Exact()), problem, network, 5)
    same, _ = advance(hg.DSGD(hg.PowerDecay(0.3, 2.0, 1.0), 0.1, hg.Exact()), problem, network, 5)
    np.testing.assert_allclose(state.x, same.x, rtol=1e-12)
