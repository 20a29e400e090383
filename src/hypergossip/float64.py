"""Measuring is done in float64, whatever the precision of the run."""

from typing import Any

import jax
import jax.numpy as jnp


def to_float64(tree: Any) -> Any:
    """Returns a tree with its floating arrays in float64, and complex ones in two of them; under ``jax.enable_x64``.

    Args:
        tree: A pytree of arrays; whole numbers stay as they are.
    """

    def cast(leaf: Any) -> Any:
        if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            return leaf.astype(jnp.complex128)
        return leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
