"""The binary message between two agents: a header of fixed size, and a buffer of numbers.

A receiver checks a message completely before it uses any part of it. Nothing is unpickled, and no size that a message
states is trusted: the buffer must have exactly the size that the receiver expects.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

MAGIC = b"HGP1"
RUN_BYTES = 16
# magic, kind, type of the numbers, seed's index, run, round, call, epoch, sender, receiver, length, checksum
HEADER = struct.Struct(f"<4sBBH{RUN_BYTES}sIIIIIQI")
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


KINDS = frozenset(map(int, Kind))


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
        receiver: The receiver's identity.
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
    """The buffer of a message, with its own checksum, which is computed once for all receivers.

    Attributes:
        data: The bytes.
        code: The type of the numbers.
        checksum: Their checksum.
    """

    data: bytes
    code: int
    checksum: int


def body_of(numbers: np.ndarray | bytes) -> Body:
    """Returns the buffer of a message.

    Args:
        numbers: One-dimensional numbers, float32 or float64; or bytes.
    """
    if isinstance(numbers, bytes):
        return Body(numbers, CODES[TEXT], zlib.crc32(numbers))
    data = numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()
    return Body(data, CODES[np.dtype(f"<f{numbers.dtype.itemsize}")], zlib.crc32(data))


def pack(envelope: Envelope, body: Body) -> bytes:
    """Returns a message as bytes.

    Args:
        envelope: Its header.
        body: Its buffer.
    """
    e = envelope
    places = (e.round, e.call, e.epoch, e.sender, e.receiver)
    head = HEADER.pack(MAGIC, e.kind, body.code, e.seed, e.run, *places, len(body.data), 0)
    return b"".join((head[: -CHECKSUM.size], CHECKSUM.pack(zlib.crc32(head, body.checksum)), body.data))


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
    magic, kind, code, seed, run, round, call, epoch, sender, receiver, length, checksum = HEADER.unpack_from(message)
    if magic != MAGIC:
        raise Malformed("not a message of this version")
    if length != len(message) - HEADER.size:
        raise Malformed("wrong length")
    if run != expected.run:
        raise Malformed("another run")
    if receiver != expected.receiver:
        raise Malformed("another receiver")
    if sender not in expected.senders:
        raise Malformed("not a neighbour")
    if kind not in KINDS:
        raise Malformed("unknown kind")
    if code not in DTYPES:
        raise Malformed("unknown type of numbers")
    if seed >= expected.seeds:
        raise Malformed("unknown seed")
    _check_size(Kind(kind), DTYPES[code], call, length, expected)
    view = memoryview(message)
    head = bytes(view[: HEADER.size - CHECKSUM.size]) + bytes(CHECKSUM.size)
    body = view[HEADER.size :]
    if zlib.crc32(head, zlib.crc32(body)) != checksum:
        raise Malformed("wrong checksum")
    numbers = np.frombuffer(body, DTYPES[code])
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        raise Malformed("not finite")
    return Envelope(Kind(kind), run, seed, round, call, epoch, sender, receiver), numbers


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
