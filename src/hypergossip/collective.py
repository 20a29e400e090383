"""What an agent's program is told of the whole network: averages and largest values, lifted to all agents at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.agent_blocks import agents_at_a_time, in_blocks
from hypergossip.compilation import compiled
from hypergossip.float64 import calls_python, in_float64, to_float64
from hypergossip.space import Space

# Runs measured side by side share every pass over the data, which is what measuring costs; more would cost memory.
RUNS_AT_ONCE = 8


@dataclass(frozen=True)
class Collective:
    """All agents, as one of them sees them in a program that measures.

    Every agent calls it equally often, never in a branch or loop that depends on its own numbers. What it returns is
    the same for all.

    Attributes:
        agents: How many there are.
        index: Which of them this one is, a scalar.
        block: For how many of them a part that each does by itself is computed at a time.
    """

    agents: int
    index: Any
    block: int

    def apart(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function of this agent alone, for some agents at a time, where all at once would take much memory.

        Args:
            function: Of pytrees of arrays, the agent's oracles among them; it calls nothing of the network.
            arguments: Its arguments.
        """
        return (
            function(*arguments)
            if self.block >= self.agents
            else in_blocks(function, self.block, self.index, *arguments)
        )

    def mean(self, values: Any) -> Any:
        """Returns the mean over the agents of the values, an array that each of them has."""
        return _mean(values, self.index)

    def largest(self, values: Any) -> Any:
        """Returns the largest over the agents of an array that each of them has, entry by entry; NaN if one is."""
        return _largest(values, self.index)

    def average_shared(self, space: Space, vector: Any) -> Any:
        """Replaces a vector's shared entries by their mean over the agents, and leaves the private ones."""
        return space.replace(vector, self.mean(space.select(vector))) if any(space.shared) else vector

    def inner(self, one: Any, other: Any) -> Any:
        """Returns the mean over the agents of the inner products of their vectors."""
        return self.mean(jnp.vdot(one, other))


@runtime_checkable
class Program(Protocol):
    """A program that measures, one agent's, whose result is the same for all: a pytree, so that it may hold arrays.

    Attributes:
        precise: Is it measured in float64, whatever the precision of the run?
    """

    precise: ClassVar[bool]

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> dict[str, Any]:
        """Returns name -> scalar, the same for all agents; `agent` are its oracles, x is (p,) and y (q,)."""
        ...


def every_agent(program: Callable[..., Any], oracles: Any, x: Any, y: Any) -> Any:
    """Lifts an agent's program to all agents.

    Args:
        program: (agent's oracles, x (p,), y (q,), `Collective`) -> what one agent has found.
        oracles: Every agent's oracles, leaves (agents, ...).
        x: (agents, p).
        y: (agents, q).

    Returns:
        What all have found, leaves (agents, ...).
    """
    return _lifted(program, oracles, x, y, 0, len(x))


def of_network(program: Callable[..., Any], oracles: Any, x: Any, y: Any, block: int | None = None) -> Any:
    """Lifts an agent's program that finds the same for every agent, and returns that.

    Args:
        program: As for `every_agent`.
        oracles: Every agent's oracles, leaves (agents, ...).
        x: (agents, p).
        y: (agents, q).
        block: Agents at a time, in float64, in the parts that each does by itself; all if absent.
    """
    return _lifted(program, oracles, x, y, None, len(x) if block is None else block)


def observed(program: Program, oracles: Any, x: Any, y: Any) -> dict[str, Any]:
    """Measures every run's point.

    Args:
        program: What is measured.
        oracles: Every agent's oracles, leaves (agents, ...).
        x: (runs, agents, p).
        y: (runs, agents, q).

    Returns:
        Name -> (runs,).
    """
    if not program.precise:
        return _observed(program, oracles, x, y, x.shape[1])
    python = calls_python(oracles)
    with in_float64(python):
        found = _observed(program, oracles, x, y, agents_at_a_time(oracles))
        return jax.block_until_ready(found) if python else found


@compiled("block")
def _observed(program: Program, oracles: Any, x: Any, y: Any, block: int) -> dict[str, Any]:
    if program.precise:
        x, y = to_float64((x, y))
        oracles = to_float64(oracles) if block >= x.shape[1] else oracles
    of_run = lambda point: of_network(program, oracles, *point, block=block)
    return lax.map(of_run, (x, y), batch_size=side_by_side(len(x)))


def side_by_side(runs: int) -> int:
    """Returns how many `runs` to measure at a time: a divisor of them if possible, since a rest is compiled apart."""
    if runs <= RUNS_AT_ONCE:
        return runs
    divisors = (count for count in range(RUNS_AT_ONCE // 2, RUNS_AT_ONCE + 1) if runs % count == 0)
    return max(divisors, default=RUNS_AT_ONCE)


def _lifted(program: Callable[..., Any], oracles: Any, x: Any, y: Any, out_axes: int | None, block: int) -> Any:
    agents = x.shape[0]
    of_agent = lambda agent, index, x, y: program(agent, x, y, Collective(agents, index, block))
    return jax.vmap(of_agent, out_axes=out_axes)(oracles, jnp.arange(agents), x, y)


def _over_agents(reduce: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Makes a function of one agent's array that `vmap` over the agents turns into a reduction.

    The agent's index, which is mapped over the agents and nothing else, tells that `vmap` from one over runs, where the
    array itself is mapped over runs alone.
    """

    @jax.custom_batching.custom_vmap
    def reduction(values: Any, index: Any) -> Any:
        return values

    @reduction.def_vmap
    def _reduced(axis_size: int, in_batched: list, values: Any, index: Any) -> tuple[Any, bool]:
        if not in_batched[1]:
            return reduction(values, index), in_batched[0]  # of the runs' axis
        return (reduce(values, axis=0) if in_batched[0] else values), False  # what all have alike is not mapped

    return reduction


_mean, _largest = _over_agents(jnp.mean), _over_agents(jnp.max)
