#!/usr/bin/env bash
# jax and jaxlib 0.10.2, CPU with two or more cores: 64 rows are copied from a large array by two threads, which takes
# longer than one thread takes.
#
# The step of stochastic gradient descent selects 64 of 50,000 rows by random indices. XLA estimates the work of the
# selection by the size of the array that is selected from (4.4 MB) and not by what is read of it (6 kB), so in a loop
# of steps it distributes every selection over two threads and waits for both. Selected from an array of 1,000 rows, the
# same 64 rows are copied by one thread. No option of jax.jit is documented that says so; the pass that decides it can
# be disabled by name.
#
# Exits with 0 where the compiled program partitions the selection from the large array only and is slower for it, and
# 1 otherwise. Needs two cores.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2
cat >"$folder/rows.py" <<'PYTHON'
import statistics
import sys
import time

import jax
import jax.numpy as jnp
from jax import lax

STEPS, BATCH, COLUMNS = 20_000, 64, 22
ONE_THREAD = {"xla_disable_hlo_passes": "cpu-parallel-task-assigner"}


def program(rows, options=None):
    """The compiled loop of steps on an array of so many rows, and its argument."""
    A = jax.random.normal(jax.random.key(0), (rows, COLUMNS))

    def step(i, y):
        words = jnp.arange(BATCH, dtype=jnp.uint32) * jnp.uint32(2654435761) + i.astype(jnp.uint32)
        batch = A.at[(words % rows).astype(jnp.int32)].get(mode="promise_in_bounds")
        return y - 1e-3 * (batch @ y - 1) @ batch / BATCH

    run = jax.jit(lambda y: lax.fori_loop(0, STEPS, step, y), compiler_options=options)
    return run.lower(jnp.zeros(COLUMNS)).compile()


programs = {
    "50,000 rows": program(50_000),
    "50,000 rows, without the pass": program(50_000, ONE_THREAD),
    "1,000 rows": program(1_000),
}
seconds = {name: [] for name in programs}
for _ in range(9):
    for name, run in programs.items():
        begin = time.perf_counter()
        run(jnp.zeros(COLUMNS)).block_until_ready()
        seconds[name].append(time.perf_counter() - begin)
split = {}
for name, run in programs.items():
    split[name] = any("gather" in line and "outer_dimension_partitions" in line for line in run.as_text().splitlines())
    each = statistics.median(seconds[name]) / STEPS * 1e6
    print(f"{name}: {each:.2f} us a step, {'two threads' if split[name] else 'one thread'}")
slower = statistics.median(a / b for a, b in zip(seconds["50,000 rows"], seconds["50,000 rows, without the pass"]))
print(f"with two threads a step takes {slower:.1f} times as long")
sys.exit(not (list(split.values()) == [True, False, False] and slower > 1.2))
PYTHON
JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/rows.py"
