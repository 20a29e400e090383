"""The binary message between two agents: a header of fixed size, and a buffer of numbers.

A receiver checks a message completely before it uses any part of it. Nothing is unpickled, and no size that a message
states is trusted: the buffer must have exactly the size that the receiver expects.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import NamedTuple

import numpy as np

from hypergossip.support.extras import require

MAGIC = b"HGP1"
RUN_BYTES = 16
ALL = 2**32 - 1  # as the receiver: all neighbours of the sender
# magic, kind, type of the numbers, seed's index, run, round, call, epoch, sender, receiver, length, checksum
HEADER = struct.Struct(f"<4sBBH{RUN_BYTES}sIIIIIQI")
HEAD = struct.Struct(f"<4sBBH{RUN_BYTES}sIIIIIQ")  # without the checksum
CHECKSUM = struct.Struct("<I")


class Kind(IntEnum):
    """What a message is."""

    VECTOR = 1  # what `mix` sends
    RESEND = 2  # asks for a vector that has not come
    GREETING = 3  # who an agent is, and where it stands
    FAREWELL = 4  # the agent has finished, or leaves
    PROJECTION = 5  # one number in the place of a running sum, for the network's invariant
    ENTRIES = 6  # terms of agents in the network's invariant


DTYPES = {1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("u1")}
CODES = {dtype: code for code, dtype in DTYPES.items()}
TEXT = DTYPES[3]


KINDS = {int(kind): kind for kind in Kind}


class Malformed(ValueError):
    """A message cannot be used. Its text is the short reason under which it is counted."""


class Envelope(NamedTuple):
    """The header of a message.

    Attributes:
        kind: What it is.
        run: The identifier of the run, 16 bytes.
        seed: The index of the seed among those that run together.
        round: The number of the round.
        call: The place of the message among those of the round.
        epoch: How often the link was opened anew.
        sender: The sender's identity.
        receiver: The receiver's identity, or ALL.
    """

    kind: Kind
    run: bytes
    seed: int
    round: int
    call: int
    epoch: int
    sender: int
    receiver: int


@dataclass(frozen=True)
class Expected:
    """What a receiver accepts.

    Attributes:
        run: The identifier of the run.
        receiver: The receiver's own identity.
        senders: The identities of its neighbours.
        sizes: The number of entries and the type of each of a round's messages.
        seeds: The number of seeds that run together.
        largest_text: The most bytes of a message that is not a vector.
    """

    run: bytes
    receiver: int
    senders: frozenset[int]
    sizes: tuple[tuple[int, np.dtype], ...]
    seeds: int = 1
    largest_text: int = 65_536


class Body(NamedTuple):
    """The buffer of a message, with its own digest, which is computed once for all receivers.

    Attributes:
        data: The bytes.
        code: The type of the numbers.
        digest: Their digest.
    """

    data: bytes
    code: int
    digest: int


def body_of(numbers: np.ndarray | bytes) -> Body:
    """Returns the buffer of a message.

    Args:
        numbers: One-dimensional numbers, float32 or float64; or bytes.
    """
    if isinstance(numbers, bytes):
        return Body(numbers, CODES[TEXT], digest_of(numbers))
    if numbers.dtype not in CODES:
        numbers = numbers.astype(numbers.dtype.newbyteorder("<"))
    data = numbers.tobytes()
    return Body(data, CODES[numbers.dtype], digest_of(data))


def digest_of(data: bytes | memoryview, seed: int = 0) -> int:
    """Returns a digest by which damage is noticed; against forgery there is TLS.

    Args:
        data: The bytes.
        seed: The digest of what belongs to them.
    """
    return _digest()(data, seed)


@cache
def _digest() -> Callable[[bytes | memoryview, int], int]:
    # XXH3 takes 8 microseconds for 1 MB, where a CRC takes 160.
    return require("xxhash", "peers", "an agent on a network").xxh3_64_intdigest


def checksum_of(head: bytes, digest: int) -> int:
    """Returns the checksum of a message.

    Args:
        head: Its header without the checksum.
        digest: The digest of its buffer.
    """
    return digest_of(head, digest) & 0xFFFFFFFF


def pack(envelope: Envelope, body: Body) -> bytes:
    """Returns a message as bytes.

    Args:
        envelope: Its header.
        body: Its buffer.
    """
    kind, run, seed, *places = envelope
    head = HEAD.pack(MAGIC, kind, body.code, seed, run, *places, len(body.data))
    return b"".join((head, CHECKSUM.pack(checksum_of(head, body.digest)), body.data))


def is_vector(message: bytes) -> bool:
    """Returns whether a message says that it is a vector.

    Args:
        message: The message, not checked.
    """
    return len(message) > len(MAGIC) and message[len(MAGIC)] == Kind.VECTOR


def unpack(message: bytes, expected: Expected) -> tuple[Envelope, np.ndarray]:
    """Returns the header and the numbers of a message, which share its memory.

    Args:
        message: The message.
        expected: What the receiver accepts.

    Raises:
        Malformed: If anything is not as expected.
    """
    if len(message) < HEADER.size:
        raise Malformed("shorter than a header")
    magic, code_of_kind, code, seed, run, round, call, epoch, sender, receiver, length, checksum = HEADER.unpack_from(
        message
    )
    if magic != MAGIC:
        raise Malformed("not a message of this version")
    if length != len(message) - HEADER.size:
        raise Malformed("wrong length")
    if run != expected.run:
        raise Malformed("another run")
    if receiver != expected.receiver and not (receiver == ALL and code_of_kind == Kind.VECTOR):
        raise Malformed("another receiver")
    if sender not in expected.senders:
        raise Malformed("not a neighbour")
    kind, dtype = KINDS.get(code_of_kind), DTYPES.get(code)
    if kind is None:
        raise Malformed("unknown kind")
    if dtype is None:
        raise Malformed("unknown type of numbers")
    if seed >= expected.seeds:
        raise Malformed("unknown seed")
    _check_size(kind, dtype, call, length, expected)
    if checksum_of(message[: HEAD.size], digest_of(memoryview(message)[HEADER.size :])) != checksum:
        raise Malformed("wrong checksum")
    numbers = np.frombuffer(message, dtype, offset=HEADER.size)
    if kind is Kind.VECTOR and not np.isfinite(numbers).all():
        raise Malformed("not finite")
    return Envelope(kind, run, seed, round, call, epoch, sender, receiver), numbers


def _check_size(kind: Kind, dtype: np.dtype, call: int, length: int, expected: Expected) -> None:
    if kind == Kind.VECTOR:
        if call >= len(expected.sizes):
            raise Malformed("unknown call")
        entries, own = expected.sizes[call]
        if dtype != own:
            raise Malformed("wrong type of numbers")
        if length != entries * own.itemsize:
            raise Malformed("wrong size")
    elif dtype != TEXT or length > expected.largest_text:
        raise Malformed("wrong size")
