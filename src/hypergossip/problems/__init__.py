"""Ready-made bilevel problems."""

from hypergossip.problems.data_cleaning import corruption, data_cleaning, sample_weights
from hypergossip.problems.hyperparameter import hyperparameter
from hypergossip.problems.meta_learning import meta_learning
from hypergossip.problems.quadratic import quadratic, solution
from hypergossip.problems.sinusoids import sinusoids

__all__ = [
    "corruption",
    "data_cleaning",
    "hyperparameter",
    "meta_learning",
    "quadratic",
    "sample_weights",
    "sinusoids",
    "solution",
]
