"""What was tried for drawing a batch of 64 rows of 22 features: the random words, and the rows."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.random import threefry_2x32

from benchmarks.timing import alternate, report

ROWS, FEATURES, BATCH, TURNS = 1000, 22, 64, 1000


def gather(rows):
    """Rows drawn one by one: i.i.d. samples."""
    return lambda key, data: data[rows(key) % ROWS]


def block(key, data):
    """A random contiguous block."""
    return lax.dynamic_slice_in_dim(data, jax.random.randint(key, (), 0, ROWS - BATCH), BATCH)


def permutation(key, data):
    """What a sampler that reshuffles inside a mapped branch pays in every step."""
    return data[jax.random.permutation(key, ROWS)[:BATCH]]


WAYS = {
    "jax.random.randint, gather": gather(lambda key: jax.random.randint(key, (BATCH,), 0, ROWS)),
    "jax.random.bits, gather": gather(lambda key: jax.random.bits(key, (BATCH,), jnp.uint32)),
    "both words of a Threefry block, gather (iid)": gather(
        lambda key: threefry_2x32(jax.random.key_data(key), jnp.arange(BATCH, dtype=jnp.uint32))
    ),
    "one random start, slice (blocks)": block,
    "reshuffled rows, gather": permutation,
}


def main() -> None:
    """Prints microseconds a batch and agent."""
    rows = []
    for agents in (1, 32):
        data = jax.random.normal(jax.random.key(0), (agents, ROWS, FEATURES))
        keys = jax.random.split(jax.random.key(1), agents)

        def many(way, data=data, keys=keys):
            def body(t, total):
                return total + jax.vmap(lambda key, own: way(jax.random.fold_in(key, t), own))(keys, data)

            return jax.jit(lambda total: lax.fori_loop(0, TURNS, body, total))

        start = jnp.zeros((agents, BATCH, FEATURES))
        programs = {name: partial(many(way), start) for name, way in WAYS.items()}
        for name, seconds in alternate(programs, repeats=5).items():
            rows.append((f"{agents} agents, {name}", f"{seconds.min() / TURNS / agents * 1e6:.2f}"))
    report("one batch of 64 rows, microseconds an agent", rows)


if __name__ == "__main__":
    main()
