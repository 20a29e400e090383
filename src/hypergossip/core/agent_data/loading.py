"""Reads every agent's data, all at once or by each process for its own agents, and makes oracles from them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Int

from hypergossip.core.agent_data.axis import number_of_agents, take_agents
from hypergossip.core.agent_data.one_agent import Only, chosen_agent
from hypergossip.core.agent_data.packed import PackedOracles
from hypergossip.core.agent_data.packed_rows import Packed
from hypergossip.core.agent_data.reading import count_rows, read_data, refuse_different_numbers_of_agents
from hypergossip.core.agent_data.stacking import (
    bytes_of_a_row,
    end_to_end,
    held_rows,
    hold,
    is_wasteful,
    repeated_rows,
    same_arrays,
    stacked,
)
from hypergossip.core.agent_data.whole_data import Loss, Whole, choose_whole
from hypergossip.core.oracles import AutodiffOracles, Form
from hypergossip.support.devices import AXIS, devices_of_all_processes, global_array, mesh_of, part_of_device
from hypergossip.support.processes import agreed, gather

Tree = Any
Load = Callable[[int], tuple[Tree, Tree]]
NAMES = ("upper_data", "lower_data")


@dataclass(frozen=True)
class AgentsData:
    """The data of the agents, read and checked.

    Attributes:
        levels: The upper and the lower level: for each agent of this process one pytree of NumPy arrays, leaves
            (rows, ...).
        counts: The numbers of rows of all agents at each level.
        same: Whether both levels are the same arrays.
        mesh: The devices of all processes, over which the agents are spread; None if this process has all agents.
        agent: The number of the agent if its data alone were loaded, as under `only`; None otherwise.
    """

    levels: tuple[list[Tree], list[Tree]]
    counts: Int[np.ndarray, "levels agents"]
    same: bool
    mesh: Mesh | None = None
    agent: int | None = None

    @property
    def numbers(self) -> list[int]:
        """The numbers of the agents that the problem has."""
        return list(range(self.counts.shape[1])) if self.agent is None else [self.agent]

    def whole(self, level: int, loss: Loss, x0: Tree, y0: Tree, python: bool) -> Whole:
        """Returns how a level's loss is called on all of an agent's rows, the same in every process.

        Args:
            level: 0 for the upper level, 1 for the lower.
            loss: f(x, y, batch) -> scalar.
            x0: One agent's starting point.
            y0: Likewise.
            python: Whether the loss calls back a Python function.

        Raises:
            ValueError: As for `choose_whole`, or if the agents of different processes need different ways.
        """
        name, sizes = NAMES[level].partition("_")[0], tuple(sorted(set(map(int, self.counts[level]))))
        chosen = agreed(lambda: choose_whole(name, loss, self.levels[level], sizes, x0, y0, python))
        kinds = gather(crc32(chosen.kind.encode()))
        if (kinds != kinds[0]).any():
            raise ValueError(
                f"the {name} loss can be called on the padded rows of the agents of some processes but not of others. "
                "Write it with jax.numpy on whole arrays, or give all agents equally many rows."
            )
        return chosen

    def hold(self, form: Form) -> AutodiffOracles | PackedOracles:
        """Returns every agent's oracles on these rows. Each process holds only its own agents.

        Args:
            form: What all agents have in common.
        """
        if self.mesh is None:
            return hold(*self.levels, self.same, form)
        repeat, levels = repeated_rows(form), range(1 if self.same else 2)
        waste = [is_wasteful(self.counts[k], bytes_of_a_row(self.levels[k][0]), repeat) for k in levels]
        make = self._packed if any(waste) else self._stacked
        held = [make(k, repeat) for k in levels]
        if any(waste):
            return PackedOracles(held[0], held[-1], form, self.same)
        counts = [global_array(self.counts[k], self._spread) for k in (0, 1)]
        return AutodiffOracles(held[0], held[-1], counts[0], counts[1], form, self.same)

    @property
    def _devices(self) -> list[Any]:
        return [] if self.mesh is None else list(self.mesh.devices.flat)

    @property
    def _spread(self) -> NamedSharding:
        return NamedSharding(Mesh(np.asarray(self._devices), (AXIS,)), P(AXIS))

    def _blocks(self) -> list[slice]:
        """Returns, for each device of this process, the slice of the process's agents that it holds."""
        block = self.counts.shape[1] // len(self._devices)
        return [slice(k, k + block) for k in range(0, len(self.levels[0]), block)]

    def _stacked(self, level: int, repeat: int) -> Tree:
        rows, agents = int(self.counts[level].max()) + repeat, self.counts.shape[1]
        make = lambda *leaves: self._placed([stacked(leaves[own], rows, repeat) for own in self._blocks()], agents)
        return jax.tree.map(make, *self.levels[level])

    def _packed(self, level: int, repeat: int) -> Packed:
        devices = len(self._devices)
        lengths = (self.counts[level] + repeat).reshape(devices, -1)
        rows = int(lengths.sum(axis=1).max())
        starts = (np.cumsum(lengths, axis=1) - lengths).ravel()
        make = lambda *leaves: self._placed(
            [end_to_end(leaves[own], rows, repeat) for own in self._blocks()], rows * devices
        )
        values = jax.tree.map(make, *self.levels[level])
        first, count = (global_array(numbers, self._spread) for numbers in (starts, self.counts[level]))
        return Packed(values, first, count, repeat)

    def _placed(self, blocks: list[np.ndarray], length: int) -> jax.Array:
        """Makes a global array, (length, ...), from this process's part."""
        here = [device for device in self._devices if device.process_index == jax.process_index()]
        parts = [jax.device_put(block, device) for block, device in zip(blocks, here, strict=True)]
        return jax.make_array_from_single_device_arrays((length, *blocks[0].shape[1:]), self._spread, parts)


def read_all(upper_data: Tree, lower_data: Tree) -> AgentsData:
    """Reads the data of all agents.

    Args:
        upper_data: As for `Problem`.
        lower_data: Likewise.

    Raises:
        ValueError: If a leaf is not an array of finite numbers, or the agents or the levels do not match.
    """
    upper, lower = read_data(upper_data, NAMES[0]), read_data(lower_data, NAMES[1])
    refuse_different_numbers_of_agents((upper_data, upper), (lower_data, lower))
    counts = _counts((upper, lower), range(len(upper)))
    return AgentsData((upper, lower), counts, same_arrays(upper_data, lower_data))


def read_own(n: int, load: Load) -> AgentsData:
    """Loads and reads the agents of this process, which are all agents if there is one process, or the one of `only`.

    Args:
        n: The number of agents.
        load: The agent's number -> (upper_data, lower_data), pytrees with leaves (rows, ...).

    Raises:
        ValueError: As for `read_all`; if `load` does not return a pair; or if the agents cannot be divided evenly over
            the processes, or there is no agent of the number that `only` has.
    """
    if (chosen := chosen_agent()) is not None:
        return _read_alone(n, load, chosen)
    if jax.process_count() == 1:
        pairs = [_loaded(load, i) for i in range(n)]
        return read_all([upper for upper, _ in pairs], [lower for _, lower in pairs])
    devices = _dividing_evenly(n)
    block = n // len(devices)
    mine = [i for i in range(n) if devices[i // block].process_index == jax.process_index()]

    def read() -> tuple[tuple[list[Tree], list[Tree]], bool]:
        pairs = [_loaded(load, i) for i in mine]
        given = [upper for upper, _ in pairs], [lower for _, lower in pairs]
        return (read_data(given[0], NAMES[0]), read_data(given[1], NAMES[1])), same_arrays(*given)

    levels, same = agreed(read)
    counts = np.zeros((2, n), np.int64)
    counts[:, mine] = agreed(lambda: _counts(levels, mine))
    counts = gather(counts).sum(axis=0)
    for k, name in enumerate(NAMES):
        kinds = gather(crc32(str(_kind(levels[k][0])).encode()))
        if (kinds != kinds[0]).any():
            raise ValueError(
                f"{name}: the agents of different processes hold different leaves, shapes or types (this process: "
                f"{_kind(levels[k][0])}); load must return the same kind of data for every agent."
            )
    return AgentsData(levels, counts, bool(gather(same).all()), Mesh(np.asarray(devices), (AXIS,)))


def _read_alone(n: int, load: Load, chosen: Only) -> AgentsData:
    if chosen.agent >= n:
        raise ValueError(
            f"agent {chosen.agent} does not exist: n is {n}, so that the agents have the numbers 0 to {n - 1}; make "
            "the problem with the network's number of agents."
        )
    chosen.numbers.append(n)
    upper, lower = _loaded(load, chosen.agent)
    return replace(read_all([upper], [lower]), agent=chosen.agent)


def rows_here(oracles: AutodiffOracles | PackedOracles, level: str) -> Iterator[tuple[int, Tree]]:
    """Yields the agents of this process with their rows, pytrees of NumPy arrays.

    Args:
        oracles: Every agent's oracles.
        level: "upper" or "lower".
    """
    if (mesh := mesh_of(oracles)) is None:
        yield from enumerate(held_rows(oracles, level))
        return
    block = number_of_agents(oracles) // mesh.size
    for k, device in enumerate(mesh.devices.flat):
        if device.process_index == jax.process_index():
            for j, rows in enumerate(held_rows(part_of_device(oracles, device), level)):
                yield k * block + j, rows


def agent_here(oracles: Any, i: int) -> Any:
    """Returns the oracles of agent i.

    Args:
        oracles: Every agent's oracles.
        i: The agent's number.

    Raises:
        ValueError: If the agent lives in another process.
    """
    mesh = mesh_of(oracles) if jax.process_count() > 1 else None
    if mesh is None:
        return take_agents(oracles, i)
    k, j = divmod(range(number_of_agents(oracles))[i], number_of_agents(oracles) // mesh.size)
    device = mesh.devices.flat[k]
    if device.process_index != jax.process_index():
        raise ValueError(f"agent {i} lives in process {device.process_index}; make this call there.")
    return take_agents(part_of_device(oracles, device), j)


def _counts(levels: tuple[list[Tree], list[Tree]], which: Iterable[int]) -> np.ndarray:
    numbers = list(which)
    named = zip(NAMES, levels, strict=True)
    return np.array([[count_rows(own, name, i) for i, own in zip(numbers, rows, strict=True)] for name, rows in named])


def _loaded(load: Load, i: int) -> tuple[Tree, Tree]:
    pair = load(i)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(
            f"load({i}) returned {'' if isinstance(pair, tuple | list) else 'a '}{type(pair).__name__}"
            f"{f' of {len(pair)}' if isinstance(pair, tuple | list) else ''}; return (upper_data, lower_data), each a "
            "pytree of the agent's arrays, leaves (rows, ...)."
        )
    return pair[0], pair[1]


def _dividing_evenly(agents: int) -> list[Any]:
    """Returns the largest number of devices of all processes that divides the agents evenly."""
    for count in range(min(agents, len(jax.devices())), jax.process_count() - 1, -1):
        if agents % count == 0:
            return devices_of_all_processes(count)
    raise ValueError(
        f"{agents} agents cannot be divided evenly over {jax.process_count()} processes with {len(jax.devices())} "
        "devices; use a number of agents that is a multiple of the number of processes."
    )


def _kind(agent: Tree) -> Any:
    """Returns the structure, types and sample shapes, which all agents must have in common."""
    return jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape[1:])}", agent)
