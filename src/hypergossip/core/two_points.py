"""Evaluation of a function at two points with one sample, as STORM and SPIDER need it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def at_two_points(function: Callable[..., Any], now: tuple, before: tuple) -> tuple[Any, Any]:
    """Evaluates a function of (x, y, ...) at two points side by side, with one sample for both.

    STORM and SPIDER need this pair of values. Stacking the points halves the number of passes over the data, which is
    1.5 to 2 times faster than two separate evaluations (benchmarks/step.py).

    Args:
        function: (x, y, ...) -> a tree of arrays or numbers, for a fixed sample.
        now: One point, (x, y, ...).
        before: The other point.

    Returns:
        The values at both points.
    """
    stacked = (jnp.stack(pair) for pair in zip(now, before, strict=True))
    both = jax.vmap(lambda *point: jax.tree.map(jnp.asarray, function(*point)))(*stacked)
    return jax.tree.map(lambda a: a[0], both), jax.tree.map(lambda a: a[1], both)
