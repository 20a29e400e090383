"""How this library compiles programs that hold users' losses."""

from collections.abc import Callable
from typing import Any

import jax
import jaxlib.version

# jaxlib 0.10.2 on CPU multiplies a batched matrix by a constant matrix of equal entries wrongly, when it fuses the
# product with its neighbours: a loss with `A @ jnp.zeros(...)` in it gives numbers that are not even near. Products
# that are not fused are right, and as fast (benchmarks/step.py). tests/test_compilation.py tells whether another
# version needs the same.
AFFECTED = ("0.10.2",)
UNFUSED = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
OPTIONS = UNFUSED if jaxlib.version.__version__ in AFFECTED else None


def compiled(*static: str) -> Callable[[Callable], Any]:
    """Compiles a pure function of arrays by `jax.jit`, without what the installed version is known to compile wrongly.

    Args:
        static: Names of arguments that shape the program.

    Returns:
        The decorator.
    """
    options: Any = OPTIONS
    return lambda function: jax.jit(function, static_argnames=static, compiler_options=options)
