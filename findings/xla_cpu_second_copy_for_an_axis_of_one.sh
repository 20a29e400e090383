#!/usr/bin/env bash
# jax and jaxlib 0.10.2, CPU: data cast to float64 inside jax.vmap over one entry are held twice, without it once.
#
# A loop (jax.lax.map) takes one client's float32 data at a time, casts them to float64, and uses them for a gradient
# and, in an inner loop, for products with the Hessian. Written for blocks of several clients, the function is mapped
# over the block by jax.vmap. With blocks of one client XLA then holds two float64 copies of the data, one with the axis
# of one and one without it; called on the client itself, without jax.vmap, it holds one.
#
# Exits with 0 where the temporary memory is about twice the data's with jax.vmap and once without, and 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2
cat >"$folder/copies.py" <<'PYTHON'
import sys

import jax
import jax.numpy as jnp
from jax import lax

jax.config.update("jax_enable_x64", True)
BLOCKS, ROWS, COLUMNS = 4, 12_000, 1_000


def measured(A, y):
    """A gradient, and a few steps of the power iteration, in float64."""
    A = A.astype(jnp.float64)
    gradient = jax.grad(lambda y: jnp.mean((A @ y - 1) ** 2))
    product = jax.linearize(gradient, y)[1]
    step = lambda _, v: product(v) / jnp.linalg.norm(v)
    return gradient(y) + lax.fori_loop(0, 20, step, jnp.ones_like(y))


def copies(mapped):
    def one(i, data, y):
        block = lax.dynamic_slice_in_dim(data, i, 1)
        return jax.vmap(measured, (0, None))(block, y) if mapped else measured(block[0], y)[None]

    program = jax.jit(lambda data, y: lax.map(lambda i: one(i, data, y), jnp.arange(BLOCKS)))
    data = jax.ShapeDtypeStruct((BLOCKS, ROWS, COLUMNS), jnp.float32)
    compiled = program.lower(data, jax.ShapeDtypeStruct((COLUMNS,), jnp.float64)).compile()
    return compiled.memory_analysis().temp_size_in_bytes / (8 * ROWS * COLUMNS)


with_axis, without = copies(True), copies(False)
print(f"float64 copies of a block: {with_axis:.2f} with jax.vmap over one entry, {without:.2f} without")
sys.exit(not (1.9 < with_axis < 2.1 and 0.9 < without < 1.1))
PYTHON
JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/copies.py"
