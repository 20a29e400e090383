"""Compilation of programs that contain users' losses."""

from collections.abc import Callable
from typing import Any

import jax
import jaxlib.version

# jaxlib 0.10.2 on CPU computes wrong products of a large matrix with one of equal entries (zeros or a broadcast
# number) if it fuses the product with adjacent operations. In more than half of all compilations, the logarithm of the
# softmax of `A @ jnp.zeros((784, 10))` and its derivatives are far off, for a batch of matrices and for a single one.
# Products that are not fused are correct and as fast (benchmarks/step.py). tests/test_compilation.py shows the bug on
# the versions listed here, and detects whether another version needs the same options.
AFFECTED = ("0.10.2",)
UNFUSED = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
OPTIONS = UNFUSED if jaxlib.version.__version__ in AFFECTED else None
# Halves the compilation time on a CPU. Matrix products stay as fast, but elementwise operations become slower.
QUICK = {"xla_backend_optimization_level": 0}
# Does not distribute single operations over the cores of a CPU.
ONE_CORE = {"xla_disable_hlo_passes": "cpu-parallel-task-assigner"}


def compiled(*static: str, quickly: bool = False, one_core: bool = False) -> Callable[[Callable], Any]:
    """Compiles a pure function of arrays by `jax.jit`, with options that avoid a known bug of the installed version.

    All programs that contain a user's function are compiled by this function, even if they are called only once.
    Operations that are called one by one are correct, but loops and branches in them (`jax.lax.scan`, `map`, `cond`)
    and functions that the user has compiled are separate programs, which are affected by the bug. Inside a program
    compiled by this function they are a part of it. JAX refuses options for a program inside another one, so this
    function must compile the outermost program.

    Args:
        static: Names of arguments that shape the program.
        quickly: Whether to halve the compilation time on a CPU, for programs that are called once on little data.
        one_core: Whether the program should not distribute single operations over the cores of a CPU.

    Returns:
        The decorator.
    """
    options: Any = (OPTIONS or {}) | (QUICK if quickly else {}) | (ONE_CORE if one_core else {}) or None
    return lambda function: jax.jit(function, static_argnames=static, compiler_options=options)
