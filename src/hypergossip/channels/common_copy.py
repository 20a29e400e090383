"""Differences against a common copy: coded messages without an error that stays (Koloskova et al. 2019, CHOCO)."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from hypergossip.channels.arguments import choice, number
from hypergossip.channels.channel import Channel, Message, Signal, State, Vector
from hypergossip.channels.coding import Coding, coded_vectors
from hypergossip.channels.layout import Layout


@dataclass(frozen=True)
class CommonCopy(Channel):
    """Every agent's neighbours hold a copy of its vector; a message is the coded difference from that copy.

    Sender and receivers add the coded difference to the copy, so what a code has left out is part of the next
    difference (error feedback). The agent adds gamma sum_j W_ij (copy_j - copy_i), which keeps every sum over the
    network whatever the code does. It needs a reliable link: after one lost difference the copies are no longer equal.

    Args:
        gamma: The consensus step, above 0 and at most 1; coarser codes need a smaller one.
        level: "upper" or "lower" codes the vectors of that level alone; None codes both.
        codings: The codings of the differences, set by the list that the stage stands in.

    Raises:
        ValueError: If gamma is not above 0 and at most 1, or the level is unknown.
    """

    gamma: float | int = 1.0
    level: str | None = None
    codings: tuple[Coding, ...] = field(default=(), repr=False)

    internal: ClassVar[tuple[str, ...]] = ("codings",)

    def __post_init__(self) -> None:
        if number(self, "gamma", above=0) > 1:
            raise ValueError(f"CommonCopy: gamma is {self.gamma!r}; it must be at most 1.")
        choice(self, "level", (None, "upper", "lower"))

    def sender_state(self, vector: Vector, layout: Layout) -> State:
        """Returns the copy of the sender's own vector."""
        return jnp.zeros_like(vector)

    def link_state(self, vector: Vector) -> State:
        """Returns the receiver's copy of the neighbour's vector."""
        return jnp.zeros_like(vector)

    def encode(self, state: State, message: Message, layout: Layout, key: Any) -> tuple[Message, State]:
        """Returns the coded difference; the sender compares the neighbours' copies with its own copy."""
        change = coded_vectors(self.codings, message.vector - state, layout, key, self._parts(layout))
        copy = state + change
        return Message(change, copy), copy

    def receive(self, state: State, signal: Signal, layout: Layout) -> tuple[Signal, State]:
        """Returns the neighbour's copy after the difference that has arrived, and the own one, both times gamma."""
        copy = jnp.where(signal.arrived, state + signal.theirs, state)
        # A level that is not coded needs no smaller step.
        steps = [self.gamma if coded else 1.0 for coded in self._parts(layout)]
        gamma = jnp.asarray(np.repeat(steps, layout.sizes), copy.dtype)
        return Signal(gamma * copy, gamma * signal.own, jnp.ones_like(signal.arrived)), copy

    def message_bits(self, bits: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """Returns the bits of the coded vectors."""
        for coding in self.codings:
            coded = coding.message_bits(bits, layout)
            parts = (*self._parts(layout), *(False,) * (len(bits) - len(layout.sizes)))
            bits = tuple(new if one else old for new, old, one in zip(coded, bits, parts))
        return bits

    def _parts(self, layout: Layout) -> tuple[bool, ...]:
        upper, lower = self.level in (None, "upper"), self.level in (None, "lower")
        return (upper,) * len(layout.upper) + (lower,) * len(layout.lower) + ((False,) if layout.numbers else ())
