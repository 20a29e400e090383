"""The stages of a channel as one program of an agent and its links."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt

from hypergossip.channels.channel import Channel, LinkKeys, Message, Signal, State, Vector
from hypergossip.channels.coding import Coding
from hypergossip.channels.common_copy import CommonCopy
from hypergossip.channels.delay import Delay
from hypergossip.channels.edge_sums import EdgeSums
from hypergossip.channels.layout import Layout
from hypergossip.channels.loss import Lossy
from hypergossip.core.random_keys import hashed


class LinkState(NamedTuple):
    """The state of the channel at one agent, for one of the messages of a round.

    Attributes:
        sender: The state of each stage at the sender.
        links: The state of each stage at the links from the neighbours, leaves (degree, ...).
    """

    sender: tuple[State, ...]
    links: tuple[State, ...]


class Neighbourhood(NamedTuple):
    """An agent and its links.

    Attributes:
        identity: The agent's identity.
        senders: The neighbours' identities, (degree,).
        weights: W_ij of the neighbours, (degree,); zero where there is no neighbour.
    """

    identity: UInt[Array, ""]
    senders: UInt[Array, "degree"]
    weights: Float[Array, "degree"]


@dataclass(frozen=True)
class Stack:
    """The stages of a channel from the sender outward.

    Attributes:
        stages: The stages; the codings behind a `CommonCopy` are a part of it.
    """

    stages: tuple[Channel, ...]

    @property
    def listed(self) -> tuple[Channel, ...]:
        """The stages as the user gave them."""
        parts: list[Channel] = []
        for part in self.stages:
            parts += [replace(part, codings=()), *part.codings] if isinstance(part, CommonCopy) else [part]
        return tuple(parts)

    def __str__(self) -> str:
        return ", ".join(map(repr, self.listed))

    def initial(self, entries: int, dtype: Any, layout: Layout, degree: int) -> LinkState:
        """Returns the state of an agent's links before the first message.

        Args:
            entries: The number of entries of the message.
            dtype: Their type.
            layout: The vectors of the message.
            degree: The number of links.
        """
        vector = jnp.zeros(entries, dtype)
        links = [part.link_state(vector) for part in self.stages]
        repeated = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (degree, *leaf.shape)), links)
        return LinkState(tuple(part.sender_state(vector, layout) for part in self.stages), tuple(repeated))

    @property
    def stateless(self) -> bool:
        """Whether no stage has a state."""
        state = self.initial(1, jnp.float32, Layout((1,), (), 32), 1)
        return not jax.tree.leaves(state)

    @property
    def continues(self) -> bool:
        """Whether a message that is sent again continues with the state of the one before it: a common copy does.

        Running sums of several messages of a round are compared one by one, so `EdgeSums` does not.
        """
        kinds = {type(part) for part in self.stages}
        return CommonCopy in kinds and EdgeSums not in kinds

    def message_bytes(self, layout: Layout) -> int:
        """Returns the bytes of one message, each of its parts in whole bytes.

        Args:
            layout: The vectors of the message.
        """
        bits = tuple(size * layout.number_bits for size in layout.sizes)
        for part in self.stages:
            bits = part.message_bits(bits, layout)
        return sum(-(-count // 8) for count in bits)

    def encode(
        self,
        vector: Vector,
        layout: Layout,
        state: LinkState,
        key: Any,
        here: Neighbourhood,
        factors: Vector | None = None,
    ) -> tuple[Message, LinkState]:
        """Returns what one agent sends, and its state after it.

        Args:
            vector: The agent's message, (entries,).
            layout: The vectors of the message.
            state: The state of its links for this message.
            key: The random key of the message, the same for all agents.
            here: The agent and its links.
            factors: What the method multiplies the differences of this round with before it adds them up, or None.
        """
        message, sender = Message(vector, vector), []
        own_key = hashed(key, here.identity, here.identity)
        for index, (part, kept) in enumerate(zip(self.stages, state.sender, strict=True)):
            if factors is not None and isinstance(part, EdgeSums):
                message = message._replace(vector=factors * message.vector)
            message, kept = part.encode(kept, message, layout, jax.random.fold_in(own_key, index))
            sender.append(kept)
        return message, state._replace(sender=tuple(sender))

    def combine(
        self,
        vector: Vector,
        own: Float[Array, "*degree entries"],
        theirs: Float[Array, "degree entries"],
        layout: Layout,
        state: LinkState,
        key: Any,
        here: Neighbourhood,
        arrived: Bool[Array, "degree"] | None = None,
        factors: Vector | None = None,
    ) -> tuple[Vector, LinkState]:
        """Returns one agent's average of its own vector and of what its links deliver, and its state after it.

        Args:
            vector: The agent's message, (entries,).
            own: What it compares its neighbours' messages with, (entries,), or (degree, entries) if these are of
                different rounds.
            theirs: What its neighbours have sent.
            layout: The vectors of the message.
            state: The state of its links for this message.
            key: The random key of the message, the same for all agents.
            here: The agent and its links.
            arrived: Whether each neighbour's message has come, on a real network; None: all have.
            factors: What the method multiplies the differences of this round with before it adds them up, or None.
        """

        def receive(
            theirs: Vector, own: Vector, came: Any, neighbour: Any, weight: Any, links: tuple[State, ...]
        ) -> tuple[Signal, tuple[State, ...]]:
            directed = hashed(key, here.identity, neighbour)
            first, second = jnp.minimum(here.identity, neighbour), jnp.maximum(here.identity, neighbour)
            both, after = hashed(key, first, second), list(links)
            there = weight != 0  # a network that changes has no such link in this round
            signal = Signal(theirs, own, there if came is None else there & came)
            for index, part in enumerate(self.stages):
                keys = LinkKeys(*(jax.random.fold_in(one, index) for one in (directed, both)))
                signal, after[index] = part.deliver(after[index], signal, keys)
            for index, part in reversed(list(enumerate(self.stages))):
                signal, after[index] = part.receive(after[index], signal, layout)
                if factors is not None and isinstance(part, EdgeSums):  # the sums contain the factors of their rounds
                    signal = signal._replace(theirs=without_factors(signal.theirs, factors))
            return signal, tuple(after)

        axes = (0, None if own.ndim == 1 else 0, None if arrived is None else 0, 0, 0, 0)
        links_here = (here.senders, here.weights, state.links)
        signals, links = jax.vmap(receive, axes)(theirs, own, arrived, *links_here)
        weights = jnp.where(signals.arrived, here.weights.astype(vector.dtype), 0)
        if any(isinstance(part, Lossy) and part.replace == "renormalise" for part in self.stages):
            total = 1 - here.weights.sum().astype(vector.dtype) + weights.sum()
            weights = jnp.where(total > 0, weights / total, 0)  # where nothing has weight, the agent keeps its vector
        # What has not arrived may be anything, even NaN, so it is left out and not only weighted by zero.
        differences = jnp.where(signals.arrived[:, None], signals.theirs - signals.own, 0)
        return vector + jnp.sum(weights[:, None] * differences, axis=0), state._replace(links=links)

    def added(self, state: LinkState, weights: Float[Array, "degree"]) -> Vector | None:
        """Returns the weighted sum of what an agent's links have added so far, (entries,), or None.

        It is known only where a stage keeps running sums; the difference between what the links have added at their two
        ends is then under way.

        Args:
            state: The state of the links for one of the messages of a round.
            weights: W_ij of the neighbours, (degree,).
        """
        for part, links in zip(self.stages, state.links, strict=True):
            if (sums := part.added(links)) is not None:
                return jnp.sum(weights.astype(sums.dtype)[:, None] * sums, axis=0)
        return None


def without_factors(sums: Any, factors: Any) -> Any:
    """Returns sums of a message's differences, each of which contains the factor of its round, as one difference.

    Args:
        sums: The sums, (..., entries).
        factors: The factors of this round, (entries,), or None. Where one is zero, nothing has been added so far.
    """
    return sums if factors is None else sums / jnp.where(factors == 0, jnp.ones_like(factors), factors)


def read_channel(channel: Any) -> Stack | None:
    """Returns the stack of a user's channel, or None for the ideal one.

    Args:
        channel: None, a stage, or stages from the sender outward.

    Raises:
        ValueError: If it is something else.
    """
    if channel is None or isinstance(channel, Stack):
        return channel
    parts: list[Any] = list(channel) if isinstance(channel, Sequence) and not isinstance(channel, str) else [channel]
    if wrong := [part for part in parts if not isinstance(part, Channel)]:
        raise ValueError(
            f"channel holds {wrong[0]!r}, which is not a stage of a channel; give stages from the sender outward, such "
            "as channel=[hg.channels.EdgeSums(), hg.channels.Loss(0.2)]."
        )
    stages: list[Channel] = []
    for part in parts:
        last = stages[-1] if stages else None
        if isinstance(part, Coding) and isinstance(last, CommonCopy):
            stages[-1] = replace(last, codings=(*last.codings, part))
        elif isinstance(part, Delay) and any(isinstance(before, EdgeSums) for before in stages):
            stages.append(replace(part, own="same"))  # a sum is compared with the own sum of the same round
        else:
            stages.append(part)
    return Stack(tuple(stages)) if stages else None
