"""Tuning one regulariser a feature: DIAMOND's logistic regression (Qiu et al. 2023, section VI, experiment 2)."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from hypergossip.core.problem import Problem
from hypergossip.data import Dataset, partition, split
from hypergossip.data.catalogue import read

FRACTIONS = (0.4, 0.4, 0.2)  # training, validation, test

Batch = dict[str, Any]  # features (samples, p), labels (samples,)


def cross_entropy(
    y: Float[Array, "p q"], features: Float[Array, "samples p"], labels: Int[Array, "samples"]
) -> Float[Array, ""]:
    """Returns the mean cross-entropy Q of the multinomial model whose logits are ``features @ y``, in nats.

    Args:
        y: (p, q) one column of weights a class.
        features: (samples, p).
        labels: (samples,) from 0 to q - 1.
    """
    logarithms = jax.nn.log_softmax(features @ y)
    return -jnp.mean(jnp.sum(logarithms * jax.nn.one_hot(labels, y.shape[1], dtype=y.dtype), axis=1))


def validation_loss(x: Float[Array, "p"], y: Float[Array, "p q"], batch: Batch) -> Float[Array, ""]:
    """f_i(x, y): the cross-entropy on a batch of validation samples; x enters through y alone."""
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
    data_dir: Path | str | None = None,
) -> Problem:
    """Logistic regression whose regularisers, one a feature, are the upper level: DIAMOND's figure 4.

    x (p,) holds the logarithms of the features' regularisers, shared by all; y (p, q) is an agent's own model. Both
    start at 0. g_i is the agent's training cross-entropy plus ``1/(q p) sum_{r,k} exp(x_r) y_rk^2``, f_i its validation
    cross-entropy. The samples are pooled, shuffled by the seed and split into 40 % for training, 40 % for validation
    and 20 % for testing. The history gains test_accuracy (a share of 1) and test_loss (in nats), the means over agents
    of their own models' on the whole test part.

    Args:
        data: "a9a", "digits", "breast_cancer" or any other name of `hypergossip.data.names`, or a `Dataset`.
        agents: n.
        batch_size: Samples a key draws; None: every sample, a deterministic oracle.
        dirichlet: None: every agent gets as many training and as many validation samples as any other, and the
            remainder is left out. A number: labels and sizes are unlike, drawn by this concentration
            (`hypergossip.data.partition`); half of an agent's samples are for training, half for validation, and
            each half holds a batch at least.
        seed: Of the shuffle and of the division among agents.
        sampling: As for `hypergossip.Problem`.
        data_dir: A folder to look in first for data sets that come in files.

    Raises:
        ValueError: If the name is unknown, or the samples are too few for the agents or the batch.
        DataUnavailable: If the files of the data set are nowhere to be had.
    """
    dataset = read(data, data_dir)
    train, validation, test = split(dataset, FRACTIONS, seed)
    if dirichlet is None:
        training = _even(train, agents, seed)
        validating = _even(validation, agents, seed)
    else:
        training, validating = _uneven(train, validation, agents, seed, dirichlet, batch_size or 1)

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
        share="upper",
        batch_size=batch_size,
        sampling=sampling,
        observe={"test_accuracy": test_accuracy, "test_loss": test_loss},
    )


def _even(part: Dataset, agents: int, seed: int) -> Batch:
    """Equal numbers of samples for every agent, leaves (agents, samples, ...)."""
    owned = np.stack(partition(part.labels, agents, seed))
    return {"features": part.features[owned], "labels": part.labels[owned]}


def _uneven(
    train: Dataset, validation: Dataset, agents: int, seed: int, dirichlet: float, least: int
) -> tuple[list[Batch], list[Batch]]:
    """Each agent's training and validation samples, which have the same skew: both are halves of one draw."""
    features = np.concatenate([train.features, validation.features])
    labels = np.concatenate([train.labels, validation.labels])
    if 2 * least * agents > len(labels):
        # No draw could give every agent so many, whatever the concentration.
        raise ValueError(
            f"{len(labels)} samples cannot give {agents} agents a training and a validation batch of {least} each: "
            "take fewer agents, or a smaller batch_size."
        )
    owned = partition(labels, agents, seed, dirichlet, minimum=2 * least)
    halves = [(rows[: len(rows) // 2], rows[len(rows) // 2 :]) for rows in owned]
    training, validating = (
        [{"features": features[half[level]], "labels": labels[half[level]]} for half in halves] for level in (0, 1)
    )
    return training, validating
