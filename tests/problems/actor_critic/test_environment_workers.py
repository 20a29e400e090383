"""Environments in worker processes play what they play in one process, and end with the game."""

import gc
import os
import re
import signal
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks.game_traffic import compare
from mpe2 import simple_spread_v3
from plain_environment import HORIZON, LATE, Kept, Plain, played, refused

from hypergossip.problems.actor_critic import EnvironmentFailure, from_parallel, from_tuples

SPREAD = {"horizon": 4, "whole": lambda environment: environment.state()}


def spread():
    return simple_spread_v3.parallel_env(N=2)


class Fails(Plain):
    """Raises an error at a step and in an order that the seed of the episode decides."""

    def rewards(self):
        if self.t == LATE:
            raise KeyError(f"wheel {self.place.sum():.6f}")
        return super().rewards()


class Dies(Plain):
    """Ends its process."""

    def rewards(self):
        if self.t == LATE:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().rewards()


@pytest.fixture(scope="module")
def pairs():
    """A game in this process and in two workers."""
    return from_parallel(spread, **SPREAD), from_parallel(spread, **SPREAD, workers=2)


def episodes(game, many, steps):
    """All states and outcomes of a batch of episodes, in a compiled program."""

    @jax.jit
    def run(keys):
        choose = lambda time: (time + jnp.arange(many * game.agents).reshape(many, game.agents)) % game.actions
        step = lambda states, time: (lambda after: (after[0], after))(jax.vmap(game.step)(states, choose(time)))
        first = jax.vmap(game.reset)(keys)
        return first, jax.lax.scan(step, first, jnp.arange(steps))[1]

    return jax.block_until_ready(run(jax.random.split(jax.random.key(1), many)))


@pytest.mark.parametrize("many", [1, 3])
def test_a_batch_is_the_same_to_the_bit(pairs, many):
    serial, parallel = (episodes(game, many, 6) for game in pairs)  # two steps after the end
    jax.tree.map(np.testing.assert_array_equal, serial, parallel)
    assert float(jnp.abs(serial[1][0].observations).sum()) > 0


def test_a_single_step_and_another_type_of_floats(pairs):
    states = [game.reset(jax.random.key(3)) for game in pairs]
    jax.tree.map(
        np.testing.assert_array_equal, *[game.step(state, jnp.zeros(2, int)) for game, state in zip(pairs, states)]
    )
    seeds = np.array([[5, 6], [7, 8]])
    one, other = (game.table.reset(np.float32, seeds) for game in pairs)
    assert other[0].dtype == np.float32
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_an_error_is_the_one_of_a_single_process_with_its_traceback():
    messages = []
    for workers in (0, 2):
        game = from_parallel(Fails, horizon=HORIZON, workers=workers)
        with pytest.raises(Exception, match="wheel"):
            episodes(game, 3, HORIZON)
        error = game.raised()
        messages.append(str(error))
        assert isinstance(error, EnvironmentFailure)
        assert isinstance(error.__cause__, KeyError)
    assert messages[0] == messages[1]
    assert re.match(rf"the environment plain raised KeyError at step {LATE} of the episode that began", messages[1])
    assert "in rewards" in error.__cause__.__notes__[0]
    assert np.all(np.isfinite(game.table.reset(float, np.arange(4))[0]))  # the workers go on


def test_a_worker_that_ends_is_named_with_the_seeds_of_its_episodes():
    game = from_parallel(Dies, horizon=HORIZON, workers=1)
    with pytest.raises(Exception, match="ended by signal SIGKILL"):
        episodes(game, 2, HORIZON)
    sentence = r"worker process 1 of 1 ended by signal SIGKILL while it played .*\(seed=\d+, \d+\)\. Its sim"
    assert isinstance(game.raised(), EnvironmentFailure)
    assert re.match(sentence, str(game.raised()))
    processes = [worker.process for worker in game.table._workers]
    del game
    gc.collect()
    assert not any(process.is_alive() for process in processes)


def test_what_the_trial_finds_is_told_here():
    refused("have no entry for agent 'a'", lambda: Fewer(), workers=1)
    with pytest.warns(UserWarning, match="keeps something over a reset"):
        game = from_parallel(Kept, horizon=HORIZON, live=3, workers=2)
    assert game.side_by_side == 4
    np.testing.assert_array_equal(played(game), played(game))
    processes = [worker.process for worker in game.table._workers]
    assert all(process.is_alive() for process in processes)
    del game
    gc.collect()
    assert not any(process.is_alive() for process in processes)


class Fewer(Plain):
    def rewards(self):
        return {}


def test_wrong_numbers_and_functions():
    lock = threading.Lock()
    refused("cannot be sent to a worker process (TypeError: cannot pickle", lambda: (lock, Plain())[1], workers=1)
    for value in (-1, 1.5, "2", True):
        refused(f"workers is {value!r}; give a whole number, at least 0", Plain, workers=value)
    with pytest.raises(ValueError, match="at least 0"):
        from_tuples(Plain, horizon=3, workers=-1)


def test_the_benchmark_compares_the_same_episodes():
    seconds, equal = compare(Plain, 3, 2, workers=(1,))
    assert equal
    assert {count: len(times) for count, times in seconds.items()} == {"0": 2, "1": 2}
