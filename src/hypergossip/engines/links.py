"""Agents whose messages pass a channel: what the engines share (`hypergossip.channels`)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.channels.channel import Message as Sent
from hypergossip.channels.layout import Layout, layout_of, layouts
from hypergossip.channels.requirements import REPEATED, inside
from hypergossip.channels.stack import LinkState, Neighbourhood, Stack
from hypergossip.core.algorithm import Mix
from hypergossip.core.flat_messages import Spaces, flat_factors, mix_through, number_of
from hypergossip.core.messages import Message
from hypergossip.core.random_keys import hashed
from hypergossip.engines.mixing import Mixing

CHANNEL = np.uint32(2**32 - 2)  # separates the channel's random numbers from the agents'; no round has this number


class Delivered(NamedTuple):
    """What has come from an agent's neighbours.

    Attributes:
        theirs: Their vectors, (degree, entries).
        own: What the agent compares them with: (entries,), or (degree, entries) if they are of different rounds.
        arrived: Whether each has come, (degree,); None: all have.
    """

    theirs: Any
    own: Any
    arrived: Any = None


Exchange = Callable[[Sent], Delivered]  # sends a message to the neighbours and returns what has come from them


class Linked(NamedTuple):
    """The state of a session with a channel.

    Attributes:
        agents: Every agent's state, leaves (runs, agents, ...).
        links: The state of the channel for each message of a round that does not continue another, leaves likewise.
    """

    agents: Any
    links: tuple[LinkState, ...]

    @property
    def x(self) -> Any:
        """Every agent's x."""
        return self.agents.x

    @property
    def y(self) -> Any:
        """Every agent's y."""
        return self.agents.y


def channel_key(key: Any) -> Any:
    """Returns the key of the channel in a run, from the run's key."""
    return hashed(key, CHANNEL, np.uint32(0))


def neighbourhoods(mixing: Mixing, identities: Any) -> Neighbourhood:
    """Returns every agent's links, leaves (agents, ...).

    Args:
        mixing: The neighbours of the agents of this device, as lists.
        identities: The agents' identities, (agents,).
    """
    lists = mixing.lists
    table = mixing.table(identities[:, None])[:, 0]
    return Neighbourhood(identities, table[lists.indices.T], lists.weights.T)


@jax.custom_batching.custom_vmap
def exchanged(mixing: Mixing, vector: Any) -> Any:
    """Returns the neighbours' vectors, (degree, entries); `vmap` over the agents turns it into a gather."""
    return jnp.broadcast_to(vector, (mixing.lists.indices.shape[0], *vector.shape))


@exchanged.def_vmap
def _exchanged_between_agents(axis_size: int, in_batched: list, mixing: Mixing, vectors: Any) -> tuple[Any, bool]:
    indices = mixing.lists.indices.T
    if not in_batched[1]:  # all agents have the same vector
        return jnp.broadcast_to(vectors, (*indices.shape, *vectors.shape)), True
    return mixing.table(vectors)[indices], True


class Sender:
    """One agent's messages of one round, in order; it keeps the state of the links that they pass."""

    def __init__(
        self, channel: Stack, links: Sequence[LinkState], key: Any, here: Neighbourhood, exchange: Exchange
    ) -> None:
        """Begins a round.

        Args:
            channel: The channel.
            links: The state of the agent's links, one for each message that does not continue another.
            key: The random key of the round.
            here: The agent and its links.
            exchange: Sends a message to the neighbours and returns what has come from them.
        """
        self._links, self._sent, self._slots, self._kept = list(links), 0, 0, len(links)
        self._channel, self._key, self._here, self._exchange = channel, key, here, exchange

    @property
    def links(self) -> tuple[LinkState, ...]:
        """The state of the agent's links after the round, one for each of its messages that does not continue another.

        Raises:
            ValueError: If fewer messages were traced than a round sends, because a compiled function that sends one was
                called again and not traced again, so that its messages would have the same random numbers.
        """
        if self._slots < self._kept:
            raise ValueError(f"the channel {self._channel}: {REPEATED}.")
        return tuple(self._links[: self._kept])

    def send(self, vector: Any, call: Any, layout: Layout, again: bool = False, factors: Any = None) -> Any:
        """Returns the average of the next message.

        Args:
            vector: The message.
            call: The number of the call that the algorithm gives.
            layout: The vectors of the message.
            again: Whether a channel of common copies continues with those of the message before it.
            factors: What the method multiplies the differences with before it adds them up, or None.

        Raises:
            ValueError: If a channel with a state meets a message inside a branch.
        """
        place, self._sent = self._sent, self._sent + 1
        self._slots += not (again and self._channel.continues)
        slot = self._slots - 1
        if slot >= len(self._links):  # both branches of a condition are traced, though only one of them sends
            if not self._channel.stateless:
                raise ValueError(inside(self._channel, "the method"))
            self._links.append(self._links[0])
        key = jax.random.fold_in(jax.random.fold_in(self._key, place), call)
        channel, here, links = self._channel, self._here, self._links[slot]
        # Compiled under `Debug`, too: these are not the user's functions, and take much longer without compilation.
        with jax.disable_jit(False):
            message, links = _encode(channel, vector, layout, links, key, here, factors)
        come = self._exchange(message)
        with jax.disable_jit(False):
            mixed, self._links[slot] = _combine(
                channel, vector, come.theirs, come.own, come.arrived, layout, links, key, here, factors
            )
        return mixed


@partial(jax.jit, static_argnums=(0, 2))
def _encode(channel: Stack, vector: Any, layout: Layout, *more: Any) -> Any:
    return channel.encode(vector, layout, *more)


@partial(jax.jit, static_argnums=(0, 5))
def _combine(
    channel: Stack,
    vector: Any,
    theirs: Any,
    own: Any,
    arrived: Any,
    layout: Layout,
    links: LinkState,
    key: Any,
    here: Neighbourhood,
    factors: Any,
) -> Any:
    return channel.combine(vector, own, theirs, layout, links, key, here, arrived, factors)


def mix_by(spaces: Spaces, send: Callable[[Any, Any, Layout, bool, Any], Any]) -> Mix:
    """Makes an agent's `mix` from a function that averages a flat vector with a given layout.

    Args:
        spaces: The spaces of x and y.
        send: (flat vector, number of the call, layout, again, factors of its entries or None) -> its average.
    """

    def mix(
        *,
        upper: Any = (),
        lower: Any = (),
        numbers: Any = (),
        call: Any = 0,
        weights: str | None = None,
        again: bool = False,
        factors: Any = None,
    ) -> Any:
        flat = flat_factors(spaces, (upper, lower, numbers), factors)
        counts, extra = [len(jax.tree.leaves(tree)) for tree in (upper, lower)], number_of(numbers)
        # The networks of channels have one matrix, which serves all weights.
        layout = lambda buffer: layout_of(spaces, counts, buffer.dtype, extra)
        averaged = lambda buffer, call, _: send(buffer, call, layout(buffer), again, flat)
        return mix_through(spaces, averaged)(upper=upper, lower=lower, numbers=numbers, call=call, weights=weights)

    return mix


def initial_links(
    channel: Stack, messages: Sequence[Message], spaces: Spaces, axes: tuple[int, int], degree: int
) -> tuple[LinkState, ...]:
    """Returns the state of every agent's links before round 0, leaves (runs, agents, ...), host arrays.

    Args:
        channel: The channel.
        messages: The messages of a round.
        spaces: The spaces of x and y.
        axes: The numbers of runs and agents.
        degree: The number of links of an agent.
    """
    sent = [message for message in messages if message.entries and not (message.again and channel.continues)]
    found = [
        channel.initial(message.entries, message.dtype, layout, degree)
        for message, layout in zip(sent, layouts(sent, spaces), strict=True)
    ]
    return jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf), (*axes, *leaf.shape)), tuple(found))
