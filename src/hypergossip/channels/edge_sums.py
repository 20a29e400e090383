"""Running sums on every edge: late and lost messages are made up for by the next one that arrives."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypergossip.channels.channel import Channel, Message, Signal, State, Vector
from hypergossip.channels.layout import Layout

COUNTER_BITS = 32


@dataclass(frozen=True)
class EdgeSums(Channel):
    """The general remedy: every message carries the running sum of its vector and the number of the round.

    When the sum S_j of neighbour j arrives, i adds W_ij times the growth of S_j - S_i since the last arrival, where S_i
    is its own sum in the same round. When none arrives it adds nothing. What an edge has done to its two ends then
    differs only by what is under way, so that the sums which trackers and dual variables conserve stay zero in the long
    run, under loss, noise and delay. The weights must be the same in every round.
    """

    def sender_state(self, vector: Vector, layout: Layout) -> State:
        """Returns the running sum before the first message."""
        return jnp.zeros_like(vector)

    def link_state(self, vector: Vector) -> State:
        """Returns the difference of the two sums at the last arrival."""
        return jnp.zeros_like(vector)

    def encode(self, state: State, message: Message, layout: Layout, key: Any) -> tuple[Message, State]:
        """Returns the running sum, which the sender also compares its neighbours' sums with."""
        total = state + message.vector
        return Message(total, total), total

    def receive(self, state: State, signal: Signal, layout: Layout) -> tuple[Signal, State]:
        """Returns the growth of the difference of the two sums since the last arrival."""
        difference = jnp.where(signal.arrived, signal.theirs - signal.own, state)
        return Signal(difference - state, jnp.zeros_like(state), signal.arrived), difference

    def added(self, state: State) -> Float[Array, "degree entries"] | None:
        """Returns the differences of the two sums at the last arrival: all that the links have added."""
        return state

    def message_bits(self, bits: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """Returns the number of the round as a further part."""
        return (*bits, COUNTER_BITS)
