"""Turns one agent's program into the network's: `vmap` over the agents, a loop over the rounds, `vmap` over runs."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hypergossip.channels.stack import Stack
from hypergossip.core.agent_data.axis import axes_of_agents
from hypergossip.core.algorithm import Algorithm, Cost, Mix
from hypergossip.core.flat_messages import Spaces, mix_through
from hypergossip.core.random_keys import hashed
from hypergossip.engines.keys import INIT_ROUND, agent_key
from hypergossip.engines.links import Delivered, Linked, Sender, channel_key, exchanged, mix_by, neighbourhoods
from hypergossip.engines.mixing import Dense, Mixing, average, enter

TOGETHER_ENTRIES = 50_000  # entries of a run's state; runs with fewer advance through a round together on a CPU


class Placed(NamedTuple):
    """A problem and its network on the devices of an engine.

    Attributes:
        oracles: Every agent's oracles, with leaves (agents, ...) or `Packed`.
        identities: The agents' identities, (agents,).
        mixing: The operator by which the agents average.
    """

    oracles: Any
    identities: Any
    mixing: Mixing


def over(function: Any, alone: bool, in_axes: Any = 0) -> Any:
    """Maps a function over a leading axis. An axis of one entry is removed and put back instead.

    An axis of one entry has a cost: a loop whose bound depends on it gets a batched predicate.

    Args:
        function: The function to map.
        alone: Whether the leading axis has one entry.
        in_axes: As for `jax.vmap`.
    """
    if not alone:
        return jax.vmap(function, in_axes)

    def mapped(*arguments: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(arguments)
        only = [a if axis is None else jax.tree.map(lambda v: v[0], a) for a, axis in zip(arguments, axes)]
        return jax.tree.map(lambda v: v[None], function(*only))

    return mapped


def initial_states(algorithm: Algorithm, swept: bool, placed: Placed, x: Any, y: Any, keys: Any) -> Any:
    """Returns every agent's state before round 0 in every run.

    Args:
        algorithm: The agent's program.
        swept: Whether its numbers have a leading axis (runs,).
        placed: The problem on its network.
        x: The starting points, (runs, agents, p).
        y: The starting points, (runs, agents, q).
        keys: The runs' keys, (runs,).

    Returns:
        The algorithm's state, leaves (runs, agents, ...).
    """
    axes = axes_of_agents(placed.oracles)

    def run(algorithm: Algorithm, x: Any, y: Any, key: Any) -> Any:
        def agent(oracles: Any, identity: Any, x: Any, y: Any) -> Any:
            return algorithm.init(oracles, x, y, agent_key(key, INIT_ROUND, identity))

        return jax.vmap(agent, (axes, 0, 0, 0))(placed.oracles, placed.identities, x, y)

    return jax.vmap(run, in_axes=(0 if swept else None, 0, 0, 0))(algorithm, x, y, keys)


def run_rounds(
    algorithm: Algorithm,
    swept: bool,
    placed: Placed,
    spaces: Spaces,
    state: Any,
    keys: Any,
    first: Any,
    last: Any,
    channel: Stack | None = None,
) -> tuple[Any, Cost]:
    """Runs the rounds first..last-1 of every run.

    The bounds are traced, so that one executable runs chunks of every length.

    Args:
        algorithm: The agent's program.
        swept: Whether its numbers have a leading axis (runs,).
        placed: The problem on its network.
        spaces: The spaces of x and y.
        state: The state, with leaves (runs, agents, ...).
        keys: The runs' keys, (runs,).
        first: The first round, a scalar.
        last: One more than the last round, a scalar.
        channel: What the messages pass; the state is then `Linked`, and the mixing has lists of neighbours. None for
            the ideal channel, which needs one operation for all agents.

    Returns:
        The state after the rounds, and each agent's costs in these rounds, with leaves (runs, agents).
    """
    agents = placed.identities.size
    no_neighbours = isinstance(placed.mixing, Dense) and placed.mixing.weights.shape == (1, 1)
    here = None if channel is None else neighbourhoods(placed.mixing, placed.identities)

    def run(algorithm: Algorithm, state: Any, key: Any) -> tuple[Any, Cost]:
        def program(oracles: Any, mix: Mix, identity: Any, state: Any, round: Any) -> tuple[Any, Any]:
            agents_key = agent_key(key, round, identity)
            after, cost = algorithm.step(
                enter(oracles, placed.mixing, round, no_neighbours), mix, round, state, agents_key
            )
            return after, jnp.stack(cost.as_arrays())  # one array, so that the loop adds once

        def agent(oracles: Any, identity: Any, state: Any, round: Any, here: Any, mixing: Any) -> tuple[Any, Any]:
            if channel is None:
                # `average` uses the innermost `vmap` as that over the agents. One agent has none, so it would use that
                # over runs.
                averaged = lambda vector, call, weights: average(mixing.of(weights), vector)
                send = (lambda vector, call, weights: vector) if no_neighbours else averaged
                return program(oracles, mix_through(spaces, send), identity, state, round)
            of_round = hashed(channel_key(key), round, np.uint32(0))
            exchange = lambda message: Delivered(exchanged(mixing, message.vector), message.own)
            sender = Sender(channel, state.links, of_round, here, exchange)
            after, cost = program(oracles, mix_by(spaces, sender.send), identity, state.agents, round)
            return Linked(after, sender.links), cost

        network = over(agent, no_neighbours, (axes_of_agents(placed.oracles), 0, 0, None, 0, None))

        def body(round: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            state, total = carry
            mixing = placed.mixing.at(round)
            links = here if here is None else here._replace(weights=mixing.lists.weights.T)
            after, cost = network(placed.oracles, placed.identities, state, round, links, mixing)
            return after, total + cost

        nothing = jnp.zeros((agents, len(Cost._fields)), jnp.int32)
        after, total = lax.fori_loop(first, last, body, (state, nothing))
        return after, Cost(*jnp.moveaxis(total, -1, 0))

    if one_after_another(state, keys.size):
        if swept:
            return lax.map(lambda one: run(*one), (algorithm, state, keys))
        return lax.map(lambda one: run(algorithm, *one), (state, keys))
    return over(run, keys.size == 1, (0 if swept else None, 0, 0))(algorithm, state, keys)


def one_after_another(state: Any, runs: int) -> bool:
    """Returns whether a CPU should compute the runs one after another, within one call.

    Small runs are faster together, because every operation has an overhead. A large run fills the cores and the cache
    of the CPU alone, and several compete for the cache (benchmarks/seeds.py). This does not apply to a GPU.

    Args:
        state: The state, with leaves (runs, agents, ...).
        runs: The number of runs.
    """
    entries = sum(leaf.size for leaf in jax.tree.leaves(state)) // runs
    return runs > 1 and entries > TOGETHER_ENTRIES and jax.default_backend() == "cpu"
