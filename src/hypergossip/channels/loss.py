"""Links that lose messages: independently, or in bursts (Gilbert 1960, Elliott 1963)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from hypergossip.channels.arguments import choice, flag, probability
from hypergossip.channels.channel import Channel, LinkKeys, Signal, State, Vector
from hypergossip.channels.layout import Layout

REPLACEMENTS = ("own", "last", "renormalise")


class Lossy(Channel, ABC):
    """A link that loses messages, and what a receiver uses instead of a lost one.

    Attributes:
        symmetric: Whether a link is down for both directions at once.
        replace: "own" (the receiver's own vector), "last" (the last vector that has arrived; its own before the first),
            or "renormalise" (the weights of what has arrived, the own weight included, are divided by their sum).
    """

    symmetric: bool
    replace: str

    @property
    @abstractmethod
    def loss_rate(self) -> float:
        """The long-run share of lost messages."""

    @property
    @abstractmethod
    def repeated_loss(self) -> float:
        """The probability that the message after a lost one is lost, too."""

    def link_state(self, vector: Vector) -> State:
        """Returns the last vector that has arrived, and whether there is one."""
        return (jnp.zeros_like(vector), jnp.zeros((), bool)) if self.replace == "last" else ()

    def receive(self, state: State, signal: Signal, layout: Layout) -> tuple[Signal, State]:
        """Returns the last vector that has arrived in the place of a lost one."""
        if self.replace != "last":
            return signal, state
        last, begun = state
        last = jnp.where(signal.arrived, signal.theirs, last)
        begun = begun | signal.arrived
        return Signal(last, signal.own, begun), (last, begun)


@dataclass(frozen=True)
class Loss(Lossy):
    """Every message is lost with a probability, independently.

    Args:
        probability: The probability q of a loss.
        symmetric: Whether a link is down for both directions at once, so that both ends know.
        replace: "own", "last" or "renormalise": what a receiver uses instead of a lost message.

    Raises:
        ValueError: If the probability is not from 0 to 1, or the replacement is unknown.
    """

    probability: float | int
    symmetric: bool = True
    replace: str = "own"

    def __post_init__(self) -> None:
        probability(self, "probability")
        flag(self, "symmetric")
        choice(self, "replace", REPLACEMENTS)

    @property
    def loss_rate(self) -> float:
        """The long-run share of lost messages."""
        return float(self.probability)

    @property
    def repeated_loss(self) -> float:
        """The probability that the message after a lost one is lost, too."""
        return float(self.probability)

    def deliver(self, state: State, signal: Signal, keys: LinkKeys) -> tuple[Signal, State]:
        """Returns the signal, which has not arrived if the message is lost."""
        lost = jax.random.uniform(keys.key(self.symmetric), dtype=jnp.float32) < self.probability
        return signal._replace(arrived=signal.arrived & ~lost), state


@dataclass(frozen=True)
class GilbertElliott(Lossy):
    """Losses in bursts: every link is in a good or in a bad state, which changes from message to message.

    A link starts in the bad state with the stationary probability to_bad / (to_bad + to_good).

    Args:
        to_bad: The probability that a good link becomes bad.
        to_good: The probability that a bad link becomes good; its inverse is the mean length of a burst.
        loss_good: The probability of a loss on a good link.
        loss_bad: The probability of a loss on a bad link.
        symmetric: Whether a link is down for both directions at once, so that both ends know.
        replace: "own", "last" or "renormalise": what a receiver uses instead of a lost message.

    Raises:
        ValueError: If a probability is not from 0 to 1, both changes have probability 0, or the replacement is unknown.
    """

    to_bad: float | int
    to_good: float | int
    loss_good: float | int = 0.0
    loss_bad: float | int = 1.0
    symmetric: bool = True
    replace: str = "own"

    def __post_init__(self) -> None:
        for name in ("to_bad", "to_good", "loss_good", "loss_bad"):
            probability(self, name)
        if self.to_bad + self.to_good == 0:
            raise ValueError("GilbertElliott: to_bad and to_good are both 0, so that no link ever changes; use Loss.")
        flag(self, "symmetric")
        choice(self, "replace", REPLACEMENTS)

    @property
    def loss_rate(self) -> float:
        """The long-run share of lost messages."""
        bad = self.to_bad / (self.to_bad + self.to_good)
        return bad * self.loss_bad + (1 - bad) * self.loss_good

    @property
    def repeated_loss(self) -> float:
        """The probability that the message after a lost one is lost, too."""
        if self.loss_rate == 0:
            return 0.0
        bad = self.to_bad / (self.to_bad + self.to_good) * self.loss_bad / self.loss_rate  # after a lost message
        bad_next = bad * (1 - self.to_good) + (1 - bad) * self.to_bad
        return bad_next * self.loss_bad + (1 - bad_next) * self.loss_good

    def link_state(self, vector: Vector) -> State:
        """Returns whether the link is bad, whether it has been used, and the state of the replacement."""
        return jnp.zeros((), bool), jnp.zeros((), bool), super().link_state(vector)

    def deliver(self, state: State, signal: Signal, keys: LinkKeys) -> tuple[Signal, State]:
        """Returns the signal, which has not arrived if the message is lost, and the link's next state."""
        bad, begun, kept = state
        change, lost = jax.random.uniform(keys.key(self.symmetric), (2,), jnp.float32)
        start = change < self.to_bad / (self.to_bad + self.to_good)
        bad = jnp.where(begun, jnp.where(bad, change >= self.to_good, change < self.to_bad), start)
        lost = lost < jnp.where(bad, self.loss_bad, self.loss_good)
        return signal._replace(arrived=signal.arrived & ~lost), (bad, jnp.ones_like(begun), kept)

    def receive(self, state: State, signal: Signal, layout: Layout) -> tuple[Signal, State]:
        """Returns the last vector that has arrived in the place of a lost one, where that is the replacement."""
        bad, begun, kept = state
        signal, kept = super().receive(kept, signal, layout)
        return signal, (bad, begun, kept)
