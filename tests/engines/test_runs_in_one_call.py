"""Runs in one call give the same numbers together and one after another, in a sweep as over seeds."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.engines import Job, lifting, teams


def _states(steps: list[float] | None, dimension: int) -> list[np.ndarray]:
    problem = hg.problems.quadratic(agents=4, upper_dimension=dimension, lower_dimension=3, noise=0.1, seed=0)
    network, engine = hg.networks.ring(4), hg.Simulated()
    upper = jnp.asarray(steps) if steps else 0.05
    algorithm = hg.Diamond(upper, 0.1, 0.5, 0.5, hg.Neumann(3, 6.0))
    if steps:
        algorithm = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, float), (3,)), algorithm)
    keys = jax.random.split(jax.random.key(1), 3)
    everywhere = lambda v: np.broadcast_to(v, (3, 4, v.size))
    session = engine.open(Job(algorithm, problem, network, keys, swept=bool(steps)))
    return jax.tree.leaves(session.advance(session.start(everywhere(problem.x0), everywhere(problem.y0)), 0, 20))


@pytest.mark.parametrize("steps", [None, [0.01, 0.05, 0.1]], ids=["seeds", "sweep"])
def test_together_and_one_after_another_are_the_same_runs(monkeypatch, steps):
    together = _states(steps, dimension=5)
    monkeypatch.setattr(lifting, "TOGETHER_ENTRIES", 0)
    monkeypatch.setattr(teams, "OWN_CORE_ENTRIES", 0)
    jax.clear_caches()  # the bound is no argument of what is compiled
    for cores in (1, 2, 16):
        monkeypatch.setattr(teams, "cores", lambda cores=cores: cores)
        apart = _states(steps, dimension=5)
        for one, other in zip(together, apart, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert max(float(np.abs(leaf[0] - leaf[1]).max()) for leaf in apart) > 1e-3  # the runs are three, not one


def test_only_large_runs_go_one_after_another():
    of = lambda runs, entries: lifting.one_after_another([np.zeros((runs, 2, entries // 2))], runs)
    assert not of(10, lifting.TOGETHER_ENTRIES)
    assert of(10, lifting.TOGETHER_ENTRIES + 2)
    assert not of(1, 10 * lifting.TOGETHER_ENTRIES)


def test_runs_are_divided_by_what_a_round_reads(monkeypatch):
    monkeypatch.setattr(teams, "cores", lambda: 4)
    a = np.zeros((5, 1000, 22))
    loss = lambda x, y, batch: jnp.mean(batch["a"] @ y) + x @ x
    data = {"upper_data": {"a": a}, "lower_data": {"a": a}}
    sampled, full = (hg.Problem(loss, loss, **data, x0=np.zeros(2), y0=np.zeros(22), batch_size=b) for b in (64, None))
    unequal = [{"a": a[i, : 500 + i]} for i in range(5)]
    packed = hg.Problem(
        loss, loss, upper_data=unequal, lower_data=unequal, x0=np.zeros(2), y0=np.zeros(22), batch_size=64
    )
    assert sampled.oracles.batch_entries == packed.oracles.batch_entries == 2 * 5 * 64 * 22
    assert full.oracles.batch_entries == 2 * a.size
    quadratic = hg.problems.quadratic(5)
    state = lambda runs, entries: np.zeros((runs, entries))
    assert teams.divided(sampled.oracles, state(1, 10), 1) == (1, True)
    assert teams.divided(sampled.oracles, state(3, 10), 3) == (3, False)  # a core is left
    assert teams.divided(sampled.oracles, state(9, 10), 9) == (4, True)
    assert teams.divided(full.oracles, state(1, 10), 1) == (1, True)
    assert teams.divided(full.oracles, state(1, 200_000), 1) == (1, False)
    assert teams.divided(quadratic.oracles, state(9, 100), 9) == (1, False)
    assert teams.divided(quadratic.oracles, state(9, 20_000), 9) == (4, True)


@pytest.mark.parametrize(("runs", "shares"), [(5, 2), (7, 3), (20, 16), (4, 4), (1, 1)])
def test_shares_have_one_size_and_every_run_is_returned_once(runs, shares):
    sizes = []

    def prepare(numbers):
        sizes.append(numbers.size)
        return lambda: numbers**2

    squares = teams.divide((jnp.arange(runs),), shares, prepare)
    np.testing.assert_array_equal(squares, np.arange(runs) ** 2)
    assert len(sizes) == shares
    assert len(set(sizes)) == 1


def test_shares_are_worked_on_at_the_same_time_and_put_together_in_order():
    everybody = threading.Barrier(3, timeout=10)

    def prepare(numbers):
        assert threading.current_thread() is threading.main_thread()

        def call():
            everybody.wait()  # alone it would wait for ever
            return numbers**2

        return call

    squares = teams.divide((jnp.arange(7),), 3, prepare)
    np.testing.assert_array_equal(squares, np.arange(7) ** 2)


def test_a_failure_in_a_share_is_the_callers():
    def prepare(numbers):
        def call():
            raise ValueError("no such run")

        return call

    with pytest.raises(ValueError, match="no such run"):
        teams.divide((jnp.arange(4),), 2, prepare)
