"""Messages of fewer bits: rounding, and a part of the entries."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp

from hypergossip.channels.arguments import choice, number, whole
from hypergossip.channels.channel import Channel, Message, State, Vector
from hypergossip.channels.layout import Layout

RANGE_BITS = 64  # the ends of a vector's range, two numbers of 32 bits
INDEX_BITS = 32


class Coding(Channel, ABC):
    """A code without state for each vector of a message. The receiver decodes it; the sender's own vector is exact."""

    @abstractmethod
    def coded(self, vector: Vector, key: Any) -> Vector:
        """Returns one vector as the receiver decodes it.

        Args:
            vector: The vector, (entries,).
            key: A random key.
        """

    @abstractmethod
    def size(self, entries: int, bits: int) -> int:
        """Returns the number of bits of one coded vector.

        Args:
            entries: Its number of entries.
            bits: Its number of bits so far.
        """

    def encode(self, state: State, message: Message, layout: Layout, key: Any) -> tuple[Message, State]:
        """Returns the message with every vector coded."""
        return message._replace(vector=coded_vectors((self,), message.vector, layout, key)), state

    def message_bits(self, bits: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """Returns the bits of the coded vectors; numbers and further parts of a message are not coded."""
        sizes = layout.upper + layout.lower
        return (*(self.size(n, b) for n, b in zip(sizes, bits)), *bits[len(sizes) :])


@dataclass(frozen=True)
class Quantize(Coding):
    """Every entry is rounded to one of 2^bits equidistant values from the smallest to the largest entry of its vector.

    Each vector also sends the ends of its range, in 64 bits.

    Args:
        bits: The number of bits of an entry, from 1 to 32.
        rounding: "nearest", or "stochastic": to one of the two nearest values, at random and without bias.
        width: The distance of neighbouring values of a fixed lattice, multiples of it, in the place of the range. The
            bits of an entry are counted as given; the lattice has no end.

    Raises:
        ValueError: If the number of bits, the rounding or the width is invalid.
    """

    bits: int
    rounding: str = "nearest"
    width: float | int | None = None

    def __post_init__(self) -> None:
        whole(self, "bits", 1, 32)
        choice(self, "rounding", ("nearest", "stochastic"))
        if self.width is not None:
            number(self, "width", above=0)

    def coded(self, vector: Vector, key: Any) -> Vector:
        """Returns the rounded vector."""
        if self.width is not None:
            return self._rounded(vector / self.width, key) * self.width
        last = 2.0**self.bits - 1
        # The ends are sent as 32-bit numbers, so the receiver's lattice is computed from those.
        low, high = (end.astype(jnp.float32).astype(vector.dtype) for end in (vector.min(), vector.max()))
        step = (high - low) / last
        place = (vector - low) / jnp.where(step > 0, step, 1)
        return low + step * jnp.clip(self._rounded(place, key), 0, last)

    def _rounded(self, place: Vector, key: Any) -> Vector:
        if self.rounding == "nearest":
            return jnp.round(place)
        return jnp.floor(place + jax.random.uniform(key, place.shape, jnp.float32).astype(place.dtype))

    def size(self, entries: int, bits: int) -> int:
        """Returns the bits of the entries, and those of the range unless the lattice is fixed."""
        return entries * self.bits + (RANGE_BITS if self.width is None else 0)


@dataclass(frozen=True)
class FewEntries(Coding):
    """A code that sends some entries of every vector.

    Args:
        count: The number of entries of a vector that are sent; a vector with fewer entries is sent whole.

    Raises:
        ValueError: If the count is not a whole number of at least 1.
    """

    count: int

    def __post_init__(self) -> None:
        whole(self, "count", 1)


@dataclass(frozen=True)
class TopK(FewEntries):
    """Only the entries of largest magnitude of every vector are sent, each with its index; the others arrive as zero.

    Args:
        count: The number of entries of a vector that are sent; a vector with fewer entries is sent whole.

    Raises:
        ValueError: If the count is not a whole number of at least 1.
    """

    def coded(self, vector: Vector, key: Any) -> Vector:
        """Returns the vector with zeros in the place of the smaller entries."""
        if vector.size <= self.count:
            return vector
        kept = jax.lax.top_k(jnp.abs(vector), self.count)[1]
        return jnp.zeros_like(vector).at[kept].set(vector[kept])

    def size(self, entries: int, bits: int) -> int:
        """Returns the bits of the entries that are sent, and of their indices."""
        return bits if entries <= self.count else _share(bits, entries, self.count) + self.count * INDEX_BITS


@dataclass(frozen=True)
class RandomK(FewEntries):
    """Only some random entries of every vector are sent; the others arrive as zero. Nothing is scaled.

    Sender and receivers draw the same indices from the same random key, so the indices are not sent.

    Args:
        count: The number of entries of a vector that are sent; a vector with fewer entries is sent whole.

    Raises:
        ValueError: If the count is not a whole number of at least 1.
    """

    def coded(self, vector: Vector, key: Any) -> Vector:
        """Returns the vector with zeros in the place of the entries that are not drawn."""
        if vector.size <= self.count:
            return vector
        order = jnp.argsort(jax.random.bits(key, vector.shape, jnp.uint32))
        return jnp.where(order < self.count, vector, 0)

    def size(self, entries: int, bits: int) -> int:
        """Returns the bits of the entries that are sent."""
        return bits if entries <= self.count else _share(bits, entries, self.count)


def coded_vectors(
    codings: tuple[Coding, ...], vector: Vector, layout: Layout, key: Any, parts: tuple[bool, ...] | None = None
) -> Vector:
    """Returns all vectors of a message after one coding after another, each with its own random key.

    Args:
        codings: The codings.
        vector: The vectors, end to end, (entries,).
        layout: Their sizes.
        key: A random key.
        parts: For each vector, whether it is coded; None codes all but the numbers.
    """
    sizes = layout.sizes
    vectors = [vector[end - size : end] for size, end in zip(sizes, accumulate(sizes))]
    for index, coding in enumerate(codings):
        keys = jax.random.split(jax.random.fold_in(key, index), len(sizes))
        chosen = parts or layout.coded
        vectors = [coding.coded(v, k) if one else v for v, k, one in zip(vectors, keys, chosen)]
    return jnp.concatenate(vectors)


def _share(bits: int, entries: int, count: int) -> int:
    return -(-bits * count // entries)  # rounded up
