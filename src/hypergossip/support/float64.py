"""Measuring is done in float64, whatever the precision of the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp


def to_float64(tree: Any) -> Any:
    """Returns a tree with its floating arrays in float64, and complex ones in two of them; under ``jax.enable_x64``.

    Args:
        tree: A pytree of arrays; whole numbers stay as they are. A node with a method `in_float64` says itself what
            it becomes.
    """
    casts_itself = lambda node: hasattr(node, "in_float64")

    def cast(leaf: Any) -> Any:
        if casts_itself(leaf):
            return leaf.in_float64()
        if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            return leaf.astype(jnp.complex128)
        return leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree, is_leaf=casts_itself)


@contextmanager
def in_float64(calls_python: bool = False) -> Iterator[None]:
    """Switches 64 bits on for what runs within, which must be waited for within.

    Args:
        calls_python: Do the programs call Python functions back? These run in threads of their own, for which JAX's
            switch of one thread does not hold: the process's is switched, too.
    """
    before = bool(jax.config.read("jax_enable_x64"))
    switched = calls_python and not before
    if switched:
        jax.config.update("jax_enable_x64", True)
    try:
        with jax.enable_x64(True):
            yield
    finally:
        if switched:
            jax.config.update("jax_enable_x64", False)


def calls_python(oracles: Any) -> bool:
    """Do these oracles' losses call Python functions back?"""
    form = getattr(getattr(oracles, "oracles", oracles), "form", None)
    return getattr(form, "calls_python", False)
