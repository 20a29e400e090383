"""Links with a random gain."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from hypergossip.channels.arguments import flag, number
from hypergossip.channels.channel import Channel, LinkKeys, Signal, State
from hypergossip.channels.layout import Layout


@dataclass(frozen=True)
class Fading(Channel):
    """Every message arrives multiplied by a random gain h, one for all its entries.

    Without a pilot the receiver uses h v_j as it comes. With one, the sender also sends the number one, the receiver
    knows h from it, and its own weight is one minus the sum of the weights received: it adds W_ij h (v_j - v_i).

    Args:
        std: The standard deviation of h.
        mean: The mean of h.
        pilot: Whether every message carries a pilot.
        reciprocal: Whether both directions of a link have the same gain in a round.

    Raises:
        ValueError: If the standard deviation is negative, or the mean is not positive.
    """

    std: float | int
    mean: float | int = 1.0
    pilot: bool = False
    reciprocal: bool = False

    def __post_init__(self) -> None:
        number(self, "std", least=0)
        number(self, "mean", above=0)
        flag(self, "pilot")
        flag(self, "reciprocal")

    @property
    def harmless(self) -> bool:
        """Whether every gain is one."""
        return self.std == 0 and self.mean == 1

    def deliver(self, state: State, signal: Signal, keys: LinkKeys) -> tuple[Signal, State]:
        """Returns the signal multiplied by its gain."""
        draw = jax.random.normal(keys.key(self.reciprocal), (), jnp.float32).astype(signal.theirs.dtype)
        gain = self.mean + self.std * draw
        own = gain * signal.own if self.pilot else signal.own
        return Signal(gain * signal.theirs, own, signal.arrived), state

    def message_bits(self, bits: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """Returns one number more if there is a pilot."""
        return (*bits, layout.number_bits) if self.pilot else bits
