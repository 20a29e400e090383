"""What `solve` asks of an engine: where `mix` comes from, and how one agent's step is lifted to all."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from hypergossip.algorithm import Algorithm, Cost
from hypergossip.engines.lifting import Placed, Spaces


@runtime_checkable
class Engine(Protocol):
    """Runs the network's rounds. Every state has leaves (runs, agents, ...)."""

    def place(self, problem: Any, network: Any) -> Placed:
        """Puts a problem on its network where the engine wants it."""
        ...

    def start(self, algorithm: Algorithm, swept: bool, placed: Placed, x: Any, y: Any, keys: Any) -> Any:
        """Returns every agent's state before round 0; x (runs, agents, p), y (runs, agents, q), keys (runs,)."""
        ...

    def restore(self, placed: Placed, state: Any) -> Any:
        """Puts a state of host arrays, leaves (runs, agents, ...), where the engine wants it."""
        ...

    def advance(
        self,
        algorithm: Algorithm,
        swept: bool,
        placed: Placed,
        spaces: Spaces,
        state: Any,
        keys: Any,
        first: int,
        last: int,
    ) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1; returns the state and what each agent spent, leaves (runs, agents)."""
        ...

    def fetch(self, tree: Any) -> Any:
        """Returns a tree of device arrays as host arrays, the same on every process."""
        ...

    @property
    def leads(self) -> bool:
        """Does this process write the run's files and show its progress? One of all does."""
        ...

    def tell(self, *numbers: float | int) -> np.ndarray:
        """Returns what every process told, (processes, numbers), the leading one first; all processes must call it.

        What processes see on their own (clocks, signals, files) must be told before anything is decided by it: those
        that decide unlike wait for each other for ever.
        """
        ...
