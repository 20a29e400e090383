"""Links that add noise to what they carry."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from hypergossip.channels.arguments import number
from hypergossip.channels.channel import Channel, LinkKeys, Signal, State


@dataclass(frozen=True)
class Noise(Channel):
    """Every entry of every message arrives with independent Gaussian noise, other noise on every link.

    Args:
        std: The standard deviation of the noise of an entry, in the unit of the entry.

    Raises:
        ValueError: If the standard deviation is negative.
    """

    std: float | int

    def __post_init__(self) -> None:
        number(self, "std", least=0)

    def deliver(self, state: State, signal: Signal, keys: LinkKeys) -> tuple[Signal, State]:
        """Returns the signal with noise."""
        # Drawn in 32 bits whatever the precision of the run, so that runs in both precisions have the same noise.
        noise = jax.random.normal(keys.directed, signal.theirs.shape, jnp.float32).astype(signal.theirs.dtype)
        return signal._replace(theirs=signal.theirs + self.std * noise), state
