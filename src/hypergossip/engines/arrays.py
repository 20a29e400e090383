"""The common part of the sessions that hold all agents' states in JAX arrays, with leaves (runs, agents, ...)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.algorithm import Cost
from hypergossip.core.collective import Program, computed, observed
from hypergossip.core.flat_messages import Spaces
from hypergossip.engines.conserved_sum import conserved
from hypergossip.engines.engine import Job
from hypergossip.engines.lifting import Placed
from hypergossip.engines.links import Linked, initial_links
from hypergossip.engines.mixing import neighbour_lists
from hypergossip.support.compilation import compiled


class Points(NamedTuple):
    """The part of a state that is measured.

    Attributes:
        x: Every agent's x, (runs, agents, p).
        y: Every agent's y, (runs, agents, q).
    """

    x: Any
    y: Any


class ArraySession(ABC):
    """A session in one process, or in several that hold parts of the same arrays.

    Attributes:
        job: The job that runs.
        placed: The problem and its network on the session's devices.
        spaces: The spaces of x and y.
    """

    _conserved: Any = None  # the compiled program of `conserved`, made at its first use

    def __init__(self, job: Job, placed: Placed) -> None:
        """Takes the job and its placed problem."""
        self.job, self.placed = job, placed
        self.spaces: Spaces = (job.problem.upper, job.problem.lower)

    @property
    def is_leader(self) -> bool:
        """True, because there is one process."""
        return True

    def all_gather(self, *numbers: float | int) -> np.ndarray:
        """Returns the numbers, (1, numbers), because there is one process."""
        return np.asarray([numbers], np.float64)

    @abstractmethod
    def start(self, x: Any, y: Any) -> Any:
        """Returns every agent's state before round 0, from x (runs, agents, p) and y (runs, agents, q)."""

    @abstractmethod
    def advance(self, state: Any, first: int, last: int) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1 and waits for them."""

    def linked(self, state: Any) -> Any:
        """Returns the agents' state before round 0 together with that of their links, if there is a channel.

        Args:
            state: The agents' state, leaves (runs, agents, ...).
        """
        job = self.job
        if job.channel is None:
            return state
        axes = jax.tree.leaves(state)[0].shape[:2]
        degree = int(job.network.degrees.max(initial=0))
        return Linked(state, self.put(initial_links(job.channel, job.messages, self.spaces, axes, degree)))

    def conserved(self, state: Any) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the size of the sum that the method keeps at zero, and that of its terms, each (runs,), or None."""
        job, channel = self.job, self.job.channel
        if channel is None:
            return None
        if self._conserved is None:
            kept = jax.eval_shape(jax.vmap(jax.vmap(job.algorithm.conserved)), state.agents)
            if not jax.tree.leaves(kept):
                return None
            shapes = job.problem.agent_shapes()
            # Only stages that refuse a network that changes keep what an edge has added, so its weights do not matter.
            graph = job.network if job.network.schedule is None else job.network.graph
            weights = neighbour_lists(graph.mixing).weights.T
            self._conserved = compiled()(
                lambda algorithm, state: conserved(algorithm, job.swept, self.spaces, channel, shapes, state, weights)
            )
        return self.to_host(self._conserved(job.algorithm, state))

    def put(self, tree: Any) -> Any:
        """Puts a tree of host arrays, with leaves (runs, agents, ...), on the devices of the states."""
        return jax.tree.map(jnp.asarray, tree)

    def to_host(self, tree: Any) -> Any:
        """Returns a tree of device arrays as host arrays."""
        return jax.tree.map(np.asarray, tree)

    def join(self, states: Sequence[Any]) -> Points:
        """Returns the points of several states, one after another along the axis of runs."""
        if len(states) == 1:
            return Points(states[0].x, states[0].y)
        return Points(jnp.concatenate([state.x for state in states]), jnp.concatenate([state.y for state in states]))

    def observe(self, state: Any, program: Program, own: Any = None) -> dict[str, np.ndarray]:
        """Measures the agents' current points.

        Args:
            state: The state.
            program: The program.
            own: Further arrays of the agents.

        Returns:
            Name -> (runs,).
        """
        return self.to_host(observed(program, self.placed.oracles, state.x, state.y, own))

    def compute(self, program: Callable[..., Any], x: Any, y: Any, own: Any = None) -> Any:
        """Returns the result of a program in every agent, leaves (agents, ...), where the agents are.

        Args:
            program: The program.
            x: Arrays of the agents, (agents, p).
            y: Arrays of the agents, (agents, q).
            own: Further arrays of the agents.
        """
        return computed(program, self.placed.oracles, x, y, own)

    def observe_together(self, state: Any, program: Callable[[Any, Any, Any], Any]) -> dict[str, np.ndarray]:
        """Measures with one function of all agents at once; returns name -> (runs,)."""
        return self.to_host(program(self.placed.oracles, state.x, state.y))

    def bounded(self, state: Any, bound: float) -> np.ndarray:
        """Returns for every run, (runs,), whether all entries of all agents' x and y are smaller than a bound."""
        below = [(jnp.abs(v) < bound).all(axis=(1, 2)) for v in (state.x, state.y)]
        return np.logical_and(*self.to_host(below))

    def unfinished(self, state: Any) -> list[tuple[str, np.ndarray]] | None:
        """Returns None if the state is finite, else every quantity that is not, with its finiteness, (runs, agents)."""
        if bool(self.to_host(_all_finite(state))):
            return None
        flags = jax.tree_util.tree_leaves_with_path(self.to_host(_finite_by_agent(state)))
        return [(_quantity(path), flag) for path, flag in flags if not flag.all()]

    def points(self, state: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns every agent's x, (runs, agents, p), and y, (runs, agents, q), on the host."""
        return self.to_host((state.x, state.y))

    def shapes(self, state: Any) -> list[tuple[tuple[int, ...], Any]]:
        """Returns the shape and the type of each array that `save` returns."""
        return [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)]

    def save(self, state: Any) -> list[np.ndarray]:
        """Returns the state's leaves as host arrays, each (runs, agents, ...)."""
        return jax.tree.leaves(self.to_host(state))

    def restore(self, state: Any, saved: list[np.ndarray]) -> Any:
        """Returns the saved state."""
        return self.put(jax.tree.unflatten(jax.tree.structure(state), saved))

    def close(self) -> None:
        """Releases the problem's arrays."""
        del self.placed


def _quantity(path: Any) -> str:
    """Returns the name of a part of a session's state as its method or its channel has it."""
    name = jax.tree_util.keystr(path)
    return "the state of the channel" if name.startswith(".links") else name.removeprefix(".agents").lstrip(".")


@jax.jit
def _all_finite(state: Any) -> Any:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(state)]))


@jax.jit
def _finite_by_agent(state: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.all(jnp.isfinite(leaf), axis=tuple(range(2, leaf.ndim))), state)
