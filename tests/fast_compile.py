"""How the tests compute: in fast_compile, in this process and in those that it starts.

The programs here are small: nearly all the time is XLA's, and most of that goes into making them fast. Without it they
compile about four times faster, and a tenth faster still in one piece each. README's snippet and a part of the laws
(programs/test_users_compiler.py) are compiled as users' programs are.

Next is NumPy's BLAS, whose threads wait for each other by spinning, for which two workers on two cores leave no room.
"""

import os

import jax
import jaxlib.version

USERS = "HYPERGOSSIP_USERS_COMPILER"  # set: compile as for users
USERS_PRECISION = "HYPERGOSSIP_USERS_PRECISION"  # set: float32, as users run
FLAGS = ("--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1")


def compile_fast() -> None:
    """Takes effect if JAX has not been used yet; for BLAS, in workers of `pytest -n` and other processes to come."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.environ.get(USERS):
        return
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    jax.config.update("jax_disable_most_optimizations", True)
    if jaxlib.version.__version__.startswith("0.10."):  # XLA ends a process that is given a flag that it does not know
        os.environ["XLA_FLAGS"] = " ".join((*FLAGS, _other_flags()))


def users_environment(precision: bool = False) -> dict[str, str]:
    """Returns the environment of a process that compiles as users' do, and has their precision if asked for."""
    hasty = ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")
    kept = {name: value for name, value in os.environ.items() if name not in hasty}
    return kept | {USERS: "1", "XLA_FLAGS": _other_flags()} | ({USERS_PRECISION: "1"} if precision else {})


def _other_flags() -> str:
    """Those that are not the tests'; a worker of `pytest -n` inherits the tests' from its parent."""
    return " ".join(flag for flag in os.environ.get("XLA_FLAGS", "").split() if flag not in FLAGS)
