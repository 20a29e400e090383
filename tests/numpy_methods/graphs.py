"""Mixing matrices and Laplacians from a list of edges."""

import numpy as np


def degrees(n: int, edges: np.ndarray) -> np.ndarray:
    """(n,) neighbours of every agent."""
    return np.bincount(np.ravel(edges), minlength=n)


def incidence(n: int, edges: np.ndarray) -> np.ndarray:
    """A (edges, n): +1 at one end of an edge and -1 at the other, so that A'A is the Laplacian."""
    A = np.zeros((len(edges), n))
    for row, (i, j) in enumerate(edges):
        A[row, i], A[row, j] = 1.0, -1.0
    return A


def weighted_incidence(W: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """A with A'A = I - W: an edge weighs what its agents weigh each other."""
    return np.sqrt([W[i, j] for i, j in edges])[:, None] * incidence(len(W), edges)


def metropolis(n: int, edges: np.ndarray) -> np.ndarray:
    """W_ij = 1 / (1 + max(d_i, d_j)) on edges."""
    d, W = degrees(n, edges), np.zeros((n, n))
    for i, j in edges:
        W[i, j] = W[j, i] = 1 / (1 + max(d[i], d[j]))
    return W + np.diag(1 - W.sum(axis=1))


def laplacian_weights(n: int, edges: np.ndarray) -> np.ndarray:
    """W = I - 2 L / (3 l_max)."""
    L = incidence(n, edges).T @ incidence(n, edges)
    return np.eye(n) - 2 * L / (3 * np.linalg.eigvalsh(L)[-1])


def pull_and_push(n: int, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A and B of a directed graph with edges (sender, receiver).

    Agent i gives itself and each of its senders one weight, and agent j itself and each of its receivers one share.
    """
    A, B = np.eye(n), np.eye(n)
    for sender, receiver in edges:
        A[receiver, sender] = B[receiver, sender] = 1.0
    for i in range(n):
        A[i] /= sum(A[i])
        B[:, i] /= sum(B[:, i])
    return A, B
