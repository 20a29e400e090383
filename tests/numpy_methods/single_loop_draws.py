"""The samples of ALSET, BSA, SOBA and stocBiO drawn outside them: how each splits an agent's key of the round.

Inner step s has fold_in(lower, s); SOBA's upper sample is the upper key itself, and its lower one the lower key.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from numpy_methods.draws import agent_keys, rows, table
from numpy_methods.quadratic import Draws


def inner_noise(seed: int, rounds: int, agents: int, q: int, noise: float, steps: int) -> np.ndarray:
    """The noise of every inner step's dy g on a quadratic, (rounds, agents, steps, q)."""

    def of_agent(t: Any, i: Any) -> Any:
        _, lower = agent_keys(seed, t, i)
        one = lambda s: noise * jax.random.normal(jax.random.fold_in(lower, s), (q,), float)
        return jax.vmap(one)(jnp.arange(steps))

    return table(of_agent, rounds, agents)


def soba_noise(seed: int, rounds: int, agents: int, p: int, q: int, noise: float) -> Draws:
    """The noise of SOBA's samples on a quadratic."""

    def of_agent(t: Any, i: Any) -> tuple:
        upper, lower = agent_keys(seed, t, i)
        normal = lambda key, size: noise * jax.random.normal(key, (size,), float)
        for_x, for_y = jax.random.split(upper)
        return normal(for_x, p), normal(for_y, q), normal(lower, q), 0

    return Draws(*table(of_agent, rounds, agents))


def soba_rows(seed: int, rounds: int, counts: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of SOBA's upper and lower sample, each (rounds, agents, size); `counts` has both levels' samples."""

    def of_agent(t: Any, i: Any) -> tuple:
        return tuple(rows(key, jnp.asarray(held)[i], size) for key, held in zip(agent_keys(seed, t, i), counts))

    return table(of_agent, rounds, len(counts[0]))


def stocbio_rows(seed: int, rounds: int, counts: Any, size: int, steps: int, batches: list[int]) -> tuple:
    """The rows of stocBiO's samples, leaves (rounds, agents, ...).

    Args:
        seed: Of the run.
        rounds: How many.
        counts: Both levels' samples, each (agents,).
        size: Rows of a batch.
        steps: T.
        batches: The number of batches of each factor, the first one first.

    Returns:
        Rows of the upper batch (.., size), of the Jacobian's (.., size), of every inner step's (.., steps, size), and a
        list of every factor's batches together (.., batches * size).
    """

    def of_agent(t: Any, i: Any) -> tuple:
        upper, lower = agent_keys(seed, t, i)
        upper_count, lower_count = (jnp.asarray(held)[i] for held in counts)
        one, root = jax.random.split(upper)
        draw = lambda key: rows(key, lower_count, size)
        factor = lambda j, b: draw(jax.random.fold_in(jax.random.fold_in(root, j), b))
        return (
            rows(one, upper_count, size),
            draw(jax.random.fold_in(root, 0)),
            jnp.stack([draw(jax.random.fold_in(lower, s)) for s in range(steps)]),
            [jnp.concatenate([factor(j, b) for b in range(m)]) for j, m in enumerate(batches, 1)],
        )

    return table(of_agent, rounds, len(counts[0]))
