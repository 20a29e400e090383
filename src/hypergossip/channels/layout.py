"""The vectors that a message consists of."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from hypergossip.core.flat_messages import Spaces
from hypergossip.core.messages import Message


class Layout(NamedTuple):
    """The vectors that a message consists of, the upper level's first and the numbers last.

    Attributes:
        upper: The number of entries of each vector of the upper level.
        lower: The number of entries of each vector of the lower level.
        number_bits: The number of bits of one entry.
        numbers: How many numbers of no level it has; together they are one vector, which is never coded.
    """

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    number_bits: int
    numbers: int = 0

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of entries of each vector."""
        return self.upper + self.lower + ((self.numbers,) if self.numbers else ())

    @property
    def coded(self) -> tuple[bool, ...]:
        """Whether a code applies to each vector."""
        return (True,) * len(self.upper + self.lower) + ((False,) if self.numbers else ())


def layout_of(spaces: Spaces, counts: Sequence[int], dtype: Any, numbers: int = 0) -> Layout:
    """Returns the layout of a message.

    Args:
        spaces: The spaces of x and y.
        counts: The numbers of vectors of the upper and of the lower level.
        dtype: The type of an entry.
        numbers: How many numbers of no level the message has.
    """
    upper, lower = ((space.shared_size,) * (count if space.shared_size else 0) for space, count in zip(spaces, counts))
    return Layout(upper, lower, jnp.dtype(dtype).itemsize * 8, numbers)


def layouts(messages: Sequence[Message], spaces: Spaces) -> list[Layout]:
    """Returns the layout of each message of a round.

    Args:
        messages: The messages.
        spaces: The spaces of x and y.
    """
    sizes = [max(1, space.shared_size) for space in spaces]
    counts = [(message.upper // sizes[0], message.lower // sizes[1]) for message in messages]
    return [
        layout_of(spaces, count, message.dtype, message.numbers)
        for count, message in zip(counts, messages, strict=True)
    ]
