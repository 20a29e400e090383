"""Data hyper-cleaning: how much to trust training samples, some of whose labels are wrong (Franceschi et al. 2017).

The task is that of section 5.1 of "Forward and reverse gradient-based hyperparameter optimization", with one logit a
training sample instead of a bounded weight (as Ji, Yang & Liang 2021 have it), over a network.
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
from hypergossip.problems.splits import divide
from hypergossip.support.arguments import check_numbers

HELD_OUT = 0.2  # of the samples, where no test set is published
SHARES = {"sample": ("lower", "both"), "source": ("upper", "lower", "both")}  # by what is weighed; the default first

# Features (samples, p) and labels (samples,). Of training samples also "entry" (samples,), the entry of x that weighs
# each, and for the pictures, read by no loss, "index" (samples,), its place among its agent's, and, where labels were
# replaced, "corrupted".
Batch = dict[str, Any]


@dataclass(frozen=True)
class TrainingLoss:
    """g_i(x, y): the mean over a batch of ``sigmoid(scale x_k) * cross-entropy``, plus ``regularization |y|^2``.

    Compared by value: two problems of one shape share their compiled programs.

    Attributes:
        scale: Of the logits in x.
        regularization: Positive; g is strongly convex because of it.
    """

    scale: float
    regularization: float

    def __call__(self, x: Float[Array, "k"], y: Float[Array, "p q"], batch: Batch) -> Float[Array, ""]:
        """Returns g_i(x, y) on a batch."""
        logarithms = jax.nn.log_softmax(batch["features"] @ y)
        losses = -jnp.sum(logarithms * jax.nn.one_hot(batch["labels"], y.shape[1], dtype=y.dtype), axis=1)
        return jnp.mean(self.weights(x)[batch["entry"]] * losses) + self.regularization * jnp.sum(y**2)

    def weights(self, x: Float[Array, "*more k"]) -> Float[Array, "*more k"]:
        """Returns the weights between 0 and 1 whose logits, over `scale`, are x."""
        return jax.nn.sigmoid(self.scale * x)


def validation_loss(x: Float[Array, "k"], y: Float[Array, "p q"], batch: Batch) -> Float[Array, ""]:
    """f_i(x, y): the cross-entropy on a batch of validation samples, all clean; x enters through y alone."""
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
    """Weighs training samples, some with wrong labels, so that a softmax model does well on clean validation samples.

    f_i is the cross-entropy on agent i's validation samples, g_i the mean over its training samples of
    ``sigmoid(scale x_k) * cross-entropy`` plus ``regularization |y|^2``, with y (p, q) one column of weights a class;
    x and y start at 0, so that every weight starts at 1/2. What x weighs, and who agrees on what:

    - weights="sample", share="lower": an agent keeps one logit for each of its training samples to itself, and all
      train one model on everybody's weighted samples. Each minimises its own f_i (SLAM-L): `Slam`.
    - weights="sample", share="both": the same model, but x is the logits of all agents' samples, on which they agree.
      So all minimise the mean of the f_i, and a sample is judged by the network's validation samples instead of
      its owner's alone, which is what cleans best: `SlamTracked`. (`Slam` runs too, but by its surrogate the owner's
      alone decide. With a model for each, share="upper", agents would have nothing in common; that is refused.)
    - weights="source", share="upper": every sample was labelled by one of several sources, which all agents know by
      number, but not by quality. x is a logit for each source, on which they agree; models are personal: `Diamond`,
      `DSGD`, and whatever else wants personal lower levels. share="both" has one model, share="lower" one model and
      each agent's own opinion of the sources.

    `corrupted` of an agent's training labels, rounded to a whole sample, are replaced by another class, drawn
    uniformly. Of source k's labels that is a share of its own, `source_rates`, whose mean over the sources is
    `corrupted`. Validation and test labels stay as they are. The held-out test samples are the published test set, or
    a fifth of the samples, drawn by the seed. Features are not rescaled.

    For labels that are noisy already: ``corrupted=0`` touches none, and `validation` takes the clean samples that one
    has, so that none of `data` are held out for validation. Nobody knows then which labels are wrong: the history has
    neither weight_clean nor weight_corrupted, and `sample_weights` alone tells whom x trusts. The test samples are of
    `data`, and as noisy; a `Dataset` whose last `test_samples` are clean has a clean test.

    The history gains test_accuracy (a share of 1) and test_loss (in nats), the means over agents of their own models'
    on all test samples, and weight_clean and weight_corrupted, the mean weights of clean and of corrupted training
    samples (not for one's own logits of unlike numbers of samples). `corruption` and `sample_weights` say it sample by
    sample.

    Args:
        data: "mnist", "digits" or any other name of `hypergossip.data.names`, or a `Dataset`.
        agents: n.
        weights: "sample" or "source".
        share: "lower", "both" or "upper", as above; None: the first that is named there.
        validation: Clean validation samples of the features and classes of `data`, all of which are dealt to the
            agents at random, equally many to each; None: they are taken from `data`.
        corrupted: A share of 1, at least 0 and below 1; 0: the labels stay as they are.
        sources: How many there are, at least 2; of no consequence to weights="sample".
        scale: A logit is this many times an entry of x. None: the root of the number of entries, so that ``|x|^2`` is
            the mean square of the logits and the steps of both levels are of one size, which methods with one penalty
            for both (`Slam`) need. 1: the logits themselves, as the papers have it; upper steps are then to be larger
            by the number of entries.
        regularization: Positive.
        samples: Training and validation samples of an agent, such as (500, 500); None: all there are, half for each
            (with `validation`: all of either).
        dirichlet: None: every agent has as many as any other. A number: labels and sizes are unlike, drawn by this
            concentration (`hypergossip.data.partition`), `samples` being their mean; those of `validation` stay equal.
        batch_size: Samples a key draws; None: every sample, a deterministic oracle.
        sampling: As for `hypergossip.Problem`.
        seed: Of the division among agents, of the wrong labels, and of a test set that is not published.
        data_dir: A folder to look in first for data sets that come in files.

    Raises:
        ValueError: If a name is unknown, a number makes no sense, labels are not those of the classes, `validation`
            does not fit `data`, or the samples are too few.
        DataUnavailable: If the files of the data set are nowhere to be had.
    """
    share = _check_options(weights, share, corrupted, sources, scale, regularization)
    dataset = read(data, data_dir)
    rest, test = hold_out(dataset, HELD_OUT, seed)
    clean = rest if validation is None else checked_validation(validation, dataset)
    division = agents, samples, dirichlet, batch_size or 1, seed
    if validation is None:
        training_rows, validation_rows = divide(rest.labels, *division)
    else:
        training_rows, validation_rows = divide_apart(rest.labels, clean.labels, *division)
    counts = [len(rows) for rows in training_rows]
    own = weights == "sample" and share == "lower"
    begins = [0] * agents if own or weights == "source" else np.cumsum([0, *counts[:-1]]).tolist()
    random = generator(seed, 3)
    training = []
    for rows, begin in zip(training_rows, begins):
        index = np.arange(len(rows), dtype=np.int32)
        if weights == "sample":
            # The rows are in random order, so that the first of them are a random choice.
            entry, wrong = index + np.int32(begin), index < round(corrupted * len(rows))
        else:
            entry, wrong = _of_sources(index, sources, source_rates(sources, corrupted))
        other = random.integers(1, dataset.classes, len(rows))
        labels = np.where(wrong, (rest.labels[rows] + other) % dataset.classes, rest.labels[rows]).astype(np.int32)
        told = {"corrupted": wrong} if corrupted else {}
        training.append({"features": rest.features[rows], "labels": labels, "entry": entry, "index": index, **told})
    if corrupted:
        check_share(corrupted, [own["corrupted"] for own in training])
    entries = sources if weights == "source" else max(counts) if own else sum(counts)
    loss = TrainingLoss(float(np.sqrt(entries) if scale is None else scale), float(regularization))
    # One's own logits are those of one's own samples, which lie alike where agents hold equally many.
    weighed = [] if not corrupted else training if not own else training[:1] if len(set(counts)) == 1 else []
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
        observe=_observations(test, loss, weighed),
    )


def source_rates(sources: int, corrupted: float | int) -> Float[np.ndarray, "sources"]:
    """Returns every source's share of wrong labels: the best of the `sources` first, `corrupted` in the mean."""
    spread = min(corrupted, 1 - corrupted)
    return np.linspace(corrupted - spread, corrupted + spread, sources)


def corruption(problem: Problem) -> Bool[np.ndarray, "agents samples"]:
    """Returns which training samples of a `data_cleaning` problem have a wrong label, in the order of the samples.

    For weights="sample" it is the order of an agent's logits in x. Beyond an agent's own samples it is False.

    Raises:
        ValueError: If the problem was made with ``corrupted=0``: which of its labels are wrong is not known.
    """
    rows = held_rows(problem.oracles, "lower")
    if "corrupted" not in rows[0]:
        raise ValueError(
            "this problem's labels are as they were given (corrupted=0), so which of them are wrong is not known; "
            "sample_weights tells how far every sample is trusted."
        )
    return _by_sample(rows, [own["corrupted"] for own in rows], False)


def sample_weights(problem: Problem, x: Any) -> Float[np.ndarray, "*seeds agents samples"]:
    """Returns the weight of every training sample of a `data_cleaning` problem, for a result's x.

    Args:
        problem: The problem.
        x: ``result.x``, (agents, entries), with a seed axis before it if the result has one.

    Returns:
        Between 0 and 1, in the order of `corruption`; NaN beyond an agent's own samples.
    """
    rows = held_rows(problem.oracles, "lower")
    weights = np.asarray(problem.oracles.form.lower.weights(jnp.asarray(x)))
    return _by_sample(rows, [weights[..., i, own["entry"]] for i, own in enumerate(rows)], np.nan)


def _by_sample(rows: list[Any], values: list[np.ndarray], beyond: Any) -> np.ndarray:
    """Puts what every agent has for its rows, (..., rows) each, in the order of the samples: (..., agents, samples)."""
    ordered = np.full((*values[0].shape[:-1], len(rows), max(len(own["index"]) for own in rows)), beyond)
    for i, own in enumerate(rows):
        ordered[..., i, own["index"]] = values[i]
    return ordered


def _check_options(
    weights: str, share: str | None, corrupted: float | int, sources: int, scale: Any, regularization: float | int
) -> str:
    """Returns what is shared; raises ValueError where an option makes no sense."""
    check_numbers(
        corrupted=corrupted, sources=sources, regularization=regularization, scale=1 if scale is None else scale
    )
    if weights not in SHARES:
        raise ValueError(f'weights is {weights!r}; write "sample" or "source".')
    if weights == "sample" and share == "upper":
        raise ValueError(
            'weights="sample" with share="upper" leaves the agents nothing in common: a sample\'s logit concerns its '
            'owner alone, and so does its model. Take share="lower" or "both", or weights="source".'
        )
    if share is not None and share not in SHARES[weights]:
        raise ValueError(f'share is {share!r}; write "upper", "lower" or "both".')
    if not 0 <= corrupted < 1:
        raise ValueError(
            f"corrupted is {corrupted}; give a share of the labels below 1, such as 0.4, or 0 for labels that are "
            "noisy already."
        )
    if sources < 2:
        raise ValueError(f"sources is {sources}; give at least 2, of which one can be trusted more than the other.")
    if not regularization > 0:
        raise ValueError(f"regularization is {regularization}; it must be positive, or y has no unique solution.")
    if scale is not None and not scale > 0:
        raise ValueError(f"scale is {scale}; it must be positive, such as 1, or None.")
    return share or SHARES[weights][0]


def _of_sources(index: Int[np.ndarray, "samples"], sources: int, rates: Any) -> tuple[np.ndarray, np.ndarray]:
    """Deals an agent's samples to the sources in turn: the source of each, and whether it got the label wrong."""
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


def _observations(test: Dataset, loss: TrainingLoss, weighed: list[Batch]) -> dict[str, Partial]:
    """What the history gains; of the weights where there are samples that every agent's x weighs."""
    held_out = {"features": jnp.asarray(test.features), "labels": jnp.asarray(test.labels)}
    observe = {"test_accuracy": Partial(_test_accuracy, held_out), "test_loss": Partial(_test_loss, held_out)}
    if weighed:
        entry, wrong = (np.concatenate([own[name] for own in weighed]) for name in ("entry", "corrupted"))
        for name, chosen in (("weight_clean", ~wrong), ("weight_corrupted", wrong)):
            observe[name] = Partial(_mean_weight, jnp.asarray(entry[chosen]), loss.scale)
    return observe
