"""Estimators of the hypergradient (DIAMOND eq. 3 to 5), one a file."""

from hypergossip.hypergradients.conjugate_gradient import ConjugateGradient
from hypergossip.hypergradients.direct import Direct
from hypergossip.hypergradients.exact import Exact
from hypergossip.hypergradients.hessian_free import HessianFree
from hypergossip.hypergradients.mini_batch_neumann import MiniBatchNeumann
from hypergossip.hypergradients.neumann import Neumann
from hypergossip.hypergradients.truncated_neumann import TruncatedNeumann
from hypergossip.hypergradients.unrolled import Unrolled

__all__ = [
    "ConjugateGradient",
    "Direct",
    "Exact",
    "HessianFree",
    "MiniBatchNeumann",
    "Neumann",
    "TruncatedNeumann",
    "Unrolled",
]
