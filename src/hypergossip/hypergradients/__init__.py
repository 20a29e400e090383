"""Estimators of the hypergradient (DIAMOND eq. 3 to 5), one in each file. A line here registers an estimator."""

from hypergossip.hypergradients.conjugate_gradient import ConjugateGradient as ConjugateGradient
from hypergossip.hypergradients.direct import Direct as Direct
from hypergossip.hypergradients.exact import Exact as Exact
from hypergossip.hypergradients.hessian_free import HessianFree as HessianFree
from hypergossip.hypergradients.mini_batch_neumann import MiniBatchNeumann as MiniBatchNeumann
from hypergossip.hypergradients.natural_policy_gradient import NaturalPolicyGradient as NaturalPolicyGradient
from hypergossip.hypergradients.neumann import Neumann as Neumann
from hypergossip.hypergradients.truncated_neumann import TruncatedNeumann as TruncatedNeumann
from hypergossip.hypergradients.unrolled import Unrolled as Unrolled
