"""Every random number of a run drawn outside it, from the key law and the estimators' splits, all restated here.

The words of the key of agent i in round t are Threefry's of (t, i) under the run's key. A method splits it into one key
for its hypergradient and one for its lower gradient; eq. 4 splits the first into an upper and a lower sample, eq. 5
into an upper sample, the root of its lower samples (fold_in j for factor j, fold_in 0 for the Jacobian) and a depth.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32

from hypergossip.core import oracles
from hypergossip.core.random_keys import KEYS
from numpy_methods.logistic import Rows
from numpy_methods.quadratic import Draws


def agent_keys(seed: int, t: int, i: int) -> tuple[Any, Any]:
    """Returns the hypergradient's and the lower gradient's key of agent i in round t."""
    words = threefry_2x32(jax.random.key_data(jax.random.key(seed)), jnp.stack([t, i]).astype(jnp.uint32))
    upper, lower = jax.random.split(jax.random.wrap_key_data(words, impl=KEYS))
    return upper, lower


def table(of_agent: Callable, rounds: int, agents: int) -> Any:
    """Evaluates (t, i) -> tree of arrays for every round and agent, leaves (rounds, agents, ...)."""
    everyone = jax.vmap(jax.vmap(of_agent, (None, 0)), (0, None))
    return jax.tree.map(np.asarray, jax.jit(everyone)(np.arange(rounds), np.arange(agents)))


def rows(key: Any, count: Any, size: int) -> Any:
    """The rows that a key names, which is the library's own affair, among the first `count`."""
    return oracles.draw(jnp.arange(1000), key, count, size, "iid")


def quadratic_draws(
    seed: int, rounds: int, agents: int, p: int, q: int, noise: float, series: tuple[int, float] | None = None
) -> Draws:
    """Draws the noise of a quadratic network: a key gives dx f and dy f noise by its two halves, dy g its own."""

    def of_agent(t: Any, i: Any) -> tuple:
        upper, lower = agent_keys(seed, t, i)
        halves = jax.random.split(upper, 2 if series is None else 3)
        for_x, for_y = jax.random.split(halves[0])
        normal = lambda key, size: noise * jax.random.normal(key, (size,), float)
        depth = 0 if series is None else jax.random.randint(halves[2], (), 0, series[0])
        return normal(for_x, p), normal(for_y, q), normal(lower, q), depth

    return Draws(*table(of_agent, rounds, agents))


def batches(
    seed: int, rounds: int, upper_counts: np.ndarray, lower_counts: np.ndarray, size: int, terms: int | None = None
) -> Rows:
    """Draws the rows of independent samples, with replacement, for eq. 4 (terms None) or eq. 5."""

    def of_agent(t: Any, i: Any) -> tuple:
        upper, lower = agent_keys(seed, t, i)
        upper_count, lower_count = jnp.asarray(upper_counts)[i], jnp.asarray(lower_counts)[i]
        draw = lambda key, count: rows(key, count, size)
        if terms is None:
            one, two = jax.random.split(upper)
            hessians, across, depth = draw(two, lower_count)[None], draw(two, lower_count), 1
        else:
            one, root, for_depth = jax.random.split(upper, 3)
            own = [draw(jax.random.fold_in(root, j), lower_count) for j in range(terms)]
            across, hessians = own[0], jnp.stack(own[1:])
            depth = jax.random.randint(for_depth, (), 0, terms)
        return draw(one, upper_count), hessians, across, draw(lower, lower_count), depth

    up, hessians, across, gradient, depth = table(of_agent, rounds, len(upper_counts))
    return Rows(
        lambda t, i: up[t, i],
        lambda t, i: list(hessians[t, i, : depth[t, i]]),
        lambda t, i: across[t, i],
        lambda t, i: gradient[t, i],
    )
