"""The keys of a run have the numbers of JAX's own Threefry keys, bit for bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from hypergossip.core.random_keys import random_words, run_key

KEYS = {
    "itself": lambda key: key,
    "fold_in": lambda key: jax.random.fold_in(key, jnp.uint32(2**32 - 1)),
    "split": lambda key: jax.random.split(key, 3),
    "split in a shape": lambda key: jax.random.split(jax.random.fold_in(key, 7), (2, 3)),
}
NUMBERS = {
    "bits": lambda key: jax.random.bits(key, (3, 2)),
    "bytes": lambda key: jax.random.bits(key, (5,), jnp.uint8),
    "64 bits": lambda key: jax.random.bits(key, (3,), jnp.uint64),
    "uniform": lambda key: jax.random.uniform(key, (4,)),
    "normal": lambda key: jax.random.normal(key, (4,)),
    "randint": lambda key: jax.random.randint(key, (4,), 0, 10),
    "permutation": lambda key: jax.random.permutation(key, 9),
    "categorical": lambda key: jax.random.categorical(key, jnp.zeros(5), shape=(4,)),
}


@pytest.mark.parametrize("seed", [0, 3, 2**32 - 1])
def test_keys_and_numbers_are_those_of_jax(seed):
    ours, theirs = run_key(jnp.uint32(seed)), jax.random.key(jnp.uint32(seed))
    for name, function in KEYS.items():
        data = [np.asarray(jax.random.key_data(function(key))) for key in (ours, theirs)]
        np.testing.assert_array_equal(*data, err_msg=name)
    for name, function in NUMBERS.items():
        for call in (function, jax.jit(function), lambda key, f=function: jax.vmap(f)(jax.random.split(key, 2))):
            np.testing.assert_array_equal(call(ours), call(theirs), err_msg=name)


@pytest.mark.parametrize("size", [1, 2, 7, 32])
def test_words_use_both_words_of_a_block(size):
    theirs = threefry_2x32(jax.random.key_data(jax.random.key(5)), jnp.arange(size, dtype=jnp.uint32))
    np.testing.assert_array_equal(random_words(run_key(5), size), theirs)
    np.testing.assert_array_equal(random_words(jax.random.key(5), size), theirs)
    assert random_words(jax.random.key(5, impl="rbg"), size).shape == (size,)
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(random_words(run_key(5), size), theirs)


def test_the_older_scheme_of_splitting_is_that_of_jax_too():
    with jax.threefry_partitionable(False):
        ours, theirs = (jax.random.normal(jax.random.split(make(2))[1], (3,)) for make in (run_key, jax.random.key))
    np.testing.assert_array_equal(ours, theirs)
