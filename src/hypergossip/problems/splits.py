"""Distributes samples over the agents, and splits each agent's samples into training and validation parts."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from hypergossip.data import partition
from hypergossip.data.seeding import generator
from hypergossip.support.arguments import whole_number

Rows = list[Any]  # the indices of each agent's samples, (samples,)
BATCH = "give a whole number of samples, at least 1, or None for all of them"
UNIQUE_SOLUTION = "give a positive number, so that the lower solution is unique"  # advice about a regulariser


def fewest_samples(batch_size: int | None) -> int:
    """Returns the fewest samples with which an agent can draw a batch; None draws every sample.

    Raises:
        ValueError: If the batch size is not a whole number, at least 1.
    """
    return 1 if batch_size is None else whole_number("batch_size", batch_size, 1, advice=BATCH)


def divide(
    labels: Int[np.ndarray, " samples"],
    agents: int,
    samples: Sequence[int] | None,
    dirichlet: float | int | None,
    least: int,
    seed: int,
) -> tuple[Rows, Rows]:
    """Distributes samples over the agents, and splits each agent's samples into training and validation samples.

    Args:
        labels: The class of each sample.
        agents: The number of agents n.
        samples: The numbers of training and validation samples of an agent, such as (1000, 1000). None uses all
            samples, half of them for each.
        dirichlet: None gives every agent the same number of samples. A number is the concentration of a non-IID
            partition (`hypergossip.data.partition`), whose mean sizes are `samples`; each agent's samples are split
            between training and validation in the ratio of `samples`.
        least: The smallest number of samples in each part.
        seed: The seed of the random partition.

    Returns:
        Every agent's training rows, and every agent's validation rows, in random order.

    Raises:
        ValueError: If there are too few samples, or `samples` is not a pair of numbers.
    """
    agents = whole_number("agents", agents, 1)
    half = len(labels) // (2 * agents)
    train, validate = (half, half) if samples is None else pair(samples)
    wanted = train + validate
    if agents * wanted > len(labels) or not wanted:
        raise ValueError(
            f"{agents} agents with {max(train, 1)} training and {max(validate, 1)} validation samples each need "
            f"{agents * max(wanted, 2)} samples, but outside the test set there are {len(labels)}; use fewer agents, "
            "or smaller numbers in samples."
        )
    if dirichlet is None:
        owned = [rows[:wanted] for rows in partition(labels, agents, seed)]
    else:
        if min(train, validate) < least:
            # No partition can give every agent this many samples, for any concentration.
            raise ValueError(
                f"{agents} agents with {train} training and {validate} validation samples on average cannot all hold "
                f"a batch of {least} of either; use "
                f"{'fewer agents' if samples is None else 'larger numbers in samples'}, or a smaller batch_size."
            )
        # If all samples are used, the remainder is distributed as well.
        count = len(labels) if samples is None else agents * wanted
        drawn = generator(seed, 2).permutation(len(labels))[:count]
        minimum = -(-least * wanted // min(train, validate))
        owned = [drawn[rows] for rows in partition(labels[drawn], agents, seed, dirichlet, minimum)]
    cuts = [len(rows) * train // wanted for rows in owned]
    return [rows[:cut] for rows, cut in zip(owned, cuts)], [rows[cut:] for rows, cut in zip(owned, cuts)]


def pair(samples: Sequence[int]) -> tuple[int, int]:
    """Returns the numbers of training and validation samples of an agent; raises ValueError if they are invalid."""
    given = list(samples) if isinstance(samples, Iterable) else []
    whole = [number for number in given if isinstance(number, int | np.integer) and not isinstance(number, bool)]
    if len(given) != 2 or len(whole) != 2 or min(whole) < 1:
        raise ValueError(
            f"samples is {samples!r}; give the numbers of an agent's training and validation samples, such as "
            "(1000, 1000), or None."
        )
    return int(whole[0]), int(whole[1])
