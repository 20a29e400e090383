"""What two neighbours say to each other before and between the rounds: who they are, and where they stand."""

import math
import struct
from typing import NamedTuple

from hypergossip.peers.message import Malformed

# Zenoh session, incarnation, the receiver's incarnation, digest, degree, round, epoch, opening, flags, weight
_FORM = struct.Struct("<16s8s8s16sIIIIBd")
NO_ROUND = 2**32 - 1
FINISHED, LEAVING = 1, 2


class Greeting(NamedTuple):
    """The content of a message of the kind GREETING or FAREWELL.

    Attributes:
        session: The identifier of the sender's Zenoh session, 16 bytes.
        incarnation: Random bytes of the sender's process, 8 bytes: another process of the same agent has others.
        heard: The receiver's own incarnation, as the sender knows it; zeros before the sender has received a greeting.
        digest: A digest of what all agents must have in common, 16 bytes.
        degree: The number of the sender's neighbours.
        round: The number of rounds that the sender has completed.
        epoch: How often the sender has opened the link.
        opening: The round from which the link counts, or `NO_ROUND`.
        flags: FINISHED and LEAVING, or 0.
        weight: W_ij of the link, as the sender was given it; NaN: both ends compute that of Metropolis.
    """

    session: bytes
    incarnation: bytes
    heard: bytes
    digest: bytes
    degree: int
    round: int
    epoch: int
    opening: int = NO_ROUND
    flags: int = 0
    weight: float = math.nan

    def pack(self) -> bytes:
        """Returns it as bytes."""
        return _FORM.pack(*self)

    @classmethod
    def unpack(cls, data: bytes) -> "Greeting":
        """Returns the greeting in some bytes.

        Args:
            data: The bytes.

        Raises:
            Malformed: If they have another size.
        """
        if len(data) != _FORM.size:
            raise Malformed("wrong size")
        return cls(*_FORM.unpack(data))
