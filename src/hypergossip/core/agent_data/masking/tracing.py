"""A user's loss on the first rows of padded data, when the number of the agent's own rows is known only at run time.

The loss is traced once with a symbolic number of rows, n. Its program then runs on arrays of N >= n rows. Operations
that reduce over rows exclude the padding, the number n in the program (as in a mean) is that of the agent, and all
other operations treat rows equally. Along row axes the agent's rows come before the padding. The padding repeats real
rows, so that values computed from it are finite if those computed from the real rows are.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr

from hypergossip.core.agent_data.masking.programs import run
from hypergossip.core.agent_data.masking.rows import ROWS, CannotMask, Rows


def on_own_rows(loss: Callable, x: Any, y: Any, batch: Any, own: Any) -> Any:
    """Returns ``loss(x, y, batch)`` on the first `own` rows of a padded batch.

    Args:
        loss: f(x, y, batch) -> scalar.
        x: The user's pytree.
        y: The user's pytree.
        batch: A pytree, leaves (N, ...). Rows from `own` on are padding, and should repeat real rows.
        own: n <= N, a scalar, usually traced.

    Raises:
        CannotMask: If the loss cannot be run on padded rows.
    """
    leaves, structure = jax.tree.flatten((x, y, batch))
    rows = {leaf.shape[0] for leaf in jax.tree.leaves(batch)}
    fixed = len(leaves) - len(jax.tree.leaves(batch))
    kinds = tuple(
        (jnp.shape(leaf) if k < fixed else jnp.shape(leaf)[1:], jnp.asarray(leaf).dtype, k >= fixed)
        for k, leaf in enumerate(leaves)
    )
    program = _traced(_Identity(loss), structure, kinds, bool(jax.config.read("jax_enable_x64")))
    (value,) = run(program, leaves, Rows(rows.pop(), own))
    return value


class _Identity:
    """A function compared and hashed by identity, even if it is not hashable."""

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.function is other.function

    def __hash__(self) -> int:
        return id(self.function)


@lru_cache(maxsize=64)
def _traced(loss: _Identity, structure: Any, kinds: tuple, x64: bool) -> ClosedJaxpr:
    """Traces a loss with a symbolic number of rows; `x64` only distinguishes the entries of the cache."""
    (n,) = jax.export.symbolic_shape(ROWS)
    shapes = [jax.ShapeDtypeStruct((n, *shape) if row else shape, dtype) for shape, dtype, row in kinds]
    try:
        # A symbolic number is an integer array instead of a Python number, so it needs standard promotion with floats.
        with jax.numpy_dtype_promotion("standard"):
            return jax.make_jaxpr(lambda *leaves: loss.function(*jax.tree.unflatten(structure, leaves)))(*shapes)
    except Exception as error:
        raise CannotMask(f"it needs its number of rows while it is traced ({type(error).__name__})") from error
