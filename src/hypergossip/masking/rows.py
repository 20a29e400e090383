"""Numbers of rows: symbolic in a traced loss, the padded arrays' while it runs, and the agent's own behind both."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

ROWS = "n"
_DIMENSION = re.compile(rf"(?:(\d+)\*)?{ROWS}(?: ([+-]) (\d+))?")


class CannotMask(Exception):
    """A loss whose program cannot be run on padded rows; the words say what stands in the way."""


class Rows:
    """How many rows there are: in the padded arrays, and of the agent's own.

    Attributes:
        padded: N.
        own: n, a traced scalar.
    """

    def __init__(self, padded: int, own: Any) -> None:
        """Takes both numbers."""
        self.padded, self.own = padded, own

    def size(self, dimension: Any) -> int:
        """Returns a dimension of the padded arrays."""
        if is_fixed(dimension):
            return int(dimension)
        times, more = _affine(dimension)
        return times * self.padded + more

    def shape(self, dimensions: Sequence[Any]) -> tuple[int, ...]:
        """Returns a shape of the padded arrays."""
        return tuple(map(self.size, dimensions))

    def real(self, dimension: Any) -> Any:
        """Returns a dimension of the agent's own arrays."""
        if is_fixed(dimension):
            return int(dimension)
        times, more = _affine(dimension)
        return times * self.own + more

    def mask(self, value: Any, aval: Any, axes: Sequence[int], fill: Any) -> Any:
        """Returns a value without its padding.

        Args:
            value: An array of the padded shape.
            aval: Its shape with the symbolic number of rows.
            axes: The axes along which the padding is replaced.
            fill: What replaces it.
        """
        for axis in axes:
            if not is_fixed(aval.shape[axis]):
                place = jax.lax.broadcasted_iota(jnp.asarray(self.own).dtype, value.shape, axis)
                inside = place < self.real(aval.shape[axis])
                value = jnp.where(inside, value, jnp.asarray(fill, value.dtype))
        return value


def is_fixed(dimension: Any) -> bool:
    """Is this dimension a number, and not an expression of the number of rows?"""
    return isinstance(dimension, int) or (hasattr(dimension, "__index__") and ROWS not in str(dimension))


def row_axes(aval: Any) -> tuple[int, ...]:
    """Returns the axes of an array that run over rows."""
    return tuple(axis for axis, dimension in enumerate(getattr(aval, "shape", ())) if not is_fixed(dimension))


def _affine(dimension: Any) -> tuple[int, int]:
    """Reads ``c n + d`` as (c, d)."""
    match = _DIMENSION.fullmatch(str(dimension))
    if match is None:
        raise CannotMask(f"an array has {dimension} entries along an axis, for {ROWS} rows")
    times, sign, more = match.groups()
    return int(times or 1), int(f"{sign or '+'}{more or 0}")
