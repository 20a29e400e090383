"""The samples of hyper-cleaning: checks of the labels, and validation samples from a separate data set."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from hypergossip.data import Dataset, partition
from hypergossip.problems.splits import Rows, pair
from hypergossip.support.arguments import whole_number


def checked_validation(validation: Any, data: Dataset) -> Dataset:
    """Returns the user's validation samples.

    Args:
        validation: The argument of that name.
        data: The data set whose samples are weighted.

    Raises:
        ValueError: If it is not a data set, or its features or classes are not those of `data`.
    """
    if not isinstance(validation, Dataset):
        given = repr(validation) if isinstance(validation, str) else f"of type {type(validation).__name__}"
        raise ValueError(
            f"validation is {given}; give a hypergossip.data.Dataset of clean samples. This is possible only from "
            "Python, so omit the option in a configuration file."
        )
    numbers = lambda dataset: f"{dataset.features.shape[1]} features and {dataset.classes} classes"
    if numbers(validation) != numbers(data):
        raise ValueError(
            f"validation ({validation.name!r}) has {numbers(validation)}, and data ({data.name!r}) {numbers(data)}; "
            "both are samples of one task, so give the same features and the same number of classes."
        )
    return Dataset(*validation)  # a new object, which also checks values that `_replace` has set


def check_share(corrupted: float | int, wrong: list[Bool[np.ndarray, " _"]]) -> None:
    """Refuses a share that, after rounding, corrupts no label or all labels: a mean weight would have no samples.

    Args:
        corrupted: The share, above 0.
        wrong: For every agent, whether each label is wrong.

    Raises:
        ValueError: If no label is wrong, or all labels are wrong.
    """
    if len(found := set(np.concatenate(wrong).tolist())) == 1:
        raise ValueError(
            f"corrupted is {corrupted}, which corrupts {'every one' if True in found else 'none'} of the "
            f"{max(map(len, wrong))} training samples of an agent after rounding; use more samples or another share, "
            "or 0 for labels that are already noisy."
        )


def divide_apart(
    training: Int[np.ndarray, " samples"],
    validation: Int[np.ndarray, " others"],
    agents: int,
    samples: Sequence[int] | None,
    dirichlet: float | int | None,
    least: int,
    seed: int,
) -> tuple[Rows, Rows]:
    """Distributes training samples over the agents, and validation samples from a separate data set.

    Args:
        training: The labels of the training samples.
        validation: The labels of the validation samples; every agent gets the same number of them at random.
        agents: The number of agents n.
        samples: The numbers of training and validation samples of an agent; None uses all samples.
        dirichlet: The concentration for the training samples, as for `hypergossip.problems.splits.divide`.
        least: The smallest number of training samples of an agent.
        seed: The seed of the random partition.

    Returns:
        Every agent's training rows, and every agent's validation rows, in random order.

    Raises:
        ValueError: If there are too few samples of either kind, or `samples` is not a pair of numbers.
    """
    agents = whole_number("agents", agents, 1)
    train, validate = (None, None) if samples is None else pair(samples)
    validating = _equal(validation, agents, validate, seed, "validation")
    if dirichlet is None:
        return _equal(training, agents, train, seed, "training"), validating
    each = _each(training, agents, train, "training")
    if each < least:
        raise ValueError(
            f"{agents} agents with {each} training samples on average cannot all hold a batch of {least}; use fewer "
            "agents, larger numbers in samples, or a smaller batch_size."
        )
    count = len(training) if train is None else agents * each
    drawn = np.random.default_rng([seed, 2]).permutation(len(training))[:count]
    return [drawn[rows] for rows in partition(training[drawn], agents, seed, dirichlet, least)], validating


def _equal(labels: Int[np.ndarray, " samples"], agents: int, wanted: int | None, seed: int, kind: str) -> Rows:
    """Returns every agent's rows, the same number for each."""
    each = _each(labels, agents, wanted, kind)
    return [rows[:each] for rows in partition(labels, agents, seed)]


def _each(labels: Int[np.ndarray, " samples"], agents: int, wanted: int | None, kind: str) -> int:
    """Returns the mean number of samples of an agent."""
    each = len(labels) // max(agents, 1) if wanted is None else wanted
    if not 0 < agents * each <= len(labels):
        raise ValueError(
            f"{agents} agents with {max(each, 1)} {kind} samples each need {agents * max(each, 1)} samples, but there "
            f"are {len(labels)}; use fewer agents, smaller numbers in samples, or more data."
        )
    return each
