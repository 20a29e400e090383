"""Estimators of the hypergradient (DIAMOND eq. 3 to 5), one a file."""

from hypergossip.hypergradients.conjugate_gradient import ConjugateGradient
from hypergossip.hypergradients.exact import Exact
from hypergossip.hypergradients.neumann import Neumann
from hypergossip.hypergradients.truncated_neumann import TruncatedNeumann

__all__ = ["ConjugateGradient", "Exact", "Neumann", "TruncatedNeumann"]
