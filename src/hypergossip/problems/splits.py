"""Which samples each agent trains on, and which it validates on."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from hypergossip.data import partition
from hypergossip.data.seeding import generator

Rows = list[Any]  # of each agent the indices of its samples, (samples,)


def divide(
    labels: Int[np.ndarray, " samples"],
    agents: int,
    samples: Sequence[int] | None,
    dirichlet: float | int | None,
    least: int,
    seed: int,
) -> tuple[Rows, Rows]:
    """Divides samples among agents, and each agent's between training and validation.

    Args:
        labels: Their classes.
        agents: n.
        samples: Training and validation samples of an agent, such as (1000, 1000); None: all there are, half for each.
        dirichlet: None: every agent has as many as any other. A number: labels and sizes are unlike, drawn by this
            concentration (`hypergossip.data.partition`), `samples` being their mean; each agent's are divided between
            training and validation as `samples` are.
        least: Each part holds so many at least.
        seed: Of the draw.

    Returns:
        Every agent's training rows, and every agent's validation rows, in random order.

    Raises:
        ValueError: If the samples are too few, or `samples` is no pair of numbers.
    """
    half = len(labels) // (2 * max(agents, 1))
    train, validate = (half, half) if samples is None else pair(samples)
    wanted = train + validate
    if agents * wanted > len(labels) or not wanted:
        raise ValueError(
            f"{agents} agents with {max(train, 1)} training and {max(validate, 1)} validation samples each need "
            f"{agents * max(wanted, 2)} samples, and outside the test set there are {len(labels)}: take fewer agents, "
            "or smaller samples."
        )
    if dirichlet is None:
        owned = [rows[:wanted] for rows in partition(labels, agents, seed)]
    else:
        if min(train, validate) < least:
            # No draw could give every agent so many, whatever the concentration.
            raise ValueError(
                f"{agents} agents with {train} training and {validate} validation samples in the mean cannot all hold "
                f"a batch of {least} of either: take "
                f"{'fewer agents' if samples is None else 'larger samples'}, or a smaller batch_size."
            )
        # With all there is, what does not divide evenly among the agents is divided too.
        count = len(labels) if samples is None else agents * wanted
        drawn = generator(seed, 2).permutation(len(labels))[:count]
        minimum = -(-least * wanted // min(train, validate))
        owned = [drawn[rows] for rows in partition(labels[drawn], agents, seed, dirichlet, minimum)]
    cuts = [len(rows) * train // wanted for rows in owned]
    return [rows[:cut] for rows, cut in zip(owned, cuts)], [rows[cut:] for rows, cut in zip(owned, cuts)]


def pair(samples: Sequence[int]) -> tuple[int, int]:
    """Returns the numbers of training and of validation samples of an agent; raises ValueError if they are none."""
    given = list(samples) if isinstance(samples, Iterable) else []
    whole = [number for number in given if isinstance(number, int | np.integer) and not isinstance(number, bool)]
    if len(given) != 2 or len(whole) != 2 or min(whole) < 1:
        raise ValueError(
            f"samples is {samples!r}; give an agent's training and validation samples, such as (1000, 1000), or None."
        )
    return int(whole[0]), int(whole[1])
