"""Where `mix` comes from and how one agent's step is lifted to the network."""

from hypergossip.engines.debug import Debug, DebugError
from hypergossip.engines.engine import Job
from hypergossip.engines.sharded import Sharded
from hypergossip.engines.simulated import Simulated

__all__ = ["Debug", "DebugError", "Job", "Sharded", "Simulated"]
