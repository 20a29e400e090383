"""The sum over the network that a method conserves, and what a channel has added to it."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from hypergossip.channels.stack import Stack, without_factors
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.flat_messages import Spaces
from hypergossip.core.shapes_only import ShapesOnly
from hypergossip.engines.links import Linked, mix_by


def conserved(
    algorithm: Algorithm, swept: bool, spaces: Spaces, channel: Stack, shapes: Any, state: Linked, weights: Any
) -> tuple[Any, Any]:
    """Returns the size of the sum over the network that a method keeps at zero, and that of its terms, each (runs,).

    What the links have added differs at the two ends of an edge while something is under way; its effect on the sum is
    subtracted.

    Args:
        algorithm: The agent's program.
        swept: Whether its numbers have a leading axis (runs,).
        spaces: The spaces of x and y.
        channel: The channel.
        shapes: The shapes of an agent's oracles.
        state: The agents' states and links, leaves (runs, agents, ...).
        weights: W_ij of the agents' neighbours, (agents, degree).
    """

    def run(algorithm: Algorithm, state: Linked) -> tuple[Any, Any]:
        terms = jax.vmap(lambda state, weights: term(algorithm, spaces, channel, shapes, state, weights))
        own, under_way = terms(state, weights)
        # Where all terms vanish, their sum is the round-off of the agents' vectors, which is not an error.
        vectors = [
            jnp.ravel(leaf) for leaf in jax.tree.leaves(state.agents) if jnp.issubdtype(leaf.dtype, jnp.floating)
        ]
        round_off = jnp.sqrt(jnp.finfo(own.dtype).eps) * jnp.linalg.norm(jnp.concatenate(vectors))
        return jnp.linalg.norm((own - under_way).sum(axis=0)), jnp.linalg.norm(own) + round_off

    return jax.vmap(run, (0 if swept else None, 0))(algorithm, state)


def term(
    algorithm: Algorithm, spaces: Spaces, channel: Stack, shapes: Any, state: Linked, weights: Any
) -> tuple[Any, Any]:
    """Returns an agent's term of the sum, and the part of it that its links have added, flat vectors.

    What the links have added cancels over the network, except for what is under way.

    Args:
        algorithm: The agent's program.
        spaces: The spaces of x and y.
        channel: The channel.
        shapes: The shapes of the agent's oracles.
        state: Its state and its links.
        weights: W_ij of its neighbours, (degree,).
    """
    own = _flat(algorithm.conserved(state.agents))
    added = [channel.added(links, weights) for links in state.links]
    if any(sums is None for sums in added):
        return own, jnp.zeros_like(own)
    return own, effect(algorithm, spaces, shapes, state.agents, added)


def effect(algorithm: Algorithm, spaces: Spaces, shapes: Any, agents: Any, added: Sequence[Any]) -> Any:
    """Returns by how much an agent's term of the sum grows if its averages do: a flat vector, linear in the growth.

    It is the derivative of a round in that direction.

    Args:
        algorithm: The agent's program.
        spaces: The spaces of x and y.
        shapes: The shapes of the agent's oracles.
        agents: The agent's state in the method.
        added: For each message of a round, by how much its average grows, (entries,).
    """
    oracles = ShapesOnly(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes))

    def after_a_round(scale: Any) -> Any:
        directions: Iterator[Any] = iter(added)
        grown = lambda buffer, factors: buffer + scale * without_factors(next(directions), factors)
        mix = mix_by(spaces, lambda buffer, call, layout, again, factors: grown(buffer, factors))
        key, round = jax.random.key(0), jnp.ones((), jnp.int32)
        return _flat(algorithm.conserved(algorithm.step(oracles, mix, round, agents, key)[0]))

    zero = jnp.zeros((), _flat(algorithm.conserved(agents)).dtype)
    return jax.jvp(after_a_round, (zero,), (jnp.ones_like(zero),))[1]


def _flat(tree: Any) -> Any:
    leaves = [jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)]
    return jnp.concatenate(leaves) if leaves else jnp.zeros(0)
