"""Where `mix` comes from and how one agent's step is lifted to the network."""

from hypergossip.engines.simulated import Simulated

__all__ = ["Simulated"]
