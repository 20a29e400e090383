#!/usr/bin/env bash
# jax and jaxlib 0.10.2, CPU: compiled, the logarithm of the softmax of A @ zeros is wrong in most compilations.
#
# A has 1,000 rows and 784 columns in float32, the zeros 784 rows and 10 columns, as a linear classifier at its usual
# start. Every entry of the result is -log(10). Compiled by jax.jit, more than half of 16 programs that differ in a
# constant added to the product return other numbers, a given program always the same ones; operation by operation, without jit,
# all are right. So the loss and gradient of a classifier that starts at zero may be wrong, in silence. With
# the compiler option xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT all 16 are right.
#
# Exits with 0 where some of the 16 are wrong without the option and none with it, and with 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2
cat >"$folder/product.py" <<'PYTHON'
import sys

import jax
import jax.numpy as jnp
import numpy as np

A = np.random.default_rng(0).standard_normal((1000, 784)).astype(np.float32)
OPTION = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}


def wrong(options):
    found = 0
    for turn in range(16):
        function = lambda A: jax.nn.log_softmax(A @ jnp.zeros((784, 10), jnp.float32) + jnp.float32(turn))
        result = jax.jit(function, compiler_options=options)(A)
        found += not np.allclose(result, -np.log(10), atol=1e-3)
    return found


plain, mended = wrong(None), wrong(OPTION)
print(f"wrong programs of 16: {plain} as compiled by default, {mended} with the option")
sys.exit(not (plain > 0 and mended == 0))
PYTHON
JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/product.py"
