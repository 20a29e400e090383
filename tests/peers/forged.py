"""Messages of a small run, as they should be and as they should not."""

from typing import Any

import numpy as np

from hypergossip.peers.message import (
    CHECKSUM,
    HEAD,
    HEADER,
    Body,
    Envelope,
    Expected,
    Kind,
    body_of,
    checksum_of,
    digest_of,
    pack,
    unpack,
)

RUN = bytes(range(16))
ME, NEIGHBOURS = 3, (1, 4)
FLOAT32, FLOAT64 = np.dtype("<f4"), np.dtype("<f8")
EXPECTED = Expected(RUN, ME, frozenset(NEIGHBOURS), ((5, FLOAT64), (2, FLOAT32)), seeds=2, largest_text=100)
# The places of the fields in a header, in the order of `HEADER`.
MAGIC, KIND, CODE, SEED, RUN_FIELD, ROUND, CALL, EPOCH, SENDER, RECEIVER, LENGTH, SUM = range(12)


def envelope(**changed: Any) -> Envelope:
    """The header of a good vector."""
    good = Envelope(Kind.VECTOR, RUN, seed=0, round=7, call=0, epoch=0, sender=NEIGHBOURS[0], receiver=ME)
    return good._replace(**changed)


def numbers(call: int = 0) -> np.ndarray:
    """The numbers of a good vector."""
    entries, dtype = EXPECTED.sizes[call]
    return np.arange(1, entries + 1, dtype=dtype) / 3


def vector(**changed: Any) -> bytes:
    """A good vector as bytes, or one whose header is another."""
    head = envelope(**changed)
    return pack(head, body_of(numbers(head.call if head.call < len(EXPECTED.sizes) else 0)))


def text(kind: Kind, content: bytes, **changed: Any) -> bytes:
    """A message that is not a vector."""
    return pack(envelope(kind=kind, **changed), body_of(content))


def with_field(message: bytes, place: int, value: Any) -> bytes:
    """A message one of whose fields is another, with the checksum that fits."""
    fields = list(HEAD.unpack_from(message))
    fields[place] = value
    head, body = HEAD.pack(*fields), message[HEADER.size :]
    return head + CHECKSUM.pack(checksum_of(head, digest_of(body))) + body


def with_body(data: bytes, code: int, **changed: Any) -> bytes:
    """A message with these bytes as its numbers, and the checksum that fits."""
    return pack(envelope(**changed), Body(data, code, digest_of(data)))


def read(message: bytes, expected: Expected = EXPECTED) -> tuple[Envelope, np.ndarray]:
    """The header and the numbers of a message."""
    return unpack(message, expected)
