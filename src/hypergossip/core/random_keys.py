"""Random keys whose hashes are unrolled on a CPU: the same numbers as JAX's Threefry keys, computed faster.

JAX lowers Threefry (Salmon et al. 2011) on a CPU to a loop of five iterations, each of several small operations. For
the few words that an agent draws in a round, starting these operations takes longer than the hash itself. The
operations of an unrolled hash become one.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl, threefry_2x32, threefry_prng_impl

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def threefry(key: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Returns the two words of Threefry-2x32 with 20 rounds (Salmon et al. 2011), unrolled.

    Args:
        key: The key, (2,) in uint32.
        first: The first words of the counters, uint32.
        second: The second words, of the same shape.
    """
    schedule = key[0], key[1], key[0] ^ key[1] ^ PARITY
    a, b = first + schedule[0], second + schedule[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            a = a + b
            b = (b << np.uint32(rotation)) | (b >> np.uint32(32 - rotation))
            b = a ^ b
        a, b = a + schedule[(group + 1) % 3], b + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return a, b


def _unrolled() -> bool:
    """Returns whether hashes are unrolled. Other devices have kernels for them; JAX's older scheme is not repeated."""
    return jax.default_backend() == "cpu" and bool(jax.config.values["jax_threefry_partitionable"])


def _counters(shape: tuple[int, ...]) -> tuple[Any, Any]:
    numbers = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
    return jnp.zeros_like(numbers), numbers


def _split(key: Any, shape: tuple[int, ...]) -> Any:
    if not _unrolled():
        return threefry_prng_impl.split(key, shape)
    return jnp.stack(threefry(key, *_counters(shape)), axis=-1)


def _random_bits(key: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
    if not _unrolled() or bit_width != 32 or math.prod(shape) >= 2**32:
        return threefry_prng_impl.random_bits(key, bit_width, shape)
    first, second = threefry(key, *_counters(shape))
    return first ^ second


def _fold_in(key: Any, data: Any) -> Any:
    if not _unrolled():
        return threefry_prng_impl.fold_in(key, data)
    data = jnp.asarray(data, jnp.uint32)
    return jnp.stack(threefry(key, jnp.zeros_like(data), data))


UNROLLED = define_prng_impl(
    key_shape=threefry_prng_impl.key_shape,
    seed=threefry_prng_impl.seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=_fold_in,
    name="unrolled_threefry2x32",
    tag="ufry",
)


def run_key(seed: Any) -> Any:
    """Returns the key of a run, from which all its random numbers are derived."""
    return jax.random.key(seed, impl=UNROLLED)


def random_words(key: Any, size: int) -> Any:
    """Returns independent random words of 32 bits, (size,).

    `jax.random.bits` uses a whole block of Threefry, two words, for each word. This function uses both words. Mapped
    over agents it is five times faster.
    """
    name = str(jax.random.key_impl(key))
    if name not in ("threefry2x32", str(UNROLLED)):
        return jax.random.bits(key, (size,), jnp.uint32)
    if not _unrolled():
        return threefry_2x32(jax.random.key_data(key), jnp.arange(size, dtype=jnp.uint32))
    numbers = jnp.arange(size + size % 2, dtype=jnp.uint32).at[size:].set(0).reshape(2, -1)
    return jnp.concatenate(threefry(jax.random.key_data(key), *numbers))[:size]
