"""Environments that are processes of their own are stepped several at once by threads, and play the same episodes."""

import gc
import re
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_environment import HORIZON, LATE, Kept, Plain, changed, played

from hypergossip.problems.actor_critic import EnvironmentFailure, environment_cache, from_parallel
from hypergossip.problems.actor_critic.environment_cache import pool_of
from hypergossip.problems.actor_critic.environments import Environments


@pytest.fixture
def counted():
    """A class that counts its environments that are open, and those that step at the same time."""

    class Counted(Plain):
        own_process = True
        lock, open, most_open, stepping, most_stepping = threading.Lock(), 0, 0, 0, 0

        def __init__(self):
            super().__init__()
            with self.lock:
                Counted.open += 1
                Counted.most_open = max(Counted.open, Counted.most_open)

        def step(self, actions):
            with self.lock:
                Counted.stepping += 1
                Counted.most_stepping = max(Counted.stepping, Counted.most_stepping)
            time.sleep(0.002)  # waits for its process
            with self.lock:
                Counted.stepping -= 1
            return super().step(actions)

        def close(self):
            with self.lock:
                Counted.open -= 1

    return Counted


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    monkeypatch.setattr(environment_cache, "cores", lambda: 1)


def episodes(game, many, keys=1):
    """All states and outcomes of a batch of episodes, in a compiled program."""

    @jax.jit
    def run(keys):
        choose = lambda time: (time + jnp.arange(many * 2).reshape(many, 2)) % 3
        step = lambda states, time: (lambda after: (after[0], after))(jax.vmap(game.step)(states, choose(time)))
        first = jax.vmap(game.reset)(keys)
        return first, jax.lax.scan(step, first, jnp.arange(HORIZON))[1]

    return jax.block_until_ready(run(jax.random.split(jax.random.key(keys), many)))


def test_so_many_are_stepped_at_once_and_play_the_same(counted):
    serial, parallel = (from_parallel(counted, horizon=HORIZON, live=4, workers=workers) for workers in (0, None))
    expected = episodes(serial, 4)
    assert counted.most_stepping == 1
    jax.tree.map(np.testing.assert_array_equal, expected, episodes(parallel, 4))
    assert counted.most_stepping == 2
    assert parallel.side_by_side == 4


@pytest.mark.parametrize("live", [1, 2, 3])
def test_no_more_are_open_than_may_live(counted, live):
    game = from_parallel(counted, horizon=HORIZON, live=live)
    counted.most_open = counted.open
    serial = from_parallel(changed(), horizon=HORIZON)
    for keys in (1, 2):
        jax.tree.map(np.testing.assert_array_equal, episodes(serial, 4, keys), episodes(game, 4, keys))
    assert counted.most_open == live


class Own(Plain):
    own_process = True


def test_workers_are_threads_of_this_process():
    game = from_parallel(Own, horizon=HORIZON, live=4, workers=2)
    assert isinstance(game.table, Environments)
    plain = from_parallel(Plain, horizon=HORIZON)
    jax.tree.map(np.testing.assert_array_equal, episodes(plain, 3), episodes(game, 3))


def test_one_thread_is_none_and_a_core_has_two():
    assert pool_of(8, 1) is pool_of(1, 8) is pool_of(0, 8) is None
    assert pool_of(None, 8)._max_workers == 2


class Fails(Plain):
    own_process = True

    def rewards(self):
        if self.t == LATE:
            raise KeyError(f"wheel {self.place.sum():.6f}")
        return super().rewards()


def test_an_error_is_that_of_the_first_episode():
    messages = []
    for workers in (0, None):
        game = from_parallel(Fails, horizon=HORIZON, live=3, workers=workers)
        with pytest.raises(Exception, match="wheel"):
            episodes(game, 3)
        messages.append(str(game.raised()))
        assert isinstance(game.raised(), EnvironmentFailure)
        assert np.all(np.isfinite(game.table.reset(float, np.arange(4))[0]))
    assert messages[0] == messages[1]
    assert re.match(rf"the environment plain raised KeyError at step {LATE} ", messages[0])


def test_an_environment_that_fails_is_closed(counted):
    class Breaks(counted):
        def rewards(self):
            return {} if self.t == LATE else super().rewards()

    game = from_parallel(Breaks, horizon=HORIZON, live=2)
    assert counted.open == 2
    with pytest.raises(Exception, match="have no entry"):
        episodes(game, 2)
    assert counted.open == 0


def test_episodes_in_new_environments():
    class Keeps(Kept):
        own_process = True

    with pytest.warns(UserWarning, match="keeps something over a reset"):
        game = from_parallel(Keeps, horizon=HORIZON, live=3)
    np.testing.assert_array_equal(played(game), played(game))
    first, again = episodes(game, 3), episodes(game, 3)
    jax.tree.map(np.testing.assert_array_equal, first, again)


def test_environments_are_closed_and_threads_end_with_the_game(counted):
    before = set(threading.enumerate())
    game = from_parallel(counted, horizon=HORIZON, live=3)
    game.table.reset(float, np.arange(3))
    threads = set(threading.enumerate()) - before
    assert counted.open == 3
    assert len(threads) == 2
    del game
    gc.collect()
    assert counted.open == 0
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
