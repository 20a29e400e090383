"""Data hyper-cleaning: learns weights of training samples, some with wrong labels (Franceschi et al. 2017).

The task is that of section 5.1 of "Forward and reverse gradient-based hyperparameter optimization", over a network,
with one logit per training sample instead of a bounded weight (as in Ji, Yang & Liang 2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int

from hypergossip.core.agent_data.stacking import held_rows
from hypergossip.core.problem import Problem
from hypergossip.data import Dataset, hold_out
from hypergossip.data.catalogue import read
from hypergossip.data.seeding import generator
from hypergossip.problems.cleaning_samples import check_share, checked_validation, divide_apart
from hypergossip.problems.hyperparameter import cross_entropy
from hypergossip.problems.splits import UNIQUE_SOLUTION, divide, fewest_samples
from hypergossip.support.arguments import choice, positive_number, real_number, whole_number

HELD_OUT = 0.2  # the fraction of the samples that is held out if no test set is published
SHARES = {"sample": ("lower", "both"), "source": ("upper", "lower", "both")}  # by `weights`; the default first

# Features (samples, p) and labels (samples,). Training samples also have "entry" (samples,), the entry of x that
# weights each of them. No loss reads "index" (samples,), the sample's position among its agent's, and "corrupted", a
# flag that is present if labels were replaced.
Batch = dict[str, Any]


@dataclass(frozen=True)
class TrainingLoss:
    """g_i(x, y): the mean over a batch of ``sigmoid(scale x_k) * cross-entropy``, plus ``regularization |y|^2``.

    Losses are compared by value, so that problems of the same shape share their compiled programs.

    Attributes:
        scale: The factor between x and the logits.
        regularization: The positive factor that makes g strongly convex.
    """

    scale: float
    regularization: float

    def __call__(self, x: Float[Array, "k"], y: Float[Array, "p q"], batch: Batch) -> Float[Array, ""]:
        """Returns g_i(x, y) on a batch."""
        logarithms = jax.nn.log_softmax(batch["features"] @ y)
        losses = -jnp.sum(logarithms * jax.nn.one_hot(batch["labels"], y.shape[1], dtype=y.dtype), axis=1)
        return jnp.mean(self.weights(x)[batch["entry"]] * losses) + self.regularization * jnp.sum(y**2)

    def weights(self, x: Float[Array, "*more k"]) -> Float[Array, "*more k"]:
        """Returns the weights between 0 and 1 whose logits are ``scale * x``."""
        return jax.nn.sigmoid(self.scale * x)


def validation_loss(x: Float[Array, "k"], y: Float[Array, "p q"], batch: Batch) -> Float[Array, ""]:
    """f_i(x, y): the cross-entropy on a batch of clean validation samples, which depends on x only through y."""
    return cross_entropy(y, batch["features"], batch["labels"])


def data_cleaning(
    data: str | Dataset,
    agents: int,
    *,
    weights: str = "sample",
    share: str | None = None,
    validation: Dataset | None = None,
    corrupted: float | int = 0.4,
    sources: int = 8,
    scale: float | int | None = None,
    regularization: float | int = 1e-3,
    samples: Sequence[int] | None = None,
    dirichlet: float | int | None = None,
    batch_size: int | None = 100,
    sampling: str = "iid",
    seed: int = 0,
    data_dir: Path | str | None = None,
) -> Problem:
    """Weights training samples, some with wrong labels, so that a softmax model fits clean validation samples.

    f_i is the cross-entropy on agent i's validation samples. g_i is the mean over its training samples of
    ``sigmoid(scale x_k) * cross-entropy`` plus ``regularization |y|^2``, where y (p, q) has one column per class.
    x and y start at 0, so every weight starts at 1/2. The options select what x weights and what the agents share:

    - weights="sample", share="lower": each agent has private logits, one for each of its training samples, and all
      agents train one model on all weighted samples. Each agent minimises its own f_i (SLAM-L). Use `Slam`.
    - weights="sample", share="both": the model is the same, but x contains the logits of all agents' samples and is
      shared. All agents minimise the mean of the f_i, so the validation samples of the whole network judge each sample,
      which cleans best. Use `SlamTracked`. (`Slam` also runs, but under its surrogate only the validation samples of
      the owner count. share="upper" is refused, because agents with separate models would share nothing.)
    - weights="source", share="upper": one of several sources labelled each sample. The agents know the number of the
      source, but not its quality. x has one shared logit per source, and models are personal. Use `Diamond`, `DSGD` or
      another method for personal lower levels. share="both" has one model for all agents; share="lower" has one model,
      and each agent weights the sources separately.

    The fraction `corrupted` of an agent's training labels, rounded to whole samples, is replaced by another class at
    random. For sources, the fraction of source k is `source_rates`, whose mean is `corrupted`. Validation and test
    labels are not changed. The test samples are the published test set, or a random fifth of the samples. Features are
    not rescaled.

    For labels that are already noisy, ``corrupted=0`` changes none of them, and `validation` takes separate clean
    samples, so that none of `data` are held out for validation. It is then unknown which labels are wrong: the history
    has no weight_clean and weight_corrupted, and `sample_weights` shows how far x trusts each sample. The test samples
    come from `data` and are as noisy. For a clean test, give a `Dataset` whose last `test_samples` are clean.

    The history gains test_accuracy (a fraction) and test_loss (in nats), the means over the agents for their own models
    on all test samples. It also gains weight_clean and weight_corrupted, the mean weights of clean and of corrupted
    training samples, unless logits are private and agents have different numbers of samples. `corruption` and
    `sample_weights` return these for each sample.

    Args:
        data: "mnist", "digits" or any other name in `hypergossip.data.names`, or a `Dataset`.
        agents: The number of agents n.
        weights: "sample" or "source".
        share: "lower", "both" or "upper", as above; None uses the first value listed there.
        validation: Clean validation samples with the features and classes of `data`. All are distributed over the
            agents at random, the same number to each. None takes them from `data`.
        corrupted: The fraction of wrong labels, at least 0 and below 1; 0 keeps the labels.
        sources: The number of sources, at least 2; it has no influence if weights="sample".
        scale: The factor between an entry of x and a logit. None uses the square root of the number of entries, so that
            ``|x|^2`` is the mean square of the logits and both levels need steps of similar size, as required by
            methods with one penalty for both (`Slam`). 1 makes the entries the logits, as in the papers; upper steps
            must then be larger by a factor of the number of entries.
        regularization: The positive factor of the regulariser.
        samples: The numbers of training and validation samples of an agent, such as (500, 500). None uses all samples,
            half of them for each (or all of both data sets if `validation` is given).
        dirichlet: None gives every agent the same number of samples. A number is the concentration of a non-IID
            partition (`hypergossip.data.partition`), whose mean sizes are `samples`; those of `validation` stay equal.
        batch_size: The number of samples that a key draws. None uses every sample, which gives a deterministic oracle.
        sampling: As for `hypergossip.Problem`.
        seed: The seed of the partition, of the wrong labels, and of a test set that is not published.
        data_dir: The folder in which to look first for the files of a data set.

    Raises:
        ValueError: If a name is unknown, a number or a label is invalid, `validation` does not match `data`, or there
            are too few samples.
        DataUnavailable: If the files of the data set are not available.
    """
    share = _check_options(weights, share, corrupted, sources, scale, regularization)
    dataset = read(data, data_dir)
    rest, test = hold_out(dataset, HELD_OUT, seed)
    clean = rest if validation is None else checked_validation(validation, dataset)
    settings = agents, samples, dirichlet, fewest_samples(batch_size), seed
    if validation is None:
        training_rows, validation_rows = divide(rest.labels, *settings)
    else:
        training_rows, validation_rows = divide_apart(rest.labels, clean.labels, *settings)
    counts = [len(rows) for rows in training_rows]
    own = weights == "sample" and share == "lower"
    begins = [0] * len(counts) if own or weights == "source" else np.cumsum([0, *counts[:-1]]).tolist()
    random = generator(seed, 3)
    training = []
    for rows, begin in zip(training_rows, begins):
        index = np.arange(len(rows), dtype=np.int32)
        if weights == "sample":
            # The rows are in random order, so the first ones are a random choice.
            entry, wrong = index + np.int32(begin), index < round(corrupted * len(rows))
        else:
            entry, wrong = _of_sources(index, sources, source_rates(sources, corrupted))
        other = random.integers(1, dataset.classes, len(rows))
        labels = np.where(wrong, (rest.labels[rows] + other) % dataset.classes, rest.labels[rows]).astype(np.int32)
        known = {"corrupted": wrong} if corrupted else {}
        training.append({"features": rest.features[rows], "labels": labels, "entry": entry, "index": index, **known})
    if corrupted:
        check_share(corrupted, [own["corrupted"] for own in training])
    entries = sources if weights == "source" else max(counts) if own else sum(counts)
    loss = TrainingLoss(float(np.sqrt(entries) if scale is None else scale), float(regularization))
    # Private logits have the same layout for all agents only if the agents have equal numbers of samples.
    weighted = [] if not corrupted else training if not own else training[:1] if len(set(counts)) == 1 else []
    return Problem(
        validation_loss,
        loss,
        upper_data=[{"features": clean.features[rows], "labels": clean.labels[rows]} for rows in validation_rows],
        lower_data=training,
        x0=np.zeros(entries),
        y0=np.zeros((dataset.features.shape[1], dataset.classes)),
        share=share,
        batch_size=batch_size,
        sampling=sampling,
        observe=_observations(test, loss, weighted),
    )


def source_rates(sources: int, corrupted: float | int) -> Float[np.ndarray, "sources"]:
    """Returns each source's fraction of wrong labels, the best of the `sources` first, with mean `corrupted`."""
    spread = min(corrupted, 1 - corrupted)
    return np.linspace(corrupted - spread, corrupted + spread, sources)


def corruption(problem: Problem) -> Bool[np.ndarray, "agents samples"]:
    """Returns which training samples of a `data_cleaning` problem have a wrong label, in the order of the samples.

    For weights="sample" this is the order of an agent's logits in x. Entries beyond an agent's own samples are False.

    Raises:
        ValueError: If the problem was made with ``corrupted=0``, so that it is unknown which labels are wrong.
    """
    rows = held_rows(problem.oracles, "lower")
    if "corrupted" not in rows[0]:
        raise ValueError(
            "this problem's labels were not changed (corrupted=0), so it is unknown which of them are wrong; "
            "sample_weights shows how far every sample is trusted."
        )
    return _by_sample(rows, [own["corrupted"] for own in rows], False)


def sample_weights(problem: Problem, x: Any) -> Float[np.ndarray, "*seeds agents samples"]:
    """Returns the weight of every training sample of a `data_cleaning` problem, for a result's x.

    Args:
        problem: The problem.
        x: ``result.x``, (agents, entries), with a leading seed axis if the result has one.

    Returns:
        The weights, between 0 and 1, in the order of `corruption`; NaN beyond an agent's own samples.
    """
    rows = held_rows(problem.oracles, "lower")
    weights = np.asarray(problem.oracles.form.lower.weights(jnp.asarray(x)))
    return _by_sample(rows, [weights[..., i, own["entry"]] for i, own in enumerate(rows)], np.nan)


def _by_sample(rows: list[Any], values: list[np.ndarray], beyond: Any) -> np.ndarray:
    """Orders every agent's values, (..., rows) each, by the index of their samples: (..., agents, samples)."""
    ordered = np.full((*values[0].shape[:-1], len(rows), max(len(own["index"]) for own in rows)), beyond)
    for i, own in enumerate(rows):
        ordered[..., i, own["index"]] = values[i]
    return ordered


def _check_options(
    weights: str, share: str | None, corrupted: float | int, sources: int, scale: Any, regularization: float | int
) -> str:
    """Returns the shared levels; raises ValueError if an option is invalid."""
    choice("weights", weights, SHARES)
    if weights == "sample" and share == "upper":
        raise ValueError(
            'weights="sample" with share="upper" leaves the agents nothing in common, because a sample\'s logit and '
            'its model concern only its owner. Use share="lower" or "both", or weights="source".'
        )
    if share is not None and share not in SHARES[weights]:
        raise ValueError(f'share is {share!r}; give "upper", "lower" or "both".')
    advice = "give a share of the labels below 1, such as 0.4, or 0 for labels that are already noisy"
    real_number("corrupted", corrupted, advice, lambda share: 0 <= share < 1)
    whole_number("sources", sources, 2, advice="give a whole number, at least 2, so that their reliability can differ")
    positive_number("regularization", regularization, UNIQUE_SOLUTION)
    if scale is not None:
        positive_number("scale", scale, "give a positive number, such as 1, or None")
    return share or SHARES[weights][0]


def _of_sources(index: Int[np.ndarray, "samples"], sources: int, rates: Any) -> tuple[np.ndarray, np.ndarray]:
    """Assigns an agent's samples to the sources in turn; returns their sources and whether their labels are wrong."""
    source, turn = index % sources, index // sources
    return source, turn < np.rint(rates * np.bincount(source, minlength=sources))[source]


# Observations are `Partial`s of their arrays, so that problems of one shape share their compiled programs.


def _test_accuracy(test: Batch, x: Float[Array, "k"], y: Float[Array, "p q"]) -> Float[Array, ""]:
    best = jnp.argmax(test["features"].astype(y.dtype) @ y, axis=1)
    return jnp.mean(best.astype(test["labels"].dtype) == test["labels"], dtype=y.dtype)


def _test_loss(test: Batch, x: Float[Array, "k"], y: Float[Array, "p q"]) -> Float[Array, ""]:
    return cross_entropy(y, test["features"].astype(y.dtype), test["labels"])


def _mean_weight(entries: Any, scale: Any, x: Float[Array, "k"], y: Float[Array, "p q"]) -> Float[Array, ""]:
    return jnp.mean(jax.nn.sigmoid(scale * x)[entries])


def _observations(test: Dataset, loss: TrainingLoss, weighted: list[Batch]) -> dict[str, Partial]:
    """Returns the observations; those of the weights only if there are samples that every agent's x weights."""
    held_out = {"features": jnp.asarray(test.features), "labels": jnp.asarray(test.labels)}
    observe = {"test_accuracy": Partial(_test_accuracy, held_out), "test_loss": Partial(_test_loss, held_out)}
    if weighted:
        entry, wrong = (np.concatenate([own[name] for own in weighted]) for name in ("entry", "corrupted"))
        for name, chosen in (("weight_clean", ~wrong), ("weight_corrupted", wrong)):
            observe[name] = Partial(_mean_weight, jnp.asarray(entry[chosen]), loss.scale)
    return observe
