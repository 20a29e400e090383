"""Tunes one regulariser per feature: the logistic regression of DIAMOND (Qiu et al. 2023, section VI, experiment 2)."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from hypergossip.core.problem import Problem
from hypergossip.data import Dataset, partition, split
from hypergossip.data.catalogue import read
from hypergossip.problems.splits import fewest_samples
from hypergossip.support.arguments import whole_number
from hypergossip.support.dimensions import at_most

FEW_CLASSES, SMALL_BATCH = 3, 256
FRACTIONS = (0.4, 0.4, 0.2)  # training, validation, test

Batch = dict[str, Any]  # features (samples, p), labels (samples,)


def cross_entropy(
    y: Float[Array, "p q"], features: Float[Array, "samples p"], labels: Int[Array, "samples"]
) -> Float[Array, ""]:
    """Returns the mean cross-entropy Q of the multinomial model whose logits are ``features @ y``, in nats.

    Args:
        y: One column of weights per class, (p, q).
        features: The features, (samples, p).
        labels: The labels, from 0 to q - 1, (samples,).
    """
    small = y.shape[1] <= FEW_CLASSES and at_most(features.shape[0], SMALL_BATCH)
    logits = _few_columns(features, y) if small else features @ y
    logarithms = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.sum(logarithms * jax.nn.one_hot(labels, y.shape[1], dtype=y.dtype), axis=1))


def _few_columns(features: jax.Array, y: jax.Array) -> jax.Array:
    """Returns ``features @ y`` as the transpose of y^T features^T, which XLA is kept from simplifying.

    The products of a batch with two columns, and those of their derivatives, take half the time on a CPU if the long
    dimension is the last one in memory, at one point and at two points together.
    """
    products = lax.dot_general(lax.optimization_barrier(y.T), features, (((1,), (1,)), ((), ())))
    return lax.optimization_barrier(products).T


def validation_loss(x: Float[Array, "p"], y: Float[Array, "p q"], batch: Batch) -> Float[Array, ""]:
    """f_i(x, y): the cross-entropy on a batch of validation samples, which depends on x only through y."""
    return cross_entropy(y, batch["features"], batch["labels"])


def training_loss(x: Float[Array, "p"], y: Float[Array, "p q"], batch: Batch) -> Float[Array, ""]:
    """g_i(x, y): the cross-entropy on a batch of training samples, plus ``1/(q p) sum_{r,k} exp(x_r) y_rk^2``."""
    return cross_entropy(y, batch["features"], batch["labels"]) + jnp.sum(jnp.exp(x)[:, None] * y**2) / y.size


def hyperparameter(
    data: str | Dataset,
    agents: int,
    *,
    batch_size: int | None = 32,
    dirichlet: float | int | None = None,
    seed: int = 0,
    sampling: str = "iid",
    share: str = "upper",
    data_dir: Path | str | None = None,
) -> Problem:
    """Logistic regression whose upper level is one regulariser per feature, as in DIAMOND's figure 4.

    x (p,) holds the logarithms of the features' regularisers, which all agents share. y (p, q) is an agent's own model.
    Both start at 0. g_i is the agent's training cross-entropy plus ``1/(q p) sum_{r,k} exp(x_r) y_rk^2``, f_i its
    validation cross-entropy. The samples are pooled, shuffled and split into 40 % for training, 40 % for validation and
    20 % for testing. The history gains test_accuracy (a fraction) and test_loss (in nats), which are the means over the
    agents of the accuracy and the loss of their own models on the whole test part.

    Args:
        data: "a9a", "digits", "breast_cancer" or any other name in `hypergossip.data.names`, or a `Dataset`.
        agents: The number of agents n.
        batch_size: The number of samples that a key draws. None uses every sample, which gives a deterministic oracle.
        dirichlet: None gives every agent the same numbers of training and validation samples, and omits the remainder.
            A number is the concentration of a non-IID partition (`hypergossip.data.partition`); half of an agent's
            samples are for training, half for validation, and each half contains at least one batch.
        seed: The seed of the shuffle and of the partition.
        sampling: As for `hypergossip.Problem`.
        share: "upper": every agent has its own model, as in DIAMOND's experiment. "both": the agents agree on one
            model, whose training loss is the mean of theirs.
        data_dir: The folder in which to look first for the files of a data set.

    Raises:
        ValueError: If the name is unknown, there are too few samples for the agents or the batch, or `share` is neither
            "upper" nor "both".
        DataUnavailable: If the files of the data set are not available.
    """
    if share not in ("upper", "both"):
        raise ValueError(f'share is {share!r}; give "upper" for a model of each agent, or "both" for a common one.')
    agents, least = whole_number("agents", agents, 1), fewest_samples(batch_size)
    dataset = read(data, data_dir)
    train, validation, test = split(dataset, FRACTIONS, seed)
    if dirichlet is None:
        training = _equal_parts(train, agents, seed)
        validating = _equal_parts(validation, agents, seed)
    else:
        training, validating = _non_iid_parts(train, validation, agents, seed, dirichlet, least)

    def test_accuracy(x: Float[Array, "p"], y: Float[Array, "p q"]) -> Float[Array, ""]:
        logits = jnp.asarray(test.features, y.dtype) @ y
        labels = jnp.asarray(test.labels, jnp.result_type(int))
        return jnp.mean(jnp.argmax(logits, axis=1) == labels, dtype=y.dtype)

    def test_loss(x: Float[Array, "p"], y: Float[Array, "p q"]) -> Float[Array, ""]:
        return cross_entropy(y, jnp.asarray(test.features, y.dtype), jnp.asarray(test.labels))

    p, q = dataset.features.shape[1], dataset.classes
    return Problem(
        validation_loss,
        training_loss,
        upper_data=validating,
        lower_data=training,
        x0=np.zeros(p),
        y0=np.zeros((p, q)),
        share=share,
        batch_size=batch_size,
        sampling=sampling,
        observe={"test_accuracy": test_accuracy, "test_loss": test_loss},
    )


def _equal_parts(part: Dataset, agents: int, seed: int) -> Batch:
    """Returns the same number of samples for every agent, leaves (agents, samples, ...)."""
    owned = np.stack(partition(part.labels, agents, seed))
    return {"features": part.features[owned], "labels": part.labels[owned]}


def _non_iid_parts(
    train: Dataset, validation: Dataset, agents: int, seed: int, dirichlet: float, least: int
) -> tuple[list[Batch], list[Batch]]:
    """Returns each agent's training and validation samples, which have the same skew: both are halves of one part."""
    features = np.concatenate([train.features, validation.features])
    labels = np.concatenate([train.labels, validation.labels])
    if 2 * least * agents > len(labels):
        # No partition can give every agent this many samples, for any concentration.
        raise ValueError(
            f"{len(labels)} samples cannot give {agents} agents a training and a validation batch of {least} each; "
            "use fewer agents, or a smaller batch_size."
        )
    owned = partition(labels, agents, seed, dirichlet, minimum=2 * least)
    halves = [(rows[: len(rows) // 2], rows[len(rows) // 2 :]) for rows in owned]
    training, validating = (
        [{"features": features[half[level]], "labels": labels[half[level]]} for half in halves] for level in (0, 1)
    )
    return training, validating
