#!/usr/bin/env bash
# jax and jaxlib 0.10.2: Primitive.get_bind_params returns one dict, not a pair.
#
# Interpreters of jaxprs, by which one inspects or rewrites a traced step, evaluate an equation as
# `functions, params = eqn.primitive.get_bind_params(eqn.params)` and `bind(*functions, *values, **params)`. In 0.10.2
# the method returns the parameters alone. Unpacking the dict in two raises ValueError for most equations, but for one
# with exactly two parameters it gives their two names, so that the error comes later, and says nothing about the cause.
#
# Exits with 0 where the result is one dict whose two names can be unpacked, and with 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import jax
import jax.numpy as jnp

program = jax.make_jaxpr(lambda x: jnp.sort(x).sum())(jnp.zeros(3))
seen = {"dict": 0, "two names": 0}
for eqn in program.jaxpr.eqns:
    found = eqn.primitive.get_bind_params(eqn.params)
    try:
        functions, params = found
        unpacked = f"unpacks into {functions!r} and {params!r}"
        seen["two names"] += isinstance(functions, str)
    except ValueError as error:
        unpacked = f"does not unpack ({error})"
    seen["dict"] += isinstance(found, dict)
    print(f"{eqn.primitive.name}: {type(found).__name__} with {len(found)} names; {unpacked}")
sys.exit(not (seen["dict"] == len(program.jaxpr.eqns) and seen["two names"]))
PYTHON
