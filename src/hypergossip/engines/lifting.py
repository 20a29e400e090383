"""How one agent's program becomes the network's: `vmap` over the agents, a loop over the rounds, `vmap` over runs."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.core.agent_data.axis import axes_of_agents
from hypergossip.core.algorithm import Algorithm, Cost
from hypergossip.core.messages import Spaces, mix_through
from hypergossip.engines.keys import INIT_ROUND, agent_key
from hypergossip.engines.mixing import Dense, Mixing, average, enter

TOGETHER_ENTRIES = 50_000  # in the state of a run; smaller runs go through a round together on a CPU


class Placed(NamedTuple):
    """A problem on its network, where an engine wants it.

    Attributes:
        oracles: Every agent's oracles, leaves (agents, ...) or `Packed`.
        identities: (agents,).
        mixing: How the agents average.
    """

    oracles: Any
    identities: Any
    mixing: Mixing


def over(function: Any, alone: bool, in_axes: Any = 0) -> Any:
    """Maps a function over a leading axis; where that axis has one entry it is taken off and put back instead.

    An axis of one entry is not free: a loop whose bound it carries gets a batched predicate.

    Args:
        function: What is mapped.
        alone: Does the leading axis have one entry?
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
        swept: Do its numbers have a leading axis (runs,)?
        placed: The problem on its network.
        x: (runs, agents, p) where they start.
        y: (runs, agents, q).
        keys: (runs,).

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
    algorithm: Algorithm, swept: bool, placed: Placed, spaces: Spaces, state: Any, keys: Any, first: Any, last: Any
) -> tuple[Any, Cost]:
    """Runs the rounds first..last-1 of every run.

    The bounds are traced, so that chunks of every length, and the chunk that ends early, run one executable.

    Args:
        algorithm: The agent's program.
        swept: Do its numbers have a leading axis (runs,)?
        placed: The problem on its network.
        spaces: The spaces of x and y.
        state: Leaves (runs, agents, ...).
        keys: (runs,) the runs' keys.
        first: The first round, a scalar.
        last: One more than the last round, a scalar.

    Returns:
        The state after the rounds, and each agent's costs in them, leaves (runs, agents).
    """
    agents = placed.identities.size
    no_neighbours = isinstance(placed.mixing, Dense) and placed.mixing.weights.shape == (1, 1)
    # `average` takes the innermost `vmap` for the agents': one agent has none, so the runs' would be taken for it.
    send = (lambda vector, call: vector) if no_neighbours else lambda vector, call: average(placed.mixing, vector)
    mix = mix_through(spaces, send)

    def run(algorithm: Algorithm, state: Any, key: Any) -> tuple[Any, Cost]:
        def agent(oracles: Any, identity: Any, state: Any, round: Any) -> tuple[Any, Cost]:
            agents_key = agent_key(key, round, identity)
            after, cost = algorithm.step(enter(oracles, placed.mixing, no_neighbours), mix, round, state, agents_key)
            return after, cost.as_arrays()

        network = over(agent, no_neighbours, (axes_of_agents(placed.oracles), 0, 0, None))

        def body(round: Any, carry: tuple[Any, Cost]) -> tuple[Any, Cost]:
            state, total = carry
            after, cost = network(placed.oracles, placed.identities, state, round)
            return after, total + cost

        nothing = Cost(*(jnp.zeros(agents, jnp.int32) for _ in Cost._fields))
        return lax.fori_loop(first, last, body, (state, nothing))

    if one_after_another(state, keys.size):
        if swept:
            return lax.map(lambda one: run(*one), (algorithm, state, keys))
        return lax.map(lambda one: run(algorithm, *one), (state, keys))
    return over(run, keys.size == 1, (0 if swept else None, 0, 0))(algorithm, state, keys)


def one_after_another(state: Any, runs: int) -> bool:
    """Should a processor take the runs through their rounds one after another, within the one call?

    Small runs are faster together, since every operation has its price. Large ones fill the processor's cores and its
    cache each by itself, and together they push each other out of it (benchmarks/seeds.py). A GPU has no such cache.

    Args:
        state: Leaves (runs, agents, ...).
        runs: How many there are.
    """
    entries = sum(leaf.size for leaf in jax.tree.leaves(state)) // runs
    return runs > 1 and entries > TOGETHER_ENTRIES and jax.default_backend() == "cpu"
