"""Messages that arrive some rounds later."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from hypergossip.channels.arguments import choice, whole
from hypergossip.channels.channel import Channel, Message, State, Vector
from hypergossip.channels.layout import Layout

AGES = ("fresh", "same")


@dataclass(frozen=True)
class Delay(Channel):
    """Every message arrives a fixed number of rounds after it was sent.

    The first message arrives at once, as if the agents had exchanged their starting points before the run, and is used
    until the second one arrives.

    Args:
        rounds: The number of rounds.
        own: What a receiver compares a message with: "fresh" (its present vector) or "same" (its vector of the round in
            which the message was sent). Behind `EdgeSums` it is always the latter.

    Raises:
        ValueError: If the number of rounds is not a whole number from 0 to 10,000, or the age is unknown.
    """

    rounds: int
    own: str = "fresh"

    def __post_init__(self) -> None:
        whole(self, "rounds", 0, 10_000)
        choice(self, "own", AGES)

    def sender_state(self, vector: Vector, layout: Layout) -> State:
        """Returns the messages under way, the oldest first, the own vectors of the same rounds, and whether any is."""
        kept = jnp.zeros((self.rounds, *vector.shape), vector.dtype)
        return kept, kept if self.own == "same" else (), jnp.zeros((), bool)

    def encode(self, state: State, message: Message, layout: Layout, key: Any) -> tuple[Message, State]:
        """Returns the message that was sent the given number of rounds ago."""
        if self.rounds == 0:
            return message, state
        vectors, owns, begun = state
        vector, vectors = _shifted(vectors, message.vector, begun)
        own = message.own
        if self.own == "same":
            own, owns = _shifted(owns, message.own, begun)
        return Message(vector, own), (vectors, owns, jnp.ones_like(begun))


def _shifted(kept: Any, new: Vector, begun: Any) -> tuple[Vector, Any]:
    """Returns the oldest vector and the others with the new one behind them; at the start all are the new one."""
    kept = jnp.where(begun, kept, new)
    return kept[0], jnp.concatenate([kept[1:], new[None]])
