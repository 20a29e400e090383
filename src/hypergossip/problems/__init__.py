"""The zoo of problems."""

from hypergossip.problems.hyperparameter import hyperparameter
from hypergossip.problems.quadratic import quadratic, solution

__all__ = ["hyperparameter", "quadratic", "solution"]
