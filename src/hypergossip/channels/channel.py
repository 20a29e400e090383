"""The contract of a channel: what may happen to a message between an agent and its neighbours' average.

A channel is a program of one agent and of its links, as an algorithm is a program of one agent. Its stages act in the
order in which a message passes them: `encode` at the sender, once for all neighbours; `deliver` on every link; and
`receive` at the receiver, in reverse order. The receiver i then adds, for every neighbour j,

    W_ij (theirs - own),

where theirs is what has arrived from j and own is what i compares it with: without a channel, its own vector. What has
not arrived adds nothing, so i keeps its own value instead.
"""

from typing import Any, NamedTuple

from jaxtyping import Array, Bool, Float

from hypergossip.channels.layout import Layout

Vector = Float[Array, "entries"]
State = Any  # a tree of arrays


class Message(NamedTuple):
    """A message as its sender knows it.

    Attributes:
        vector: What is sent to every neighbour, (entries,).
        own: What the sender itself compares its neighbours' messages with, (entries,).
    """

    vector: Vector
    own: Vector


class Signal(NamedTuple):
    """A message on one link, at its receiver.

    Attributes:
        theirs: What has come from the neighbour, (entries,).
        own: What the receiver compares it with, (entries,).
        arrived: Whether anything has arrived.
    """

    theirs: Vector
    own: Vector
    arrived: Bool[Array, ""]


class LinkKeys(NamedTuple):
    """The random keys of one message on one link.

    Attributes:
        directed: The key of this direction.
        both: The key that the two directions have in common.
    """

    directed: Any
    both: Any

    def key(self, symmetric: bool) -> Any:
        """Returns the key that the two directions have in common, or that of this direction alone."""
        return self.both if symmetric else self.directed


class Channel:
    """One stage of a channel: a frozen dataclass of numbers. Its methods do nothing unless a stage overrides them."""

    def sender_state(self, vector: Vector, layout: Layout) -> State:
        """Returns the state of a sender before its first message, from a vector of the message's shape and type."""
        return ()

    def link_state(self, vector: Vector) -> State:
        """Returns the state of a link before its first message, from a vector of the message's shape and type."""
        return ()

    def encode(self, state: State, message: Message, layout: Layout, key: Any) -> tuple[Message, State]:
        """Returns what a sender sends, and its state after it.

        Args:
            state: The sender's state.
            message: The message so far.
            layout: The vectors of the message.
            key: The sender's random key of this message.
        """
        return message, state

    def deliver(self, state: State, signal: Signal, keys: LinkKeys) -> tuple[Signal, State]:
        """Returns what a link makes of a message, and the link's state after it.

        Args:
            state: The link's state.
            signal: The message so far.
            keys: The link's random keys of this message.
        """
        return signal, state

    def receive(self, state: State, signal: Signal, layout: Layout) -> tuple[Signal, State]:
        """Returns what a receiver makes of what has arrived, and the link's state after it.

        Args:
            state: The link's state.
            signal: The message so far.
            layout: The vectors of the message.
        """
        return signal, state

    def added(self, state: State) -> Float[Array, "degree entries"] | None:
        """Returns the sum of what each of an agent's links has added so far, before weighting, or None if unknown.

        Args:
            state: The state of the links, leaves (degree, ...).
        """
        return None

    def message_bits(self, bits: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """Returns the number of bits of each part of a message.

        Args:
            bits: The number of bits of each part so far.
            layout: The vectors of the message.
        """
        return bits
