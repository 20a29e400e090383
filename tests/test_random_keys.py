"""The keys of a run: derived without collisions, and the numbers drawn with them are those of JAX's Threefry keys."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from hypergossip.core.random_keys import hashed, random_words, run_key
from hypergossip.engines.keys import agent_key

NUMBERS = {
    "bits": lambda key: jax.random.bits(key, (3, 2)),
    "bytes": lambda key: jax.random.bits(key, (5,), jnp.uint8),
    "64 bits": lambda key: jax.random.bits(key, (3,), jnp.uint64),
    "uniform": lambda key: jax.random.uniform(key, (4,)),
    "normal": lambda key: jax.random.normal(key, (4,)),
    "categorical": lambda key: jax.random.categorical(key, jnp.zeros(5), shape=(4,)),
}
INDICES = [0, 1, 2, 999, 2**31, 2**32 - 1]


def words(keys):
    return np.asarray(jax.random.key_data(keys))


@pytest.mark.parametrize("seed", [0, 3, 2**32 - 1])
def test_the_numbers_of_a_key_are_those_of_jax(seed):
    ours, theirs = run_key(jnp.uint32(seed)), jax.random.key(jnp.uint32(seed))
    both = [jnp.stack([key, jax.random.wrap_key_data(words(key) + 7, impl=key.dtype)]) for key in (ours, theirs)]
    for name, function in NUMBERS.items():
        for call in (function, jax.jit(function)):
            np.testing.assert_array_equal(call(ours), call(theirs), err_msg=name)
        np.testing.assert_array_equal(*map(jax.vmap(function), both), err_msg=name)


def test_an_agents_key_is_a_hash_of_round_and_identity():
    for round, identity in ((0, 0), (5, 3), (2**32 - 1, 2**31)):
        theirs = threefry_2x32(words(run_key(9)), jnp.array([round, identity], jnp.uint32))
        np.testing.assert_array_equal(words(agent_key(run_key(9), np.uint32(round), np.uint32(identity))), theirs)
    plain = jax.random.key(9)
    twice = jax.random.fold_in(jax.random.fold_in(plain, 5), 3)
    np.testing.assert_array_equal(words(hashed(plain, 5, 3)), words(twice))


def test_derived_keys_are_those_of_the_rule_and_split_is_fold_in():
    def rule(key, index):
        wrap = 2**32
        a = (int(key[0]) + index * 0x9E3779B9) % wrap
        a = (a ^ (a >> 16)) * 0x7FEB352D % wrap
        a = (a ^ (a >> 15)) * 0x846CA68B % wrap
        a ^= a >> 16
        b = (int(key[1]) + a) * 0x7FEB352D % wrap
        return a, b ^ (b >> 16)

    key = agent_key(run_key(1), 2, 3)
    for index in INDICES:
        np.testing.assert_array_equal(words(jax.random.fold_in(key, np.uint32(index))), rule(words(key), index))
    np.testing.assert_array_equal(
        words(jax.random.split(key, (2, 3))).reshape(6, 2),
        words(jax.vmap(lambda j: jax.random.fold_in(key, j))(jnp.arange(6))),
    )


def test_different_paths_give_different_keys():
    """Two steps down from one key never meet: the map is a bijection. Three steps, and other keys, by count."""
    root, down = agent_key(run_key(0), 0, 0), lambda key: jax.random.split(key, 40)
    found = [root[None]]
    for _ in range(3):
        found.append(jax.vmap(down)(found[-1]).ravel())
    other = jax.vmap(lambda i: agent_key(run_key(0), i, i))(jnp.arange(1, 2000))
    everything = np.concatenate([words(keys) for keys in (*found, other, jax.vmap(down)(other).ravel())])
    assert len(np.unique(everything, axis=0)) == len(everything) == 1 + 40 + 1600 + 64_000 + 1999 * 41


def test_the_numbers_of_related_keys_are_uniform_and_uncorrelated():
    """Bits of keys that differ in one index, or in one step of the path, agree as often as those of fair coins do."""
    root = agent_key(run_key(4), 1, 1)
    ways = {
        "siblings": jax.random.split(root, 4096),
        "rounds": jax.vmap(lambda t: jax.random.split(agent_key(run_key(4), t, 1))[0])(jnp.arange(4096)),
        "agents": jax.vmap(lambda i: jax.random.split(agent_key(run_key(4), 1, i))[1])(jnp.arange(4096)),
        "children": jax.vmap(lambda key: jax.random.fold_in(key, 0))(jax.random.split(root, 4096)),
    }
    drawn = {name: np.asarray(jax.vmap(lambda key: random_words(key, 8))(keys)) for name, keys in ways.items()}
    bits = {name: np.unpackbits(np.ascontiguousarray(v).view(np.uint8)) for name, v in drawn.items()}
    for name, own in bits.items():
        own = own.reshape(4096, -1)
        half = 0.5 / np.sqrt(own.size)  # the standard deviation of the mean of fair coins
        assert abs(own.mean() - 0.5) < 4 * half, name
        assert abs((own[1:] ^ own[:-1]).mean() - 0.5) < 4 * half, name
        each = np.abs(own.mean(axis=0) - 0.5).max()
        assert each < 5 * 0.5 / np.sqrt(4096), name
    for one, other in itertools.combinations(bits, 2):
        assert abs((bits[one] ^ bits[other]).mean() - 0.5) < 4 * 0.5 / np.sqrt(bits[one].size), (one, other)


@pytest.mark.parametrize("size", [1, 2, 7, 32])
def test_words_use_both_words_of_a_block(size):
    theirs = threefry_2x32(jax.random.key_data(jax.random.key(5)), jnp.arange(size, dtype=jnp.uint32))
    np.testing.assert_array_equal(random_words(run_key(5), size), theirs)
    np.testing.assert_array_equal(random_words(jax.random.key(5), size), theirs)
    assert random_words(jax.random.key(5, impl="rbg"), size).shape == (size,)
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(random_words(run_key(5), size), theirs)


def test_the_older_scheme_of_drawing_is_that_of_jax_too():
    with jax.threefry_partitionable(False):
        ours, theirs = (jax.random.normal(make(2), (3,)) for make in (run_key, jax.random.key))
    np.testing.assert_array_equal(ours, theirs)
