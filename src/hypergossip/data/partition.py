"""The partition of samples among agents."""

from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from hypergossip.data.arrays import class_labels
from hypergossip.data.seeding import generator
from hypergossip.support.arguments import positive_number, whole_number


def partition(
    labels: Any,
    agents: int,
    seed: int = 0,
    dirichlet: float | int | None = None,
    minimum: int = 1,
) -> list[Int[np.ndarray, " _"]]:
    """Divide samples among agents, by an IID partition or a non-IID (Dirichlet) partition.

    IID (`dirichlet=None`): the samples are shuffled and split into equal blocks. The remainder of the division by the
    number of agents is omitted.

    Non-IID: the Dirichlet label skew of Hsu, Qi and Brown (2019), "Measuring the effects of non-identical data
    distribution for federated visual classification", in the form of Yurochkin et al. (2019), "Bayesian nonparametric
    federated learning of neural networks": for each class, the agents' shares of its samples are drawn from a symmetric
    Dirichlet distribution. In this form every sample is used once, and agents differ in size as well as in their label
    distributions, whereas Hsu et al. draw agents of equal size. Agents with fewer than `minimum` samples then receive
    random samples of the agent that is currently the largest, one at a time. Nothing is redrawn, and the shares of all
    other agents are as drawn.

    Args:
        labels: the class of each sample, shape (samples,): whole numbers, not necessarily from 0, or text. An IID
            partition only counts them, and accepts any sequence with one entry for each sample.
        agents: the number of agents.
        seed: a whole number, at least 0; equal seeds give equal partitions.
        dirichlet: the positive concentration parameter. The smaller it is, the more the agents' label distributions
            differ. None gives an IID partition.
        minimum: the smallest number of samples of an agent, at least 1.

    Returns:
        The indices of each agent's samples, disjoint and in random order.

    Raises:
        ValueError: there are too few samples for the agents, a parameter is out of range, or the labels of a
            non-IID partition do not name classes.
    """
    labels = labels if dirichlet is None else _one_class_each(labels)
    samples = _count(labels)
    agents, minimum = whole_number("agents", agents, 1), whole_number("minimum", minimum, 1)
    if agents * minimum > samples:
        raise ValueError(
            f"{samples} samples cannot give {agents} agents at least {minimum} each: "
            "use fewer agents, a smaller minimum or more data."
        )
    random = generator(seed)
    if dirichlet is None:
        used = samples - samples % agents
        return list(random.permutation(samples)[:used].reshape(agents, -1))
    advice = "give a positive finite number, from 0.1 (strong skew) to 100 (nearly IID), or None for an IID partition"
    concentration = positive_number("dirichlet", dirichlet, advice)
    owner = _draw_owners(labels, agents, concentration, random)
    _raise_to_minimum(owner, agents, minimum, random)
    order = random.permutation(samples)
    by_owner = order[np.argsort(owner[order], kind="stable")]
    return np.split(by_owner, np.cumsum(np.bincount(owner, minlength=agents))[:-1])


def _count(labels: Any) -> int:
    """The number of samples."""
    try:
        return len(labels)
    except TypeError as error:
        raise ValueError(
            f"The labels are of type {type(labels).__name__} and have no length: give one label for each sample."
        ) from error


def _one_class_each(labels: Any) -> Shaped[np.ndarray, " samples"]:
    """The class of each sample, as an integer or text."""
    classes = class_labels(labels, "The labels")
    if classes.ndim == 2:
        raise ValueError(
            f"The labels have shape {classes.shape}: give one label for each sample, such as np.argmax(labels, axis=1)."
        )
    return classes


def _draw_owners(
    labels: Shaped[np.ndarray, " samples"], agents: int, dirichlet: float, generator: np.random.Generator
) -> Int[np.ndarray, " samples"]:
    """The agent of each sample, class by class."""
    owner = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        shares = generator.dirichlet(np.full(agents, dirichlet))
        # The last boundary is implicit, so round-off in the sum of the shares loses no sample.
        cuts = (np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        owner[members] = np.searchsorted(cuts, np.arange(len(members)), side="right")
    return owner


def _raise_to_minimum(
    owner: Int[np.ndarray, " samples"], agents: int, minimum: int, generator: np.random.Generator
) -> None:
    """Move samples in place, one at a time, from the currently largest agent to those below the minimum."""
    sizes = np.bincount(owner, minlength=agents)
    for poor in np.flatnonzero(sizes < minimum):
        while sizes[poor] < minimum:
            rich = sizes.argmax()
            owner[generator.choice(np.flatnonzero(owner == rich))] = poor
            sizes[rich] -= 1
            sizes[poor] += 1
