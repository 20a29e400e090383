"""The interface of an engine: a session in which the agents' programs are run, measured and saved."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from hypergossip.channels.stack import Stack
from hypergossip.core.algorithm import Algorithm, Cost
from hypergossip.core.collective import Program
from hypergossip.core.messages import Message

State = Any  # a session's own form of every agent's state, which only the session reads


class Job(NamedTuple):
    """The task of a session.

    Attributes:
        algorithm: The agent's program. If swept, its numbers have a leading axis (runs,).
        problem: The problem.
        network: The network.
        keys: The random key of each run, (runs,).
        swept: Whether the algorithm's numbers differ between the runs.
        channel: What the messages pass, or None for the ideal channel.
        messages: The messages of a round, which a channel and the engine `Peers` need.
    """

    algorithm: Algorithm
    problem: Any
    network: Any
    keys: Any
    swept: bool = False
    channel: Stack | None = None
    messages: tuple[Message, ...] = ()


@runtime_checkable
class Session(Protocol):
    """A job on an engine. A session may run in several processes, which must then all make the same calls."""

    @property
    def is_leader(self) -> bool:
        """Whether this process writes the run's files and shows its progress. Exactly one process does."""
        ...

    def all_gather(self, *numbers: float | int) -> np.ndarray:
        """Returns every process's numbers, (processes, numbers), the leader's first; all processes must call it.

        Information local to a process (clocks, signals, files) must be gathered before a decision depends on it,
        because processes that decide differently would wait for each other forever.
        """
        ...

    def start(self, x: Any, y: Any) -> State:
        """Returns the state before round 0 from the starting points x (runs, agents, p) and y (runs, agents, q)."""
        ...

    def advance(self, state: State, first: int, last: int) -> tuple[State, Cost]:
        """Runs the rounds first..last-1 and waits for them.

        Returns:
            The state, and each agent's costs, each (runs, agents), to be passed to `to_host`.
        """
        ...

    def to_host(self, tree: Any) -> Any:
        """Returns a tree of arrays from `advance` as host arrays, the same in every process."""
        ...

    def join(self, states: Sequence[State]) -> State:
        """Returns the points of several states, one after another, as a state with more runs, which holds only x and y.

        It remains valid while the run advances, and can be measured by `observe`, `observe_together` and `bounded`.
        """
        ...

    def observe(self, state: State, program: Program, own: Any = None) -> dict[str, np.ndarray]:
        """Runs a measuring program in every agent; returns name -> (runs,), the same in every process.

        Args:
            state: The state.
            program: The program.
            own: Further arrays of the agents, from `compute`. If given, the program gets the pair of an agent's oracles
                and these arrays.
        """
        ...

    def compute(self, program: Callable[..., Any], x: Any, y: Any, own: Any = None) -> Any:
        """Computes something for every agent, in float64, and leaves it with the agents.

        Args:
            program: A function of an agent's oracles, or their pair with `own`, of x, y and the network's `Collective`.
            x: Arrays of the agents, (agents, p).
            y: Arrays of the agents, (agents, q).
            own: As for `observe`.
        """
        ...

    def observe_together(self, state: State, program: Callable[[Any, Any, Any], Any]) -> dict[str, np.ndarray]:
        """Measures with one function of all agents at once, which must be in the memory of one process.

        Args:
            state: The state.
            program: A function of the oracles, with leaves (agents, ...), of x, (runs, agents, p), and of y,
                (runs, agents, q), that returns name -> (runs,).
        """
        ...

    def put(self, tree: Any) -> Any:
        """Puts a tree of host arrays, with leaves (runs, agents, ...), where the agents are."""
        ...

    def bounded(self, state: State, bound: float) -> np.ndarray:
        """Returns for every run, (runs,), whether all entries of all agents' x and y are smaller than a bound."""
        ...

    def unfinished(self, state: State) -> list[tuple[str, np.ndarray]] | None:
        """Returns None if every number of the state is finite, and otherwise the names of the quantities that are not.

        Each name comes with an array (runs, agents) that is true where the quantity is finite.
        """
        ...

    def conserved(self, state: State) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the size of the sum that a method keeps at zero, and that of its terms, each (runs,).

        What is under way on the edges of the channel is included. None: there is no channel, or no such sum.
        """
        ...

    def points(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Returns every agent's x, (runs, agents, p), and y, (runs, agents, q), on the host."""
        ...

    def shapes(self, state: State) -> list[tuple[tuple[int, ...], Any]]:
        """Returns the shape and the type of each array that `save` returns."""
        ...

    def save(self, state: State) -> list[np.ndarray]:
        """Returns the state as host arrays, each (runs, agents, ...), the same in every process."""
        ...

    def restore(self, state: State, saved: list[np.ndarray]) -> State:
        """Returns the saved state; `state` is any state of the same job."""
        ...

    def close(self) -> None:
        """Releases the resources that the session holds."""
        ...


@runtime_checkable
class Engine(Protocol):
    """A way to run a job."""

    def open(self, job: Job) -> Session:
        """Prepares a job and returns its session.

        Raises:
            ValueError: If the engine cannot run the job.
        """
        ...
