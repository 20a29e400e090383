"""What `solve` asks of an engine: a session, in which the agents' programs run, are measured and are saved."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from hypergossip.core.algorithm import Algorithm, Cost
from hypergossip.core.collective import Program

State = Any  # what a session makes of every agent's state; nobody but the session looks into it


class Job(NamedTuple):
    """What a session runs.

    Attributes:
        algorithm: The agent's program; its numbers with a leading axis (runs,) where swept.
        problem: The problem.
        network: The network.
        keys: (runs,) the runs' keys.
        swept: Do the algorithm's numbers differ between the runs?
    """

    algorithm: Algorithm
    problem: Any
    network: Any
    keys: Any
    swept: bool = False


@runtime_checkable
class Session(Protocol):
    """A job on an engine. A session may run in several processes, all of which then make the same calls."""

    @property
    def is_leader(self) -> bool:
        """Does this process write the run's files and show its progress? One of all does."""
        ...

    def all_gather(self, *numbers: float | int) -> np.ndarray:
        """Returns every process's numbers, (processes, numbers), the leader's first; all processes must call it.

        What a process sees by itself (clocks, signals, files) must be gathered before a decision depends on it, since
        processes that decide differently wait for each other forever.
        """
        ...

    def start(self, x: Any, y: Any) -> State:
        """Returns the state before round 0; x (runs, agents, p) and y (runs, agents, q) say where the agents start."""
        ...

    def advance(self, state: State, first: int, last: int) -> tuple[State, Cost]:
        """Runs the rounds first..last-1 and waits for them.

        Returns:
            The state, and each agent's costs, each (runs, agents), for `to_host`.
        """
        ...

    def to_host(self, tree: Any) -> Any:
        """Returns a tree of what `advance` has returned as host arrays, the same in every process."""
        ...

    def observe(self, state: State, program: Program) -> dict[str, np.ndarray]:
        """Measures where the agents are by a program of every agent; name -> (runs,), the same in every process."""
        ...

    def observe_together(self, state: State, program: Callable[[Any, Any, Any], Any]) -> dict[str, np.ndarray]:
        """Measures by one function of all agents at once, for which they must be in one place.

        Args:
            state: The state.
            program: (oracles, leaves (agents, ...), x (runs, agents, p), y (runs, agents, q)) -> name -> (runs,).
        """
        ...

    def bounded(self, state: State, bound: float) -> np.ndarray:
        """Returns, (runs,), whether all entries of all agents' x and y are smaller than a bound."""
        ...

    def unfinished(self, state: State) -> list[tuple[str, np.ndarray]] | None:
        """Returns None where every number of the state is finite; else the quantities that are not, by name.

        Each comes with (runs, agents), where it is finite.
        """
        ...

    def points(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Returns every agent's x, (runs, agents, p), and y, (runs, agents, q), on the host."""
        ...

    def shapes(self, state: State) -> list[tuple[tuple[int, ...], Any]]:
        """Returns shape and type of what `save` returns."""
        ...

    def save(self, state: State) -> list[np.ndarray]:
        """Returns the state as host arrays, each (runs, agents, ...), the same in every process."""
        ...

    def restore(self, state: State, saved: list[np.ndarray]) -> State:
        """Returns the state that was saved; `state` is one of the same job."""
        ...

    def close(self) -> None:
        """Gives back what the session holds."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Where a job runs."""

    def open(self, job: Job) -> Session:
        """Puts a job where it runs.

        Raises:
            ValueError: If it cannot run there.
        """
        ...
