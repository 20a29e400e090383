"""Meta-learning: shared features under a last layer of each agent's own (Qiu et al. 2023, section VI, experiment 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from hypergossip.core.problem import Problem
from hypergossip.data import Dataset, hold_out, standardize, standardize_images
from hypergossip.data.catalogue import read
from hypergossip.data.seeding import generator
from hypergossip.problems.representations import Layers, Representation, choose, linear
from hypergossip.problems.splits import Rows, divide

HELD_OUT = 0.2  # of the samples, where no test set is published

Batch = dict[str, Any]  # images (samples, features), labels (samples,)
Head = dict[str, Any]  # weights (classes, width), bias (classes,)


@dataclass(frozen=True)
class CrossEntropy:
    """A loss on a batch: the mean cross-entropy of the network's predictions in nats, plus ``regularization/2 |y|^2``.

    Compared by value: two problems of one shape share their compiled programs.

    Attributes:
        representation: The hidden layers.
        regularization: 0 for f, positive for g, whose strong convexity in y it is.
    """

    representation: Representation
    regularization: float

    def __call__(self, x: Layers, y: Head, batch: Batch) -> Float[Array, ""]:
        """Returns the loss of hidden layers x under the last layer y."""
        loss = self.mean(self.logits(x, y, batch["images"]), batch["labels"])
        if not self.regularization:
            return loss
        return loss + self.regularization / 2 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(y))

    def logits(self, x: Layers, y: Head, images: Float[Array, "samples features"]) -> Float[Array, "samples classes"]:
        """Returns the logarithms of the classes' odds.

        Args:
            x: The hidden layers.
            y: The last layer.
            images: One a row.
        """
        return linear(y, self.representation.features(x, images))

    @staticmethod
    def mean(logits: Float[Array, "samples classes"], labels: Int[Array, "samples"]) -> Float[Array, ""]:
        """Returns the mean cross-entropy of `logits` under the true `labels`."""
        right = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)
        # Products with d2yy g are most of a step, and this form has fewer terms to differentiate than log_softmax.
        shifted = logits - lax.stop_gradient(jnp.max(logits, axis=1, keepdims=True))
        return jnp.mean(jnp.log(jnp.sum(jnp.exp(shifted), axis=1)) - jnp.sum(shifted * right, axis=1))

    # The observations of a problem: functions of (x, y) once their first argument is given.

    def test_accuracy(self, held_out: Batch, x: Layers, y: Head) -> Float[Array, ""]:
        """Returns the share of `held_out` images that one agent's (x, `y`) classifies rightly."""
        logits = self.logits(x, y, held_out["images"].astype(y["bias"].dtype))
        return jnp.mean(jnp.argmax(logits, axis=1).astype(jnp.int32) == held_out["labels"], dtype=logits.dtype)

    def test_loss(self, held_out: Batch, x: Layers, y: Head) -> Float[Array, ""]:
        """Returns the mean cross-entropy of one agent's (x, `y`) on `held_out` images."""
        return self.mean(self.logits(x, y, held_out["images"].astype(y["bias"].dtype)), held_out["labels"])


# Cached: a method is equal only to one of the same object, and compiled observations are kept by the methods' equality.
_cross_entropy = cache(CrossEntropy)


def meta_learning(
    data: str | Dataset,
    agents: int,
    *,
    representation: str = "dense",
    widths: Sequence[int] = (20, 20),
    activation: str = "tanh",
    initialization: str = "glorot",
    regularization: float | int = 1.0,
    samples: Sequence[int] | None = None,
    dirichlet: float | int | None = None,
    batch_size: int | None = 32,
    sampling: str = "iid",
    seed: int = 0,
    data_dir: Path | str | None = None,
) -> Problem:
    """Classifies images by hidden layers that all share and a last layer of each agent's own: DIAMOND's figure 1.

    x holds the weights and biases of the hidden layers, y_i those of agent i's last, linear layer, which starts at 0.
    f_i is the cross-entropy on the agent's validation images, g_i the one on its training images plus
    ``regularization/2 |y_i|^2``; the two draw their batches apart. The held-out images are the published test set of
    "mnist" (its last 10000), of "cifar10" (likewise) and of "a9a", and else a fifth of the samples, drawn by the seed.
    Features are standardised by the agents' training samples, pooled: by one mean and one deviation a channel of
    images, which is one pair for grey ones, and feature by feature where samples are no images.

    The history gains test_accuracy (a share of 1) and test_loss (in nats), the means over agents of their own on all
    held-out images; ``problem.observe["test_accuracy"](x, y)`` gives one agent's from its own pytrees.

    Args:
        data: "mnist", "cifar10", "digits" or any other name of `hypergossip.data.names`, or a `Dataset`.
        agents: n.
        representation: "dense"; or "convolutional", 3 x 3 at every second pixel, with the last channels' means over
            the image as features.
        widths: Of the hidden layers, units or channels; as many layers as numbers.
        activation: "tanh", "relu", "elu", "gelu", "sigmoid" or "softplus".
        initialization: Of the hidden weights, normal with a variance after "glorot", "he" or "lecun".
        regularization: mu_g, at least: g is strongly convex in y because of it.
        samples: Training and validation images of an agent, such as (1000, 1000); None: all there are, half for each.
        dirichlet: None: every agent has as many as any other. A number: labels and sizes are unlike, drawn by this
            concentration (`hypergossip.data.partition`), `samples` being their mean; each agent's are divided between
            training and validation as `samples` are, and each part holds a batch at least.
        batch_size: Samples a key draws; None: every sample, a deterministic oracle.
        sampling: As for `hypergossip.Problem`.
        seed: Of the division among agents, of the initial network, and of a test set that is not published.
        data_dir: A folder to look in first for data sets that come in files.

    Raises:
        ValueError: If a name is unknown, a number makes no sense, or the samples are too few.
        DataUnavailable: If the files of the data set are nowhere to be had.
    """
    if not regularization > 0:
        raise ValueError(f"regularization is {regularization}; it must be positive, or y has no unique solution.")
    dataset = read(data, data_dir)
    network = choose(representation, widths, activation, initialization, dataset.shape)
    rest, test = hold_out(dataset, HELD_OUT, seed)
    training_rows, validation_rows = divide(rest.labels, agents, samples, dirichlet, batch_size or 1, seed)
    scale = standardize_images if dataset.shape else standardize
    training, validation, test = scale(
        rest.rows(np.concatenate(training_rows)), rest.rows(np.concatenate(validation_rows)), test
    )
    f, g = _cross_entropy(network, 0.0), _cross_entropy(network, float(regularization))
    x0 = network.initial(generator(seed, 1), dataset.features.shape[1])
    held_out = {"images": jnp.asarray(test.features), "labels": jnp.asarray(test.labels)}

    return Problem(
        f,
        g,
        upper_data=_of_agents(validation, validation_rows),
        lower_data=_of_agents(training, training_rows),
        x0=x0,
        y0={"weights": np.zeros((dataset.classes, network.widths[-1])), "bias": np.zeros(dataset.classes)},
        share="upper",
        batch_size=batch_size,
        sampling=sampling,
        observe={"test_accuracy": Partial(f.test_accuracy, held_out), "test_loss": Partial(f.test_loss, held_out)},
    )


def _of_agents(part: Dataset, rows: Rows) -> list[Batch]:
    """Cuts what was standardised together into the agents' own."""
    cuts = np.cumsum([len(own) for own in rows])[:-1]
    pairs = zip(np.split(part.features, cuts), np.split(part.labels, cuts))
    return [{"images": images, "labels": labels} for images, labels in pairs]
