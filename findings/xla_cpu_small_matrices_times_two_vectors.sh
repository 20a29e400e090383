#!/usr/bin/env bash
# jax and jaxlib 0.10.2, CPU: 4 x 4 matrices times two vectors each take 20 times as long as times one vector.
#
# A batch of many small matrices, one for each client, is multiplied by one vector each (jax.vmap over the clients) or
# by two vectors each (a second jax.vmap, over two points or two random seeds). The first is compiled to code that takes
# some nanoseconds for a matrix. The second calls a general matrix product for every matrix, which takes hundreds.
# The sums of products, (A * v).sum(axis=-1), do not have this cost.
#
# Exits with 0 where two vectors take more than five times as long as one and as the sums, and 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2
cat >"$folder/products.py" <<'PYTHON'
import statistics
import sys
import time

import jax
import jax.numpy as jnp

CLIENTS, SIZE = 100_000, 4
A = jax.random.normal(jax.random.key(0), (CLIENTS, SIZE, SIZE))
v = jax.random.normal(jax.random.key(1), (2, CLIENTS, SIZE))
product = jax.vmap(lambda A, v: A @ v)
sums = jax.vmap(lambda A, v: (A * v).sum(axis=-1))
calls = {
    "one vector, products": (jax.jit(product), v[0]),
    "two vectors, products": (jax.jit(jax.vmap(product, (None, 0))), v),
    "two vectors, sums of products": (jax.jit(jax.vmap(sums, (None, 0))), v),
}
seconds = {}
for name, (run, vectors) in calls.items():
    run(A, vectors).block_until_ready()
    turns = []
    for _ in range(9):
        begin = time.perf_counter()
        run(A, vectors).block_until_ready()
        turns.append(time.perf_counter() - begin)
    seconds[name] = statistics.median(turns)
    print(f"{name}: {seconds[name] / CLIENTS * 1e9:.0f} ns for a matrix")
one, two, summed = seconds.values()
sys.exit(not (two > 5 * one and two > 5 * summed))
PYTHON
JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/products.py"
