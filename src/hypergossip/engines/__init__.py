"""Engines: they provide `mix` and turn the step of one agent into the step of the network."""

from hypergossip.engines.debug import Debug, DebugError
from hypergossip.engines.engine import Job
from hypergossip.engines.sharded import Sharded
from hypergossip.engines.simulated import Simulated

__all__ = ["Debug", "DebugError", "Job", "Sharded", "Simulated"]
