"""Numbers of rows: symbolic in a traced loss, that of the padded arrays when it runs, and that of the agent."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

ROWS = "n"
_TERM = re.compile(rf"(?:(\d+)\*)?{ROWS}(?:\^(\d+))?|(\d+)")


class CannotMask(Exception):
    """A loss whose program cannot be run on padded rows. The message gives the reason."""


class Rows:
    """The numbers of rows of the padded arrays and of the agent.

    Attributes:
        padded: The number N of rows of the padded arrays.
        own: The number n of the agent's rows, a traced scalar.
    """

    def __init__(self, padded: int, own: Any) -> None:
        """Stores both numbers."""
        self.padded, self.own = padded, own

    def size(self, dimension: Any) -> int:
        """Returns a dimension of the padded arrays."""
        return int(dimension) if is_fixed(dimension) else evaluate(dimension, self.padded)

    def shape(self, dimensions: Sequence[Any]) -> tuple[int, ...]:
        """Returns a shape of the padded arrays."""
        return tuple(map(self.size, dimensions))

    def real(self, dimension: Any) -> Any:
        """Returns a dimension of the agent's own arrays."""
        return int(dimension) if is_fixed(dimension) else evaluate(dimension, self.own)

    def mask(self, value: Any, aval: Any, axes: Sequence[int], fill: Any) -> Any:
        """Returns a value with its padding replaced.

        Args:
            value: An array of the padded shape.
            aval: Its shape with the symbolic number of rows.
            axes: The axes along which the padding is replaced.
            fill: The replacement.
        """
        for axis in axes:
            if not is_fixed(aval.shape[axis]):
                place = jax.lax.broadcasted_iota(jnp.asarray(self.own).dtype, value.shape, axis)
                inside = place < self.real(aval.shape[axis])
                value = jnp.where(inside, value, jnp.asarray(fill, value.dtype))
        return value


def is_fixed(dimension: Any) -> bool:
    """Returns whether this dimension is a number, not an expression in the number of rows."""
    return isinstance(dimension, int) or (hasattr(dimension, "__index__") and ROWS not in str(dimension))


def row_axes(aval: Any) -> tuple[int, ...]:
    """Returns the axes of an array that run over rows."""
    return tuple(axis for axis, dimension in enumerate(getattr(aval, "shape", ())) if not is_fixed(dimension))


def evaluate(dimension: Any, rows: Any) -> Any:
    """Evaluates a polynomial in the number of rows, in JAX's notation: ``2*n^2 - n + 3``.

    Raises:
        CannotMask: If it is another expression.
    """
    total = 0
    for sign, term in re.findall(r"(^|[+-])\s*([^+-]+)", str(dimension).replace(" ", "")):
        match = _TERM.fullmatch(term)
        if match is None:
            raise CannotMask(f"an array has {dimension} entries along an axis, for {ROWS} rows")
        times, power, constant = match.groups()
        value = int(constant) if constant else int(times or 1) * rows ** int(power or 1)
        total = total - value if sign == "-" else total + value
    return total
