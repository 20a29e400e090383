"""Random keys of a run: deriving a key costs a few operations, and the numbers drawn with it are those of Threefry.

A round derives more keys than it draws numbers, and for the few numbers that one agent draws, the hash of Threefry
(Salmon et al. 2011) takes longer than a gradient. Only two things are hashed here: (run, round, agent), once a round,
and what is drawn. In between, `jax.random.split` and `jax.random.fold_in` apply a map that is a bijection in the key
and in the index: keys derived from one key in one step or in two all differ, and others coincide only as rarely as
random words of 64 bits. This suffices, because Threefry's numbers for related keys are independent.

On a CPU, hashes are unrolled: JAX lowers them to a loop of five iterations, each of several small operations, which
take longer to start than to compute.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl, threefry_2x32, threefry_prng_impl

from hypergossip.support.threefry import threefry_words

STEP = np.uint32(0x9E3779B9)  # odd, so that every index moves the first word differently
MULTIPLIERS = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)  # odd; Wellons' two-round hash of 32 bits

STREAMS = "threefry2x32_with_derived_keys"  # a run with other streams cannot be resumed


@jax.jit  # traced once for each shape, because the steps of the hash take longer to trace than most methods
def threefry(key: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Returns the two words of Threefry-2x32 with 20 rounds (Salmon et al. 2011), unrolled.

    Args:
        key: The key, (2,) in uint32.
        first: The first words of the counters, uint32.
        second: The second words, of the same shape.
    """
    return threefry_words(key, first, second)


@jax.jit
def _derived(key: Any, index: Any) -> Any:
    """Returns the keys of these indices, (..., 2); a bijection in the key and in the index."""
    a = key[0] + index * STEP
    a = (a ^ (a >> np.uint32(16))) * MULTIPLIERS[0]
    a = (a ^ (a >> np.uint32(15))) * MULTIPLIERS[1]
    a = a ^ (a >> np.uint32(16))
    b = (key[1] + a) * MULTIPLIERS[0]
    return jnp.stack([a, b ^ (b >> np.uint32(16))], axis=-1)


def _split(key: Any, shape: tuple[int, ...]) -> Any:
    return _derived(key, jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape))


def _fold_in(key: Any, data: Any) -> Any:
    return _derived(key, jnp.asarray(data, jnp.uint32))


def _unrolled() -> bool:
    """Returns whether hashes are unrolled. Other devices have kernels for them; JAX's older scheme is not repeated."""
    return jax.default_backend() == "cpu" and bool(jax.config.values["jax_threefry_partitionable"])


def _random_bits(key: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
    if not _unrolled() or bit_width != 32 or math.prod(shape) >= 2**32:
        return threefry_prng_impl.random_bits(key, bit_width, shape)
    numbers = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
    first, second = threefry(key, jnp.zeros_like(numbers), numbers)
    return first ^ second


KEYS = define_prng_impl(
    key_shape=threefry_prng_impl.key_shape,
    seed=threefry_prng_impl.seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=_fold_in,
    name=STREAMS,
    tag="dfry",
)


def run_key(seed: Any) -> Any:
    """Returns the key of a run, from which all its random numbers are derived."""
    return jax.random.key(seed, impl=KEYS)


def hashed(key: Any, first: Any, second: Any) -> Any:
    """Returns the key whose words are those of Threefry for the counter (first, second).

    Args:
        key: The key of a run. A key of another kind is folded with the two numbers in turn.
        first: A whole number, uint32.
        second: Likewise.
    """
    if str(jax.random.key_impl(key)) != str(KEYS):
        return jax.random.fold_in(jax.random.fold_in(key, first), second)
    counter = jnp.asarray(first, jnp.uint32), jnp.asarray(second, jnp.uint32)
    return jax.random.wrap_key_data(jnp.stack(threefry(jax.random.key_data(key), *counter)), impl=KEYS)


def random_words(key: Any, size: int) -> Any:
    """Returns independent random words of 32 bits, (size,).

    `jax.random.bits` uses a whole block of Threefry, two words, for each word. This function uses both words. Mapped
    over agents it is five times faster.
    """
    name = str(jax.random.key_impl(key))
    if name not in ("threefry2x32", str(KEYS)):
        return jax.random.bits(key, (size,), jnp.uint32)
    if not _unrolled():
        return threefry_2x32(jax.random.key_data(key), jnp.arange(size, dtype=jnp.uint32))
    numbers = jnp.arange(size + size % 2, dtype=jnp.uint32).at[size:].set(0).reshape(2, -1)
    return jnp.concatenate(threefry(jax.random.key_data(key), *numbers))[:size]
