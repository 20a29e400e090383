"""The engine for debugging: it runs the agents one at a time without compilation, and locates every error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.channels.stack import Neighbourhood, Stack
from hypergossip.core.agent_data.axis import take_agents
from hypergossip.core.algorithm import Algorithm, ChangingOracles, Cost, WorldOracles
from hypergossip.core.flat_messages import Spaces, mix_through
from hypergossip.core.random_keys import hashed
from hypergossip.engines.arrays import ArraySession
from hypergossip.engines.engine import Job
from hypergossip.engines.keys import INIT_ROUND, agent_key
from hypergossip.engines.lifting import Placed
from hypergossip.engines.links import Delivered, Linked, Sender, channel_key, mix_by, neighbourhoods
from hypergossip.engines.lockstep import Send, UnequalStops, lockstep
from hypergossip.engines.mixing import neighbour_lists
from hypergossip.engines.over_time import NO_WEIGHTS, is_plain, operator
from hypergossip.support.devices import refuse_several_processes

MIX, WORLD = "mix", "its world"  # the calls in which a program waits for the others


class DebugError(RuntimeError):
    """A program failed. The message names round, run, agent and quantity; the cause is the original exception."""


class Links(NamedTuple):
    """A channel and all agents' links.

    Attributes:
        channel: The channel.
        here: Every agent's links, leaves (agents, ...).
        senders: The positions of every agent's neighbours, (agents, degree).
    """

    channel: Stack
    here: Neighbourhood
    senders: Any


@dataclass(frozen=True)
class Debug:
    """Runs the network without `jit`, one agent at a time, each in its own thread.

    An agent's program runs until its `mix`, waits there for the others, and continues with the average. `print`,
    `assert` and `breakpoint()` in losses and algorithms see actual values, except inside `jax.vmap` or `jax.grad`.
    After every round the engine checks that every agent's state is finite.
    """

    def open(self, job: Job) -> "DebugSession":
        """Opens a session for a job."""
        refuse_several_processes(job.problem.oracles, "Debug", "use engine=Sharded()")
        return DebugSession(job, Placed(job.problem.oracles, job.problem.identities, job.network))


class DebugSession(ArraySession):
    """A job whose agents run one at a time."""

    def start(self, x: Any, y: Any) -> Any:
        """Returns every agent's state before round 0."""
        job, placed = self.job, self.placed
        runs, agents = x.shape[:2]
        name = job.problem.agent_label

        def begin(run: int, agent: int) -> Any:
            def program(_: Send) -> Any:
                key = agent_key(job.keys[run], INIT_ROUND, placed.identities[agent])
                points = jnp.asarray(x[run, agent]), jnp.asarray(y[run, agent])
                state = self._algorithm(run).init(take_agents(placed.oracles, agent), *points, key)
                return _checked_finite(state, f"the start{_of_run(run, runs)}, {name(agent)}")

            where = f"the start{_of_run(run, runs)}, {name(agent)}: init"
            return lockstep([_located(program, where)], lambda requests: requests)[0]

        return self.linked(_stacked([[begin(run, agent) for agent in range(agents)] for run in range(runs)]))

    def advance(self, state: Any, first: int, last: int) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1.

        Raises:
            DebugError: If a program fails or a state is not finite.
        """
        runs, agents = self.job.keys.size, self.placed.identities.size
        states = [[_entry(state, (run, agent)) for agent in range(agents)] for run in range(runs)]
        cost = np.zeros((len(Cost._fields), runs, agents), np.int64)
        for run in range(runs):
            for round in range(first, last):
                where = f"round {round}{_of_run(run, runs)}"
                states[run], costs = self._round(run, states[run], round, where)
                cost[:, run] += np.asarray(costs, np.int64).T
        return (_stacked(states) if runs and agents else state), Cost(*cost)

    def _algorithm(self, run: int) -> Any:
        return _entry(self.job.algorithm, run) if self.job.swept else self.job.algorithm

    def _round(self, run: int, states: list[Any], round: int, where: str) -> tuple[list[Any], list[Cost]]:
        """Runs one round of one run; returns every agent's state and cost."""
        return _round(
            self._algorithm(run),
            self.placed,
            self.spaces,
            states,
            self.job.keys[run],
            round,
            where,
            self.job.problem.agent_label,
            self._links(round),
        )

    def _links(self, round: int) -> Links | None:
        """Returns the channel and every agent's links in a round, or None without a channel."""
        job = self.job
        if job.channel is None:
            return None
        plain = is_plain(job.network)
        lists = neighbour_lists(job.network.mixing) if plain else operator(job.network, True).at(round)
        return Links(job.channel, neighbourhoods(lists, self.placed.identities), np.asarray(lists.indices.T))


def _round(
    algorithm: Algorithm,
    placed: Placed,
    spaces: Spaces,
    states: list[Any],
    key: Any,
    round: int,
    where: str,
    name: Callable[[int], str],
    links: Links | None,
) -> tuple[list[Any], list[Cost]]:
    """Runs one round of one run; returns every agent's state and cost."""

    def agent(i: int) -> Callable[[Send], tuple[Any, Cost]]:
        def program(send: Send) -> tuple[Any, Cost]:
            oracles, before = take_agents(placed.oracles, i), states[i]
            agents_key = agent_key(key, round, placed.identities[i])
            number = jnp.asarray(round, jnp.int32)
            if isinstance(oracles, ChangingOracles):
                oracles = oracles.in_round(number)
            if isinstance(oracles, WorldOracles):
                oracles = oracles.within(lambda vector: send((WORLD, vector)))
            if links is None:
                mix = mix_through(spaces, lambda vector, call, weights: send((_called(weights), vector)))
                after, cost = algorithm.step(oracles, mix, number, before, agents_key)
            else:
                of_round = hashed(channel_key(key), round, np.uint32(0))
                exchange = lambda message: Delivered(send((MIX, message.vector)), message.own)
                sender = Sender(links.channel, before.links, of_round, _entry(links.here, i), exchange)
                after, cost = algorithm.step(oracles, mix_by(spaces, sender.send), number, before.agents, agents_key)
                after = Linked(after, sender.links)
            _checked_finite(after, f"{where}, {name(i)}")
            return after, cost

        return _located(program, f"{where}, {name(i)}: step")

    def answer(requests: list[tuple[str, Any]]) -> list[Any]:
        kinds, vectors = zip(*requests, strict=True)
        if len(set(kinds)) > 1:
            i = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
            raise DebugError(
                f"{where}: {name(0)} waits in {kinds[0]} while {name(i)} waits in {kinds[i]}. Every agent must "
                "call both in the same order."
            )
        return [jnp.stack(vectors)] * len(vectors) if kinds[0] == WORLD else average(vectors, kinds[0])

    def average(vectors: tuple[Any, ...], called: str) -> list[Any]:
        sizes = [vector.size for vector in vectors]
        if len(set(sizes)) > 1:
            i = next(i for i, size in enumerate(sizes) if size != sizes[0])
            raise DebugError(
                f"{where}: {name(0)} sends {sizes[0]} numbers and {name(i)} sends {sizes[i]} in the same "
                "mix. Every agent must send vectors of the same sizes in the same order."
            )
        table = np.stack([np.asarray(vector) for vector in vectors])
        if links is not None:
            return [jnp.asarray(table[rows]) for rows in links.senders]
        return [jnp.asarray(row) for row in _averages(placed.mixing, round, table, called)]

    try:
        done = lockstep([agent(i) for i in range(len(states))], answer)
    except UnequalStops as error:
        raise DebugError(
            f"{where}: {name(error.waiting)} calls mix more often than {name(error.ended)}, or its world. Every agent "
            "must call them equally often in a round, so do not call them inside a branch or loop that depends on the "
            "agent's own data."
        ) from None
    return [after for after, _ in done], [cost for _, cost in done]


def _called(weights: str | None) -> str:
    """Returns the name of a call of `mix` in messages."""
    return MIX if weights is None else f'mix(..., weights="{weights}")'


def _averages(network: Any, round: int, table: np.ndarray, called: str) -> np.ndarray:
    """Returns the averages of all agents, (agents, entries).

    Args:
        network: The network.
        round: The round.
        table: The agents' vectors, (agents, entries).
        called: The call of `mix`, as `_called` names it.
    """
    here = network.at(round)
    if called == MIX and not (network.one_matrix or network.doubly_stochastic):
        raise DebugError(f"round {round}: {NO_WEIGHTS}.")
    if called == _called("push") and here.push is not None:
        return (here.push.astype(table.dtype) @ table).astype(table.dtype)
    W = here.mixing.tocoo()  # averages by differences, as `hypergossip.engines.mixing` does
    received = W.data.astype(table.dtype)[:, None] * (table[W.col] - table[W.row])
    averages = table.copy()
    np.add.at(averages, W.row, received)
    return averages


def _located(program: Callable[[Send], Any], where: str) -> Callable[[Send], Any]:
    """Returns the program without compilation; its errors name the place where it was called."""

    def located(send: Send) -> Any:
        try:
            with jax.disable_jit():
                return program(send)
        except DebugError:
            raise
        except Exception as error:
            raise DebugError(f"{where} raised {type(error).__name__}: {error}") from error

    return located


def _checked_finite(state: Any, where: str) -> Any:
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        wrong = np.argwhere(~np.isfinite(np.asarray(leaf)))
        if len(wrong):
            quantity, entry = jax.tree_util.keystr(path).lstrip("."), tuple(map(int, wrong[0]))
            raise DebugError(
                f"{where}: {quantity} is no longer finite ({len(wrong)} of {leaf.size} entries; "
                f"{quantity}[{', '.join(map(str, entry))}] is {leaf[entry]}). Either the step sizes are too large for "
                "the losses, or a loss is undefined at the current iterates."
            )
    return state


def _entry(tree: Any, index: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _stacked(states: list[list[Any]]) -> Any:
    """Stacks the states of all runs and agents; leaves (runs, agents, ...)."""
    runs = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *agents) for agents in states]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)


def _of_run(run: int, runs: int) -> str:
    return f" of run {run}" if runs > 1 else ""
