"""The vectors of a message as one flat vector: an agent's `mix`, made from an average of flat vectors."""

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp

from hypergossip.core.algorithm import Count, Mix, Vector
from hypergossip.core.space import Space

Spaces = tuple[Space, Space]
WEIGHTS = (None, "pull", "push")


def mix_through(spaces: Spaces, send: Callable[[Vector, Count, str | None], Vector]) -> Mix:
    """Makes an agent's `mix` from a function that averages one flat vector over the neighbours.

    The shared entries of all given vectors are sent as one buffer, the numbers last, and other entries are never sent.

    Args:
        spaces: The spaces of x and y.
        send: (flat vector, number of the call, weights) -> its average. Each `mix` calls it at most once.
    """

    def mix(
        *,
        upper: Any = (),
        lower: Any = (),
        numbers: Any = (),
        call: Count = 0,
        weights: str | None = None,
        again: bool = False,
        factors: Any = None,
    ) -> Any:
        if weights not in WEIGHTS:
            raise ValueError(f'mix: weights is {weights!r}; give "pull" or "push", or None for doubly stochastic ones.')
        levels, extra = [jax.tree.flatten(upper), jax.tree.flatten(lower)], jax.tree.flatten(numbers)
        parts = _parts(spaces, (upper, lower, numbers))
        sizes = [part.size for part in parts]
        if sum(sizes) == 0:
            mixed = parts
        else:
            buffer = send(jnp.concatenate(parts), call, weights)
            mixed = [buffer[end - size : end] for size, end in zip(sizes, accumulate(sizes))]
        trees, entries = [], iter(mixed)
        for space, (leaves, structure) in zip(spaces, levels):
            trees.append(jax.tree.unflatten(structure, [space.replace(v, next(entries)) for v in leaves]))
        trees.append(jax.tree.unflatten(extra[1], [jnp.reshape(next(entries), jnp.shape(v)) for v in extra[0]]))
        given = [tree for tree, (leaves, _) in zip(trees, [*levels, extra]) if leaves]
        return given[0] if len(given) == 1 else tuple(given)

    return mix


def _parts(spaces: Spaces, given: tuple[Any, Any, Any]) -> list[Any]:
    """Returns the flat vectors of which a message consists: the shared entries of both levels, then the numbers."""
    upper, lower, numbers = map(jax.tree.leaves, given)
    parts = [space.select(v) for space, leaves in zip(spaces, (upper, lower)) for v in leaves]
    return [*parts, *map(jnp.ravel, numbers)]


def flat_factors(spaces: Spaces, given: tuple[Any, Any, Any], factors: Any) -> Vector | None:
    """Returns the factor of every entry of a message, or None if it has none.

    Args:
        spaces: The spaces of x and y.
        given: What `mix` is given: the trees `upper`, `lower` and `numbers`, each of which may be empty.
        factors: Its `factors`.

    Raises:
        ValueError: If they are not a tree like the given ones, of numbers or of arrays of the same shapes.
    """
    if factors is None:
        return None
    present = [tree for tree in given if jax.tree.leaves(tree)]
    wanted = present[0] if len(present) == 1 else tuple(present)
    if jax.tree.structure(factors) != jax.tree.structure(wanted):
        raise ValueError(
            "mix: factors are of another structure than the vectors; give one for each of them, such as "
            "mix(upper=x, lower=y, factors=(rho_x, rho_y))."
        )
    leaves = iter(jax.tree.leaves(factors))

    def spread(vector: Any) -> Any:
        factor = next(leaves)
        if jnp.shape(factor) not in ((), jnp.shape(vector)):
            raise ValueError(
                f"mix: a factor has the shape {jnp.shape(factor)}, and its vector {jnp.shape(vector)}; give a number, "
                "or one for each entry."
            )
        return jnp.broadcast_to(jnp.asarray(factor, vector.dtype), jnp.shape(vector))

    parts = _parts(spaces, tuple(jax.tree.map(spread, tree) for tree in given))
    return jnp.concatenate(parts) if parts else None


def number_of(numbers: Any) -> int:
    """Returns how many numbers, which belong to no level, a `mix` sends.

    Args:
        numbers: What it is given: a tree of arrays.
    """
    return sum(jnp.size(v) for v in jax.tree.leaves(numbers))
