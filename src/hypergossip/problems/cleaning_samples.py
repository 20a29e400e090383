"""The samples of hyper-cleaning: labels that fit their classes, and validation samples that are a data set apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from hypergossip.data import Dataset, partition
from hypergossip.problems.splits import Rows, pair


def checked_validation(validation: Any, data: Dataset) -> Dataset:
    """Returns validation samples of one's own.

    Args:
        validation: What was given as such.
        data: The data set whose samples are weighed.

    Raises:
        ValueError: If it is no data set, or one of other features or classes than `data`.
    """
    if not isinstance(validation, Dataset):
        given = repr(validation) if isinstance(validation, str) else f"of type {type(validation).__name__}"
        raise ValueError(
            f"validation is {given}; it takes a hypergossip.data.Dataset of clean samples, which can be given from "
            "Python alone, so leave the option out of a configuration file."
        )
    numbers = lambda dataset: f"{dataset.features.shape[1]} features and {dataset.classes} classes"
    if numbers(validation) != numbers(data):
        raise ValueError(
            f"validation ({validation.name!r}) has {numbers(validation)}, and data ({data.name!r}) {numbers(data)}; "
            "both are samples of one task, so give the same features and the same number of classes."
        )
    return Dataset(*validation)  # what `_replace` has put into it is looked at, too


def check_share(corrupted: float | int, wrong: list[Bool[np.ndarray, " _"]]) -> None:
    """Refuses a share that comes to no wrong label, or to wrong ones alone: a mean weight would be of no sample.

    Args:
        corrupted: The share, above 0.
        wrong: Of every agent, which labels are wrong.

    Raises:
        ValueError: If all samples are alike in this.
    """
    if len(found := set(np.concatenate(wrong).tolist())) == 1:
        raise ValueError(
            f"corrupted is {corrupted}, which of {max(map(len, wrong))} training samples of an agent, rounded, is "
            f"{'every one' if True in found else 'none'}; take more samples or another share, or 0 for labels that are "
            "noisy already."
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
    """Divides training samples among agents, and validation samples that are no part of them.

    Args:
        training: The labels of the training samples.
        validation: The labels of the validation samples, which every agent holds equally many of, drawn at random.
        agents: n.
        samples: Training and validation samples of an agent; None: all there are.
        dirichlet: Of the training samples, as for `hypergossip.problems.splits.divide`.
        least: An agent holds so many training samples at least.
        seed: Of the draw.

    Returns:
        Every agent's training rows, and every agent's validation rows, in random order.

    Raises:
        ValueError: If there are too few samples of either kind, or `samples` is no pair of numbers.
    """
    train, validate = (None, None) if samples is None else pair(samples)
    validating = _equal(validation, agents, validate, seed, "validation")
    if dirichlet is None:
        return _equal(training, agents, train, seed, "training"), validating
    each = _each(training, agents, train, "training")
    if each < least:
        raise ValueError(
            f"{agents} agents with {each} training samples in the mean cannot all hold a batch of {least}: take fewer "
            "agents, larger samples, or a smaller batch_size."
        )
    count = len(training) if train is None else agents * each
    drawn = np.random.default_rng([seed, 2]).permutation(len(training))[:count]
    return [drawn[rows] for rows in partition(training[drawn], agents, seed, dirichlet, least)], validating


def _equal(labels: Int[np.ndarray, " samples"], agents: int, wanted: int | None, seed: int, kind: str) -> Rows:
    """Every agent's rows, equally many."""
    each = _each(labels, agents, wanted, kind)
    return [rows[:each] for rows in partition(labels, agents, seed)]


def _each(labels: Int[np.ndarray, " samples"], agents: int, wanted: int | None, kind: str) -> int:
    """How many samples an agent has, in the mean."""
    each = len(labels) // max(agents, 1) if wanted is None else wanted
    if not 0 < agents * each <= len(labels):
        raise ValueError(
            f"{agents} agents with {max(each, 1)} {kind} samples each need {agents * max(each, 1)}, and of these there "
            f"are {len(labels)}: take fewer agents, smaller samples, or more data."
        )
    return each
