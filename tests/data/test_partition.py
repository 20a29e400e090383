"""Partitions hold real samples, each once; the Dirichlet parameter sets the skew it is meant to set."""

import numpy as np
import pytest

from hypergossip.data import partition


def balanced_labels(samples: int, classes: int) -> np.ndarray:
    return np.random.default_rng(99).permutation(np.arange(samples, dtype=np.int32) % classes)


def label_distance(labels: np.ndarray, parts: list[np.ndarray]) -> float:
    """The mean total variation distance between an agent's mix of labels and that of the whole."""
    classes = labels.max() + 1
    whole = np.bincount(labels, minlength=classes) / len(labels)
    mixes = np.stack([np.bincount(labels[part], minlength=classes) / len(part) for part in parts])
    return float(np.abs(mixes - whole).sum(axis=1).mean() / 2)


def test_an_even_partition_gives_equal_sizes_and_leaves_out_only_the_remainder():
    parts = partition(balanced_labels(1003, 4), 9, seed=2)
    assert [len(part) for part in parts] == [111] * 9
    together = np.concatenate(parts)
    assert len(np.unique(together)) == 999
    assert together.min() >= 0
    assert together.max() < 1003
    assert not np.array_equal(together, np.sort(together))


@pytest.mark.parametrize("parameter", [1e-4, 0.1, 1.0, 1000.0])
@pytest.mark.parametrize(("agents", "minimum"), [(1, 1), (7, 40), (60, 10), (300, 1), (120, 5)])
def test_a_dirichlet_partition_is_disjoint_complete_and_respects_the_minimum(
    parameter: float, agents: int, minimum: int
):
    for seed in range(3):
        parts = partition(balanced_labels(600, 10), agents, seed=seed, dirichlet=parameter, minimum=minimum)
        assert len(parts) == agents
        assert min(len(part) for part in parts) >= minimum
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(600))


def test_skew_grows_as_the_parameter_shrinks():
    labels = balanced_labels(20000, 10)
    distances = [
        np.mean([label_distance(labels, partition(labels, 8, seed=seed, dirichlet=parameter)) for seed in range(5)])
        for parameter in (0.01, 0.1, 1.0, 10.0, 1000.0)
    ]
    assert all(np.diff(distances) < -0.02)
    assert distances[0] > 0.6
    assert distances[-1] < 0.03


def test_shares_have_the_mean_and_variance_of_the_dirichlet_distribution():
    agents, parameter, draws = 4, 0.7, 800
    labels = np.zeros(2000, np.int32)
    shares = np.array(
        [[len(part) for part in partition(labels, agents, seed=seed, dirichlet=parameter)] for seed in range(draws)]
    ) / len(labels)
    mean = 1 / agents
    variance = mean * (1 - mean) / (agents * parameter + 1)
    np.testing.assert_allclose(shares.mean(axis=0), mean, atol=5 * np.sqrt(variance / draws))
    np.testing.assert_allclose(shares.var(axis=0), variance, rtol=0.2)


def test_samples_of_an_agent_are_in_random_order():
    labels = np.sort(balanced_labels(4000, 10))
    for part in partition(labels, 3, dirichlet=5.0):
        assert abs(np.corrcoef(np.arange(len(part)), labels[part])[0, 1]) < 0.15


@pytest.mark.parametrize("parameter", [None, 0.3])
def test_the_seed_alone_decides(parameter: float | None):
    labels = balanced_labels(500, 5)
    first, again, other = (partition(labels, 5, seed=seed, dirichlet=parameter) for seed in (0, 0, 1))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(first, other, strict=True))


def test_an_even_partition_only_counts_its_samples():
    samples = 61
    expected = partition(balanced_labels(samples, 4), 3, seed=7)
    random = np.random.default_rng(0)
    with_gaps = [None, *random.standard_normal(samples - 1)]
    for targets in (random.standard_normal(samples), random.standard_normal((samples, 2)), with_gaps, range(samples)):
        for mine, theirs in zip(partition(targets, 3, seed=7), expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(ValueError, match="The labels hold fractions"):
        partition(random.standard_normal(samples), 3, seed=7, dirichlet=1.0)
    with pytest.raises(ValueError, match="The labels are of type int and have no length"):
        partition(samples, 3)


def test_impossible_partitions_are_refused():
    labels = balanced_labels(10, 2)
    for parameter in (None, 0.5):
        with pytest.raises(ValueError, match="10 samples cannot give 4 agents at least 3 each"):
            partition(labels, 4, dirichlet=parameter, minimum=3)
        with pytest.raises(ValueError, match="agents is 0; give a whole number, at least 1"):
            partition(labels, 0, dirichlet=parameter)
        with pytest.raises(ValueError, match="minimum is 0; give a whole number, at least 1"):
            partition(labels, 2, dirichlet=parameter, minimum=0)
    for parameter in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="give a positive finite number"):
            partition(labels, 2, dirichlet=parameter)
