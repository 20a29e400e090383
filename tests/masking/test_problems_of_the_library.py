"""The losses of the library's own problems can be traced once for agents that hold different numbers of samples."""

import numpy as np
import pytest

from hypergossip.data import Dataset
from hypergossip.problems import data_cleaning, hyperparameter, meta_learning
from hypergossip.support.dimensions import at_most


def samples(classes, count=240):
    random = np.random.default_rng(0)
    features = random.standard_normal((count, 16)).astype(np.float32)
    labels = np.argmax(features[:, :classes], axis=1).astype(np.int32)
    return Dataset("samples", features, labels, classes, (4, 4, 1))


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: meta_learning(samples(3), 3, widths=(4, 3), **options),
        lambda **options: meta_learning(samples(3), 3, representation="convolutional", widths=(4,), **options),
        lambda **options: hyperparameter(samples(2), 3, **options),
        lambda **options: hyperparameter(samples(4), 3, **options),
        lambda **options: data_cleaning(samples(3), 3, weights="sample", share="both", **options),
        lambda **options: data_cleaning(samples(3), 3, weights="source", share="both", **options),
    ],
    ids=["dense", "convolutional", "two classes", "four classes", "weights of samples", "weights of sources"],
)
def test_their_programs_are_compiled_for_a_few_padded_shapes(make):
    """Otherwise every number of samples is compiled by itself, which takes several times as long."""
    problem = make(dirichlet=1.0, batch_size=4)
    unequal = [whole for whole in problem.oracles.form.whole if len(whole.sizes) > 1]
    assert unequal
    assert {whole.kind for whole in unequal} == {"masked"}


def test_a_symbolic_size_is_no_small_number():
    from jax import export

    (rows,) = export.symbolic_shape("n")
    assert at_most(3, 3)
    assert not at_most(4, 3)
    assert not at_most(rows, 3)
    assert not at_most(16 * rows, 10**9)
