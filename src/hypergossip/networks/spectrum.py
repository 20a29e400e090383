"""The extreme eigenvalues that determine how fast a network averages.

Functions of an undirected network take a *weighted Laplacian*: a symmetric positive semi-definite matrix whose rows
sum to zero and whose kernel is the constant vectors, such as I - W or the graph Laplacian. Working with I - W rather
than W keeps the spectral gap of a ring of 100,000 agents (about 1e-9) to seven digits.

There are three algorithms, none of which suits every graph:

- all eigenvalues of the dense matrix, for up to 1000 agents;
- Lanczos, which is fast if the wanted eigenvalue is well separated, as in random graphs and expanders, whose sparse
  factors would fill in;
- inverse Lanczos with a sparse LU factorization, for rings, paths, grids and trees. Their eigenvalues cluster at the
  ends of the spectrum, where plain Lanczos does not resolve them, but they have small separators and sparse factors.

A graph with a narrow profile after reverse Cuthill-McKee ordering uses the factorization. Other graphs try Lanczos
first, with a bounded number of products, and then the factorization.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, SuperLU, eigs, eigsh, splu

LARGEST_DENSE = 1000
# 60 basis vectors and 25 restarts are about a thousand products, a few seconds for 100,000 agents.
LANCZOS_BASIS = 60
LANCZOS_RESTARTS = 25


def agents_of(matrix: csr_array) -> int:
    """The number of rows of a sparse matrix, shape (agents, agents)."""
    return matrix.indptr.size - 1


def algebraic_connectivity(laplacian: csr_array) -> float:
    """The second smallest eigenvalue of a weighted Laplacian.

    Args:
        laplacian: symmetric positive semi-definite, shape (agents, agents), rows summing to zero; for I - W the result
            is 1 minus the second largest eigenvalue of W.

    Returns:
        The eigenvalue, with an error of about 1e-14 times the largest one; 0.0 for a single agent, which has only one
        eigenvalue.

    Raises:
        ValueError: a large matrix turns out not to be positive semi-definite.
    """
    agents = agents_of(laplacian)
    if agents == 1:
        return 0.0
    if agents <= LARGEST_DENSE:
        return float(np.linalg.eigvalsh(laplacian.toarray())[1])
    radius = _gershgorin_radius(laplacian)
    if _has_narrow_profile(laplacian) and (factor := _factor(laplacian[1:, 1:])) is not None:
        return _connectivity_by_factor(factor, agents)
    value = _top_if_quick(_without_constants(laplacian, radius), agents)
    if value is not None:
        return radius - value
    factor = _factor(laplacian[1:, 1:])
    if factor is not None:
        return _connectivity_by_factor(factor, agents)
    raise ValueError(
        "The matrix is not positive semi-definite, so it is not a weighted Laplacian: some mixing weights are too "
        "negative. Use smaller weights, or a named choice such as 'metropolis'."
    )


def largest_eigenvalue(laplacian: csr_array) -> float:
    """The largest eigenvalue of a weighted Laplacian.

    Args:
        laplacian: symmetric positive semi-definite, shape (agents, agents); for I - W the result is 1 minus the
            smallest eigenvalue of W, for the graph Laplacian it is l_max.

    Returns:
        The eigenvalue, with a relative error of about 1e-11 or less; 0.0 for a single agent.
    """
    agents = agents_of(laplacian)
    if agents <= LARGEST_DENSE:
        return float(np.linalg.eigvalsh(laplacian.toarray())[-1])
    if _has_narrow_profile(laplacian):
        return _largest_by_factor(laplacian)
    value = _top_if_quick(laplacian, agents)
    return _largest_by_factor(laplacian) if value is None else value


def _gershgorin_radius(matrix: csr_array) -> float:
    """The largest absolute row sum, which bounds the magnitude of all eigenvalues."""
    return float(abs(matrix).sum(axis=1).max())


def _has_narrow_profile(matrix: csr_array) -> bool:
    """Whether renumbering gives a bandwidth of order sqrt(agents), as for planar graphs."""
    agents = agents_of(matrix)
    position = np.empty(agents, dtype=np.int64)
    position[reverse_cuthill_mckee(matrix, symmetric_mode=True)] = np.arange(agents)
    entries = matrix.tocoo()
    bandwidth = int(np.abs(position[entries.row] - position[entries.col]).max())
    return bandwidth <= 8 * math.sqrt(agents)


def _start(agents: int) -> Float[np.ndarray, " agents"]:
    """A fixed starting vector, so that a network's spectrum is the same in every run."""
    return np.random.default_rng(0).standard_normal(agents)


def _operator(apply: Callable[[Any], Any], agents: int) -> Any:
    # SciPy's constructor calls a subclass whose signature type checkers do not see.
    make: Any = LinearOperator
    return make((agents, agents), matvec=apply, dtype=np.float64)


def _without_constants(laplacian: csr_array, radius: float) -> Any:
    """The matrix radius I - L with constant vectors mapped to zero; its top eigenvalue is radius minus connectivity."""

    def apply(vector: Float[np.ndarray, " agents"]) -> Float[np.ndarray, " agents"]:
        return radius * (vector - vector.mean()) - laplacian @ vector

    return _operator(apply, agents_of(laplacian))


def _top(operator: Any, start: Float[np.ndarray, " agents"], tol: float, **limits: int) -> tuple[float, Any]:
    """The largest eigenvalue and its eigenvector by restarted Lanczos."""
    options: dict[str, Any] = {"tol": tol, **limits}
    values, vectors = eigsh(operator, k=1, which="LA", v0=start, **options)
    return float(values[0]), vectors[:, 0]


def _top_if_quick(operator: Any, agents: int) -> float | None:
    """The largest eigenvalue, or None if a bounded number of products is not enough."""
    try:
        value, _ = _top(operator, _start(agents), tol=1e-12, ncv=LANCZOS_BASIS, maxiter=LANCZOS_RESTARTS)
    except ArpackNoConvergence:
        return None
    return value


def _factor(matrix: csr_array) -> SuperLU | None:
    """The LU factors of a symmetric positive definite matrix, or None if it is not.

    No pivoting is needed for a definite matrix, and without it the pivots have the signs of the eigenvalues
    (Sylvester), so that a factor is also a proof of definiteness.
    """
    try:
        factor = splu(
            csc_array(matrix),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:  # exactly singular
        return None
    return factor if bool((factor.U.diagonal() > 0).all()) else None


def _connectivity_by_factor(grounded: SuperLU, agents: int) -> float:
    """Lanczos on the pseudo-inverse, whose spectrum is well separated where the Laplacian's eigenvalues cluster.

    Grounding agent 0 (removing its row and column) makes the Laplacian definite. A shift would have to be small
    compared with an unknown gap. For right-hand sides that sum to zero the solution is exact up to a constant.
    """

    def apply(vector: Float[np.ndarray, " agents"]) -> Float[np.ndarray, " agents"]:
        centred = vector - vector.mean()
        solution = np.concatenate(([0.0], grounded.solve(centred[1:])))
        return solution - solution.mean()

    value, _ = _top(_operator(apply, agents), _start(agents), tol=1e-13)
    return 1.0 / value


def _largest_by_factor(matrix: csr_array) -> float:
    """Bisects a bracket between an upper bound, proved by definiteness, and a Ritz value of the shifted inverse.

    Each round's Ritz value is within about a thousandth of the bracket, so the next bound can be taken a hundredth of
    the bracket above it; three or four factors are enough.
    """
    agents = agents_of(matrix)
    identity = eye_array(agents, format="csr")
    radius = _gershgorin_radius(matrix)
    upper = radius * (1 + 1e-3)
    factor = _factor(upper * identity - matrix)
    vector = _start(agents)
    while factor is not None:
        value, vector = _top(_operator(factor.solve, agents), vector, tol=1e-3)
        lower = upper - 1.0 / value
        if upper - lower <= 1e-8 * radius:
            return lower
        margin = 1e-2 * (upper - lower)
        while (factor := _factor((lower + margin) * identity - matrix)) is None:
            margin *= 4
        upper = lower + margin
    raise ValueError("The largest eigenvalue could not be bracketed: the matrix is not symmetric, or not finite.")


def second_magnitude(matrices: Sequence[csr_array]) -> float:
    """The second largest eigenvalue in magnitude of a product of matrices whose rows sum to one.

    Args:
        matrices: shape (agents, agents), the first to act first; at least two agents, and the eigenvalue 1 of the
            product is simple.

    Returns:
        The magnitude; NaN for more than 1,000 agents whose eigenvalues lie too close together to be found, as those of
        a directed ring.
    """
    agents = agents_of(matrices[0])
    if agents <= LARGEST_DENSE:
        product = np.eye(agents)
        for matrix in matrices:
            product = matrix @ product
        return float(np.sort(np.abs(np.linalg.eigvals(product)))[-2])

    def apply(vector: Float[np.ndarray, " agents"]) -> Float[np.ndarray, " agents"]:
        for matrix in matrices:
            vector = matrix @ vector
        return vector

    options: dict[str, Any] = {"return_eigenvectors": False, "v0": _start(agents), "which": "LM"}
    try:
        values = eigs(_operator(apply, agents), k=2, ncv=LANCZOS_BASIS, maxiter=LANCZOS_RESTARTS, **options)
    except ArpackNoConvergence:
        return float("nan")
    return float(np.sort(np.abs(values))[-2])
