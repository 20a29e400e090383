"""Measuring is done in float64, whatever the precision of the run."""

from typing import Any

import jax
import jax.numpy as jnp


def to_float64(tree: Any) -> Any:
    """Returns a tree with its floating arrays in float64; only under ``jax.enable_x64``.

    Args:
        tree: A pytree of arrays; whole numbers stay as they are.
    """
    cast = lambda leaf: leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
    return jax.tree.map(cast, tree)
