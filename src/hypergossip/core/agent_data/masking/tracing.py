"""A user's loss on the first rows of padded data, where how many rows are an agent's own is known at run time only.

The loss is traced once with a symbolic number of rows, n. Its program is then run on arrays of N >= n rows: whatever
reduces over rows leaves the padding out, the number n in the program (as in a mean) is the agent's own, and everything
else treats rows alike. Row axes keep the agent's rows before the padding, and the padding repeats real rows, so that
nothing computed from it is less finite than what is computed from the rows themselves.
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
        batch: Pytree, leaves (N, ...); the rows from `own` on are padding, and should repeat real rows.
        own: n <= N, a scalar, mostly traced.

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
    program = _traced(_Itself(loss), structure, kinds, bool(jax.config.read("jax_enable_x64")))
    (value,) = run(program, leaves, Rows(rows.pop(), own))
    return value


class _Itself:
    """A function that equals nothing but itself, whether or not it is hashable."""

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.function is other.function

    def __hash__(self) -> int:
        return id(self.function)


@lru_cache(maxsize=64)
def _traced(loss: _Itself, structure: Any, kinds: tuple, x64: bool) -> ClosedJaxpr:
    """Traces a loss with a symbolic number of rows; `x64` only tells the entries of the cache apart."""
    (n,) = jax.export.symbolic_shape(ROWS)
    shapes = [jax.ShapeDtypeStruct((n, *shape) if row else shape, dtype) for shape, dtype, row in kinds]
    try:
        # A symbolic number is an array of whole numbers where a plain one is Python's, so it mixes with floats less.
        with jax.numpy_dtype_promotion("standard"):
            return jax.make_jaxpr(lambda *leaves: loss.function(*jax.tree.unflatten(structure, leaves)))(*shapes)
    except Exception as error:
        raise CannotMask(f"it needs its number of rows while it is traced ({type(error).__name__})") from error
