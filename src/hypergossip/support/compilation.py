"""How this library compiles programs that hold users' losses."""

from collections.abc import Callable
from typing import Any

import jax
import jaxlib.version

# jaxlib 0.10.2 on CPU multiplies a matrix by one of equal entries (zeros, or a number broadcast) wrongly where it fuses
# the product with its neighbours and the matrix is large: the logarithm of the softmax of `A @ jnp.zeros((784, 10))`,
# and its derivatives, are not even near in more than half of all compilations, for a batch of matrices and for a
# single one. Products that are not fused are right, and as fast (benchmarks/step.py). tests/test_compilation.py shows
# the fault on the versions listed here, and tells whether another one needs the same.
AFFECTED = ("0.10.2",)
UNFUSED = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
OPTIONS = UNFUSED if jaxlib.version.__version__ in AFFECTED else None
# Takes half the time to compile for a CPU; matrix products stay as fast, elementwise operations become slower.
QUICK = {"xla_backend_optimization_level": 0}


def compiled(*static: str, quickly: bool = False) -> Callable[[Callable], Any]:
    """Compiles a pure function of arrays by `jax.jit`, without what the installed version is known to compile wrongly.

    What holds a user's function is compiled by this alone, also where it is called only once: operations that are
    called one by one are right, but within them loops, branches (`jax.lax.scan`, `map`, `cond`) and functions that the
    user has compiled are programs of their own, compiled with the fault. Inside a program that is compiled by this
    they are a part of it; JAX refuses options for a program inside another, so that this one must be the outermost.

    Args:
        static: Names of arguments that shape the program.
        quickly: Compile in half the time what is called once on little data, on a CPU.

    Returns:
        The decorator.
    """
    options: Any = (OPTIONS or {}) | QUICK if quickly else OPTIONS
    return lambda function: jax.jit(function, static_argnames=static, compiler_options=options)
