"""Measurements use float64, independently of the precision of the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp

COMPLEX = {"float64": "complex128", "float32": "complex64"}


def to_float64(tree: Any) -> Any:
    """Returns a tree with floating arrays in float64 and complex arrays in complex128, under ``jax.enable_x64``."""
    return in_precision(tree, "float64")


def to_float32(tree: Any) -> Any:
    """Returns a tree with floating arrays in float32 and complex arrays in complex64."""
    return in_precision(tree, "float32")


def in_precision(tree: Any, name: str) -> Any:
    """Returns a tree with floating and complex arrays in a precision.

    Args:
        tree: A pytree of arrays. Integers are unchanged. A node with a method `in_precision` is replaced by its result.
        name: "float64" or "float32".
    """
    casts_itself = lambda node: hasattr(node, "in_precision")

    def cast(leaf: Any) -> Any:
        if casts_itself(leaf):
            return leaf.in_precision(name)
        if isinstance(leaf, int):  # a number of rows that is known when a program is compiled
            return leaf
        if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            return leaf.astype(COMPLEX[name])
        return leaf.astype(name) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree, is_leaf=casts_itself)


@contextmanager
def in_float64(calls_python: bool = False) -> Iterator[None]:
    """Enables 64 bits for programs in this context, which must finish inside it.

    Args:
        calls_python: Whether the programs call back Python functions. These run in other threads, which JAX's switch
            for the current thread does not affect, so the switch of the process is set as well.
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
    """Returns whether the losses of these oracles call back Python functions."""
    form = getattr(getattr(oracles, "oracles", oracles), "form", None)
    return getattr(form, "calls_python", False)
