"""Meta-learning: shared features and personal last layers (Qiu et al. 2023, section VI, experiment 1)."""

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
from hypergossip.problems.splits import UNIQUE_SOLUTION, Rows, divide, fewest_samples
from hypergossip.support.arguments import positive_number

HELD_OUT = 0.2  # the fraction of the samples that is held out if no test set is published

Batch = dict[str, Any]  # images (samples, features), labels (samples,)
Head = dict[str, Any]  # weights (classes, width), bias (classes,)


@dataclass(frozen=True)
class CrossEntropy:
    """A loss on a batch: the mean cross-entropy of the network's predictions in nats, plus ``regularization/2 |y|^2``.

    Losses are compared by value, so that problems of the same shape share their compiled programs.

    Attributes:
        representation: The hidden layers.
        regularization: 0 for f, and positive for g, which is strongly convex in y because of it.
    """

    representation: Representation
    regularization: float

    def __call__(self, x: Layers, y: Head, batch: Batch) -> Float[Array, ""]:
        """Returns the loss for hidden layers x and the last layer y."""
        loss = self.mean(self.logits(x, y, batch["images"]), batch["labels"])
        if not self.regularization:
            return loss
        return loss + self.regularization / 2 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(y))

    def logits(self, x: Layers, y: Head, images: Float[Array, "samples features"]) -> Float[Array, "samples classes"]:
        """Returns the logits of the classes.

        Args:
            x: The hidden layers.
            y: The last layer.
            images: The images, one per row.
        """
        return linear(y, self.representation.features(x, images))

    @staticmethod
    def mean(logits: Float[Array, "samples classes"], labels: Int[Array, "samples"]) -> Float[Array, ""]:
        """Returns the mean cross-entropy of `logits` for the true `labels`."""
        true = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)
        # Products with d2yy g take most of a step's time, and this form has fewer terms than log_softmax.
        shifted = logits - lax.stop_gradient(jnp.max(logits, axis=1, keepdims=True))
        return jnp.mean(jnp.log(jnp.sum(jnp.exp(shifted), axis=1)) - jnp.sum(shifted * true, axis=1))

    # The observations of a problem: they become functions of (x, y) when `Partial` fixes their first argument.

    def test_accuracy(self, held_out: Batch, x: Layers, y: Head) -> Float[Array, ""]:
        """Returns the fraction of `held_out` images that one agent's (x, `y`) classifies correctly."""
        logits = self.logits(x, y, held_out["images"].astype(y["bias"].dtype))
        return jnp.mean(jnp.argmax(logits, axis=1).astype(jnp.int32) == held_out["labels"], dtype=logits.dtype)

    def test_loss(self, held_out: Batch, x: Layers, y: Head) -> Float[Array, ""]:
        """Returns the mean cross-entropy of one agent's (x, `y`) on `held_out` images."""
        return self.mean(self.logits(x, y, held_out["images"].astype(y["bias"].dtype)), held_out["labels"])


# Cached because methods are equal only if their objects are identical, and compiled observations are found by equality.
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
    """Classifies images with shared hidden layers and a personal last layer for each agent, as in DIAMOND's figure 1.

    x holds the weights and biases of the hidden layers, y_i those of agent i's last, linear layer, which starts at 0.
    f_i is the cross-entropy on the agent's validation images. g_i is the cross-entropy on its training images plus
    ``regularization/2 |y_i|^2``. The two draw their batches independently. The held-out images are the published test
    set of "mnist" (its last 10000 images), of "cifar10" (its last 10000 images) and of "a9a", and otherwise a random
    fifth of the samples. Features are standardised by the pooled training samples of the agents: images by one mean and
    one standard deviation per channel, other samples by those of each feature.

    The history gains test_accuracy (a fraction) and test_loss (in nats), the means over the agents of their own values
    on all held-out images; ``problem.observe["test_accuracy"](x, y)`` returns one agent's value from its own pytrees.

    Args:
        data: "mnist", "cifar10", "digits" or any other name in `hypergossip.data.names`, or a `Dataset`.
        agents: The number of agents n.
        representation: "dense", or "convolutional" for 3 x 3 kernels with stride 2, whose features are the means of the
            last channels over the image.
        widths: The numbers of units or channels of the hidden layers, one for each layer.
        activation: "tanh", "relu", "elu", "gelu", "sigmoid" or "softplus".
        initialization: The variance of the normal hidden weights: "glorot", "he" or "lecun".
        regularization: The regularisation, a lower bound of mu_g: g is strongly convex in y because of it.
        samples: The numbers of training and validation images of an agent, such as (1000, 1000). None uses all images,
            half of them for each.
        dirichlet: None gives every agent the same number of images. A number is the concentration of a non-IID
            partition (`hypergossip.data.partition`), whose mean sizes are `samples`. Each agent's images are split
            between training and validation in the ratio of `samples`, and each part contains at least one batch.
        batch_size: The number of samples that a key draws. None uses every sample, which gives a deterministic oracle.
        sampling: As for `hypergossip.Problem`.
        seed: The seed of the partition, of the initial network, and of a test set that is not published.
        data_dir: The folder in which to look first for the files of a data set.

    Raises:
        ValueError: If a name is unknown, a number is invalid, or there are too few samples.
        DataUnavailable: If the files of the data set are not available.
    """
    factor = positive_number("regularization", regularization, UNIQUE_SOLUTION)
    dataset = read(data, data_dir)
    network = choose(representation, widths, activation, initialization, dataset.shape)
    rest, test = hold_out(dataset, HELD_OUT, seed)
    training_rows, validation_rows = divide(rest.labels, agents, samples, dirichlet, fewest_samples(batch_size), seed)
    scale = standardize_images if dataset.shape else standardize
    training, validation, test = scale(
        rest.rows(np.concatenate(training_rows)), rest.rows(np.concatenate(validation_rows)), test
    )
    f, g = _cross_entropy(network, 0.0), _cross_entropy(network, factor)
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
    """Splits samples that were standardised together into those of each agent."""
    cuts = np.cumsum([len(own) for own in rows])[:-1]
    pairs = zip(np.split(part.features, cuts), np.split(part.labels, cuts))
    return [{"images": images, "labels": labels} for images, labels in pairs]
