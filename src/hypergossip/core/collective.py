"""Averages and maxima over the network for one agent's program, and the lifting of that program to all agents."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from hypergossip.core.agent_data.axis import axes_of_agents
from hypergossip.core.agent_data.blocks import agents_at_a_time, in_blocks
from hypergossip.core.space import Space
from hypergossip.support.compilation import compiled
from hypergossip.support.devices import AXIS, mesh_of, on_devices
from hypergossip.support.float64 import calls_python, in_float64, to_float64

# Runs that are measured side by side share every pass over the data, the main cost of measuring. More need more memory.
RUNS_AT_ONCE = 8


@dataclass(frozen=True)
class Collective:
    """The whole network, as one agent sees it in a program that measures.

    Every agent must call its methods equally often, and never in a branch or loop that depends on the agent's own
    numbers. The reductions return the same result for all agents.

    Attributes:
        agents: The number of agents.
        index: The number of this agent, a scalar.
        block: The number of agents for which a local computation is done at a time; None: all agents at once.
        axis: The mesh axis over which the agents are spread in `jax.shard_map`; None if they are in one place.
    """

    agents: int
    index: Any
    block: int | None = None
    axis: str | None = None

    def apart(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function of this agent alone. It runs for a block of agents at a time if all would take much memory.

        Args:
            function: A function of pytrees of arrays, such as the agent's oracles. It must not use the network.
            arguments: Its arguments.
        """
        if self.block is None:
            return function(*arguments)
        return in_blocks(function, self.block, self.index, *arguments)

    def mean(self, values: Any) -> Any:
        """Returns the mean over the agents of an array that each agent has."""
        return _mean(self.axis)(values, self.index)

    def largest(self, values: Any) -> Any:
        """Returns the entrywise maximum over the agents of an array that each agent has; NaN if any entry is NaN."""
        return _largest(self.axis)(values, self.index)

    def average_shared(self, space: Space, vector: Any) -> Any:
        """Replaces a vector's shared entries by their mean over the agents, and keeps the private entries."""
        return space.replace(vector, self.mean(space.select(vector))) if any(space.shared) else vector

    def inner(self, one: Any, other: Any) -> Any:
        """Returns the mean over the agents of the inner products of their vectors."""
        return self.mean(jnp.vdot(one, other))


@runtime_checkable
class Program(Protocol):
    """One agent's program that measures, with the same result for all agents. It is a pytree, so it may hold arrays.

    Attributes:
        precise: Whether it is computed in float64, independently of the precision of the run.
    """

    precise: ClassVar[bool]

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> dict[str, Any]:
        """Returns name -> scalar, the same for all agents; `agent` holds the oracles, x is (p,) and y is (q,)."""
        ...


def every_agent(program: Callable[..., Any], oracles: Any, x: Any, y: Any) -> Any:
    """Lifts an agent's program to all agents.

    Args:
        program: (agent's oracles, x (p,), y (q,), `Collective`) -> the result of one agent.
        oracles: Every agent's oracles, leaves (agents, ...) or `Packed`.
        x: (agents, p).
        y: (agents, q).

    Returns:
        The results of all agents, leaves (agents, ...).
    """
    return _lifted(program, oracles, x, y, 0, None)


def of_network(
    program: Callable[..., Any], oracles: Any, x: Any, y: Any, block: int | None = None, axis: str | None = None
) -> Any:
    """Lifts an agent's program whose result is the same for every agent, and returns that one result.

    Args:
        program: As for `every_agent`.
        oracles: Every agent's oracles, leaves (agents, ...) or `Packed`; in `jax.shard_map`, those of one device.
        x: (agents, p).
        y: (agents, q).
        block: Number of agents at a time, in float64, for local computations; all agents if absent.
        axis: The mesh axis over which the agents are spread in `jax.shard_map`.
    """
    return _lifted(program, oracles, x, y, None, block, axis)


def observed(program: Program, oracles: Any, x: Any, y: Any, own: Any = None) -> dict[str, Any]:
    """Measures the point of every run.

    Args:
        program: The program that measures.
        oracles: Every agent's oracles, leaves (agents, ...) or `Packed`. If they are spread over devices, each device
            measures its own agents.
        x: (runs, agents, p).
        y: (runs, agents, q).
        own: Further arrays of the agents, the same for all runs, leaves (agents, ...). If given, the program gets the
            pair of an agent's oracles and these arrays in the place of the oracles.

    Returns:
        Name -> (runs,).
    """
    mesh = mesh_of(oracles)
    if not program.precise:
        return _observed(program, oracles, own, x, y, None, mesh)
    python = calls_python(oracles)
    with in_float64(python):
        found = _observed(program, oracles, own, x, y, agents_at_a_time(oracles), mesh)
        return jax.block_until_ready(found) if python else found


def computed(program: Callable[..., Any], oracles: Any, x: Any, y: Any, own: Any = None) -> Any:
    """Computes something for every agent in float64.

    Args:
        program: A pytree that is called like a `Program`, but whose result is an agent's own.
        oracles: As for `observed`.
        x: (agents, p).
        y: (agents, q).
        own: As for `observed`.

    Returns:
        The results of all agents, leaves (agents, ...), on the devices of the agents.
    """
    with in_float64():
        return _computed(program, oracles, own, x, y, agents_at_a_time(oracles), mesh_of(oracles))


@compiled("block", "mesh")
def _observed(
    program: Program, oracles: Any, own: Any, x: Any, y: Any, block: int | None, mesh: Mesh | None
) -> dict[str, Any]:
    axis, most = None if mesh is None else AXIS, getattr(program, "at_once", RUNS_AT_ONCE)

    def on_device(program: Program, oracles: Any, own: Any, x: Any, y: Any) -> dict[str, Any]:
        if program.precise:
            x, y = to_float64((x, y))
        agents = oracles if own is None else (oracles, own)
        of_run = lambda point: of_network(program, agents, *point, block=block, axis=axis)
        return lax.map(of_run, (x, y), batch_size=side_by_side(len(x), most))

    if mesh is None:
        return on_device(program, oracles, own, x, y)
    of_states = P(None, AXIS)
    specs = P(), P(AXIS), P(AXIS), of_states, of_states
    return on_devices(on_device, mesh, specs, P())(program, oracles, own, x, y)


@compiled("block", "mesh")
def _computed(
    program: Callable[..., Any], oracles: Any, own: Any, x: Any, y: Any, block: int | None, mesh: Mesh | None
) -> Any:
    def on_device(program: Callable[..., Any], oracles: Any, own: Any, x: Any, y: Any) -> Any:
        x, y = to_float64((x, y))
        agents = oracles if own is None else (oracles, own)
        return _lifted(program, agents, x, y, 0, block, None if mesh is None else AXIS)

    if mesh is None:
        return on_device(program, oracles, own, x, y)
    of_agents = P(AXIS)
    specs = P(), of_agents, of_agents, of_agents, of_agents
    return on_devices(on_device, mesh, specs, of_agents)(program, oracles, own, x, y)


def side_by_side(runs: int, most: int = RUNS_AT_ONCE) -> int:
    """Returns how many runs to measure at a time: a divisor of `runs` if possible, as a remainder compiles anew.

    Args:
        runs: The number of runs.
        most: The largest number at a time.
    """
    if runs <= most:
        return runs
    divisors = (count for count in range(most // 2, most + 1) if runs % count == 0)
    return max(divisors, default=most)


def _lifted(
    program: Callable[..., Any],
    oracles: Any,
    x: Any,
    y: Any,
    out_axes: int | None,
    block: int | None,
    axis: str | None = None,
) -> Any:
    here, devices, index = len(x), 1, jnp.arange(len(x))
    if axis is not None:
        devices, index = lax.axis_size(axis), index + here * lax.axis_index(axis).astype(index.dtype)
    of_agent = lambda agent, index, x, y: program(agent, x, y, Collective(here * devices, index, block, axis))
    axes = (axes_of_agents(oracles), 0, 0, 0)
    return jax.vmap(of_agent, axes, out_axes)(oracles, index, x, y)


def _over_agents(reduce: Callable[..., Any], across: Callable[..., Any]) -> Callable[[str | None], Callable]:
    """Makes a function of one agent's array that `vmap` over the agents turns into a reduction.

    The agent's index is mapped over the agents only. It distinguishes this `vmap` from one over runs, which maps the
    array but not the index.

    Args:
        reduce: (values, axis) -> the reduction over the agents of one device.
        across: (reduction on one device, axis) -> the reduction over all devices, each with equally many agents.
    """

    @cache
    def over(axis: str | None) -> Callable[[Any, Any], Any]:
        @jax.custom_batching.custom_vmap
        def reduction(values: Any, index: Any) -> Any:
            return values

        @reduction.def_vmap
        def _reduced(axis_size: int, in_batched: list, values: Any, index: Any) -> tuple[Any, bool]:
            if not in_batched[1]:
                return reduction(values, index), in_batched[0]  # the axis of runs
            if not in_batched[0]:
                return values, False  # an equal value for all agents is not mapped
            own = reduce(values, axis=0)
            return (own if axis is None else across(own, axis)), False

        return reduction

    return over


# Not lax.pmax: whether a NaN passes through it depends on the device.
_largest = _over_agents(jnp.max, lambda own, axis: jnp.max(lax.all_gather(own, axis), axis=0))
_mean = _over_agents(jnp.mean, lax.pmean)
