"""The fastest symmetric mixing on a given graph, from a small semidefinite program.

Minimise s over the edges' weights w subject to -s I <= W - 11'/n <= s I with W = I - sum_e w_e a_e a_e', where a_e is
+1 and -1 at the ends of edge e: the symmetric case of fastest distributed linear averaging (Xiao and Boyd, Fast linear
iterations for distributed averaging, 2004). Weights may be negative or zero.

The problem is solved by an interior-point method on the barrier
    t s - log det(s I - M) - log det(s I + M),   M = W - 11'/n,
whose Newton system is inexpensive because every constraint matrix has rank one: with P = (s I - M)^-1 and
Q = (s I + M)^-1 the Hessian over the weights is (A'PA)^2 + (A'QA)^2, entry by entry. If the fastest weights are not
unique, the result is their analytic centre, which has every symmetry of the graph and does not depend on the agents'
numbering.
"""

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from scipy.sparse import csr_array, triu

from hypergossip.networks.spectrum import agents_of

LARGEST_FASTEST = 50
GAP = 1e-8


def fastest_mixing(adjacency: csr_array) -> csr_array:
    """The symmetric mixing matrix with the smallest lambda that the graph's edges allow.

    Args:
        adjacency: a connected graph, shape (agents, agents), of at most 50 agents: symmetric, ones on the edges, no
            diagonal.

    Returns:
        W, float64, shape (agents, agents), whose lambda exceeds the least possible by about 1e-8 (the duality gap at
        the end of the central path).

    Raises:
        ValueError: the graph has more than 50 agents.
    """
    agents = agents_of(adjacency)
    if agents > LARGEST_FASTEST:
        raise ValueError(
            f"The fastest weights are available for at most {LARGEST_FASTEST} agents, but this network has {agents}; "
            f"use 'metropolis', or compute W by other means and pass it to from_mixing."
        )
    upper = triu(adjacency, k=1).tocoo()
    edges = np.stack([upper.row, upper.col], axis=1).astype(np.int64)
    possible = agents * (agents - 1) // 2
    if len(edges) == possible:  # complete: one round averages exactly
        return csr_array(np.full((agents, agents), 1.0 / agents))
    return csr_array(_assemble(_central_path(edges, agents), edges, agents))


def _assemble(
    weights: Float[np.ndarray, " edges"], edges: Int[np.ndarray, "edges 2"], agents: int
) -> Float[np.ndarray, "agents agents"]:
    mixing = np.zeros((agents, agents))
    mixing[edges[:, 0], edges[:, 1]] = weights
    mixing += mixing.T
    mixing[np.diag_indices(agents)] = 1.0 - mixing.sum(axis=1)
    return mixing


def _central_path(edges: Int[np.ndarray, "edges 2"], agents: int) -> Float[np.ndarray, " edges"]:
    """Follows the central path until the duality gap, 2 n / t on it, is below GAP."""
    degrees = np.bincount(edges.ravel(), minlength=agents)
    weights = 1.0 / (1.0 + degrees[edges].max(axis=1))  # Metropolis: strictly feasible with s = 1 + lambda
    bound = 2.0
    sharpness = 2.0 * agents
    while True:
        weights, bound = _centre(weights, bound, sharpness, edges, agents)
        if 2 * agents / sharpness <= GAP:
            return weights
        sharpness *= 10.0


def _centre(
    weights: Float[np.ndarray, " edges"],
    bound: float,
    sharpness: float,
    edges: Int[np.ndarray, "edges 2"],
    agents: int,
) -> tuple[Float[np.ndarray, " edges"], float]:
    """Newton's method with a backtracking search for one sharpness t; the barrier is self-concordant and convex."""
    value = _barrier(weights, bound, sharpness, edges, agents)
    for _ in range(200):
        gradient, hessian = _derivatives(weights, bound, sharpness, edges, agents)
        # Scaled to a unit diagonal and regularized: on a dense graph many weights have little influence, and round-off
        # relative to t^2 hides the curvature along them. The direction remains a descent direction.
        scale = 1.0 / np.sqrt(np.diag(hessian))
        hessian *= np.outer(scale, scale)
        hessian[np.diag_indices_from(hessian)] += 1e-12
        factor = scipy.linalg.cho_factor(hessian)
        direction = -scale * scipy.linalg.cho_solve(factor, scale * gradient)
        decrement = float(-gradient @ direction)
        if decrement < 1e-6:
            break
        step = 1.0
        while True:
            trial_weights, trial_bound = weights + step * direction[:-1], bound + step * float(direction[-1])
            trial = _barrier(trial_weights, trial_bound, sharpness, edges, agents)
            if trial <= value - 0.1 * step * decrement or step < 1e-6:
                break
            step /= 2.0
        if not trial < value:  # round-off: no further progress at this sharpness
            break
        weights, bound, value = trial_weights, trial_bound, trial
    return weights, bound


def _barrier(
    weights: Float[np.ndarray, " edges"],
    bound: float,
    sharpness: float,
    edges: Int[np.ndarray, "edges 2"],
    agents: int,
) -> float:
    """The barrier's value; infinite outside the feasible set."""
    eigenvalues = np.linalg.eigvalsh(_assemble(weights, edges, agents) - 1.0 / agents)
    if bound <= np.abs(eigenvalues).max():
        return np.inf
    return float(sharpness * bound - np.log(bound - eigenvalues).sum() - np.log(bound + eigenvalues).sum())


def _derivatives(
    weights: Float[np.ndarray, " edges"],
    bound: float,
    sharpness: float,
    edges: Int[np.ndarray, "edges 2"],
    agents: int,
) -> tuple[Float[np.ndarray, " unknowns"], Float[np.ndarray, "unknowns unknowns"]]:
    """Gradient and Hessian of the barrier; the unknowns are the edges' weights, then s."""
    eigenvalues, vectors = np.linalg.eigh(_assemble(weights, edges, agents) - 1.0 / agents)
    along = vectors[edges[:, 0]] - vectors[edges[:, 1]]  # row e: a_e in the eigenvectors' basis
    above, below = 1.0 / (bound - eigenvalues), 1.0 / (bound + eigenvalues)  # the spectra of P and Q
    gradient = np.append(
        -(along**2) @ above + (along**2) @ below,
        sharpness - above.sum() - below.sum(),
    )
    unknowns = len(edges) + 1
    hessian = np.empty((unknowns, unknowns))
    hessian[:-1, :-1] = ((along * above) @ along.T) ** 2 + ((along * below) @ along.T) ** 2
    hessian[:-1, -1] = hessian[-1, :-1] = along**2 @ above**2 - along**2 @ below**2
    hessian[-1, -1] = (above**2).sum() + (below**2).sum()
    return gradient, hessian
