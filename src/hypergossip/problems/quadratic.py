"""Heterogeneous noisy quadratics with closed forms of the lower solution, the hypergradient and the optimum."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Count, Lower, Sample, Upper, Vector
from hypergossip.core.problem import Problem, Share
from hypergossip.data.seeding import generator
from hypergossip.support.arguments import check_numbers, whole_number
from hypergossip.support.pytree import register_pytree
from hypergossip.support.renamed import renamed_arguments

SMALL_MATRIX = 512  # entries
SHORT_ROW = 16  # XLA adds longer rows in two passes, the first of which holds all products in memory


@register_pytree("exact")
@dataclass(frozen=True)
class QuadraticOracles:
    """One agent's quadratic, with derivatives by formulas instead of automatic differentiation.

    g(x, y) = y'H y / 2 - y'(B x + c), so y*(x) = H^-1 (B x + c);
    f(x, y) = (y - d)'F (y - d) / 2 + (x - e)' diag(a) (x - e) / 2.
    A key adds Gaussian noise to each gradient, the same at every point; second derivatives are exact.

    Attributes:
        H: A positive definite matrix, (q, q).
        B: A matrix, (q, p).
        c: A vector, (q,).
        F: A positive semidefinite matrix, (q, q).
        d: A vector, (q,).
        a: A positive vector, (p,).
        e: A vector, (p,).
        noise: The standard deviation of the noise in each entry of a gradient; None in `full`, which has no noise.
        exact: Whether the standard deviation is known to be zero, so that no noise is drawn.
    """

    H: Any
    B: Any
    c: Any
    F: Any
    d: Any
    a: Any
    e: Any
    noise: Any
    exact: bool = False

    @property
    def full(self) -> "QuadraticOracles":
        """The same quadratic without noise."""
        return QuadraticOracles(self.H, self.B, self.c, self.F, self.d, self.a, self.e, None)

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the number of keys: each is one sample."""
        return upper + lower

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Returns f(x, y; key)."""
        noise_x, noise_y = self._upper_noise(x, y, key)
        rest_y, rest_x = y - self.d, x - self.e
        return rest_y @ _product(self.F, rest_y) / 2 + rest_x @ (self.a * rest_x) / 2 + noise_x @ x + noise_y @ y

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx f, dy f) at (x, y; key)."""
        noise_x, noise_y = self._upper_noise(x, y, key)
        return self.a * (x - self.e) + noise_x, _product(self.F, y - self.d) + noise_y

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns dy g at (x, y; key)."""
        return _product(self.H, y) - _product(self.B, x) - self.c + self._noise(key, y)

    def lower_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx g, dy g) at (x, y; key); dx g = -B'y is exact."""
        return -_product(self.B.T, y), self.lower_gradient(x, y, key)

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns v -> H v."""
        return lambda v: _product(self.H, v)

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns v -> d2xy g v = -B' v."""
        return lambda v: -_product(self.B.T, v)

    def project(self, x: Upper) -> Upper:
        """Returns x, because there is no constraint."""
        return x

    def _upper_noise(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        key_x, key_y = jax.random.split(key)
        return self._noise(key_x, x), self._noise(key_y, y)

    def _noise(self, key: Sample, like: Vector) -> Vector:
        if self.noise is None or self.exact:
            return jnp.zeros_like(like)
        return self.noise * jax.random.normal(key, like.shape, like.dtype)


def _product(matrix: Float[Array, "rows columns"], vector: Float[Array, "columns"]) -> Float[Array, "rows"]:
    """Returns the product of a matrix and a vector, without a matrix product if the matrix is small.

    For several seeds, or two points, XLA on a CPU calls a general matrix product for each agent, which takes 550 ns
    for a 4 x 4 matrix and two vectors. Products and sums take 15 ns.
    """
    if matrix.size > SMALL_MATRIX or matrix.shape[1] > SHORT_ROW:
        return matrix @ vector
    return (matrix * vector).sum(axis=-1)


class Solution(NamedTuple):
    """The closed-form solution of a network of quadratics.

    Attributes:
        x: The minimiser of l, (p,).
        y: The lower solutions at x, (agents, q); all are equal if the lower level is shared.
        lower_solution: A function that maps x, (p,), to y*(x), (agents, q).
        hypergradient: A function that maps x, (p,), to grad l(x), (p,).
    """

    x: np.ndarray
    y: np.ndarray
    lower_solution: Callable[[np.ndarray], np.ndarray]
    hypergradient: Callable[[np.ndarray], np.ndarray]


@renamed_arguments(unlike="heterogeneity", unlike_curvature="curvature_heterogeneity")
def quadratic(
    agents: int,
    upper_dimension: int = 5,
    lower_dimension: int = 4,
    *,
    seed: int = 0,
    heterogeneity: float = 1.0,
    curvature_heterogeneity: float | None = None,
    noise: float = 0.0,
    share: Share = "upper",
    observe: Any = None,
) -> Problem:
    """Makes a network of quadratics.

    Args:
        agents: The number of agents n.
        upper_dimension: The dimension p of x.
        lower_dimension: The dimension q of y.
        seed: The seed of the coefficients.
        heterogeneity: The heterogeneity of the agents' linear terms: 0 makes them equal, 1 makes them independent.
        curvature_heterogeneity: The heterogeneity of H, B, F and a; None uses `heterogeneity`.
        noise: The standard deviation of the noise in each entry of each gradient.
        share: The variables on which the network agrees, as for `Problem`.
        observe: As for `Problem`.

    Returns:
        The problem; `solution` returns its closed form. Curvatures are between 1 and 4 at both levels.

    Raises:
        ValueError: If a number is outside its range.
    """
    random = generator(seed)
    curvature = heterogeneity if curvature_heterogeneity is None else curvature_heterogeneity
    agents = whole_number("agents", agents, 1)
    p, q = whole_number("upper_dimension", upper_dimension, 1), whole_number("lower_dimension", lower_dimension, 1)
    check_numbers(heterogeneity=heterogeneity, curvature_heterogeneity=curvature, noise=noise)
    for name, value in (("heterogeneity", heterogeneity), ("curvature_heterogeneity", curvature)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; give a number from 0, for equal agents, to 1, for independent ones.")
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise is {noise}; it is a standard deviation, so give a finite number, 0 or more.")

    def drawn(amount: float, *shape: int) -> np.ndarray:
        common = random.standard_normal(shape)
        return (1 - amount) * common + amount * random.standard_normal((agents, *shape))

    def between_one_and(top: float, roots: np.ndarray) -> np.ndarray:
        squares = roots @ np.swapaxes(roots, -1, -2)
        largest = np.linalg.eigvalsh(squares).max(-1)[..., None, None]
        return np.eye(q) + (top - 1) * squares / largest

    # Heterogeneity mixes an agent's own coefficients with common ones, so the curvatures keep their bounds.
    oracles = QuadraticOracles(
        H=jnp.asarray(between_one_and(4.0, drawn(curvature, q, q))),
        B=jnp.asarray(drawn(curvature, q, p) / np.sqrt(p)),
        c=jnp.asarray(drawn(heterogeneity, q)),
        F=jnp.asarray(between_one_and(2.0, drawn(curvature, q, q))),
        d=jnp.asarray(drawn(heterogeneity, q)),
        a=jnp.asarray(1.0 + np.tanh(drawn(curvature, p)) ** 2),
        e=jnp.asarray(drawn(heterogeneity, p)),
        noise=jnp.full(agents, noise, jnp.result_type(float)),
        exact=noise == 0,
    )
    oracles = jax.tree.map(lambda leaf: leaf.astype(jnp.result_type(float)), oracles)
    return Problem.from_oracles(oracles, x0=jnp.zeros(p), y0=jnp.zeros(q), share=share, observe=observe)


def solution(problem: Problem) -> Solution:
    """Returns the closed form of a problem made by `quadratic`, in float64.

    Args:
        problem: The problem. Its upper level is shared completely, and its lower level completely or not at all.

    Raises:
        ValueError: If the problem is not a network of quadratics, or a level is shared in part.
    """
    if not isinstance(problem.oracles, QuadraticOracles):
        raise ValueError("only problems made by problems.quadratic have a closed form.")
    if not all(problem.upper.shared) or len(set(problem.lower.shared)) > 1:
        raise ValueError(
            "the closed form requires a shared upper level, and a lower level that is shared completely or not at all."
        )
    o = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), problem.oracles)
    n = problem.agents
    # y*(x) = S x + s for each agent. A shared lower level uses the means of H, B and c for every agent.
    H, B, c = o.H, o.B, o.c
    if all(problem.lower.shared):
        H, B, c = (np.broadcast_to(m.mean(0), m.shape) for m in (H, B, c))
    S, s = np.linalg.solve(H, B), np.linalg.solve(H, c[..., None])[..., 0]
    # grad l(x) = mean_i [a (x - e) + S' F (S x + s - d)].
    A = (np.einsum("np,pr->npr", o.a, np.eye(o.a.shape[1])) + np.einsum("nqp,nqr,nrs->nps", S, o.F, S)).mean(0)
    b = (o.a * o.e - np.einsum("nqp,nqr,nr->np", S, o.F, s - o.d)).mean(0)
    x = np.linalg.solve(A, b)

    def lower_solution(x: np.ndarray) -> np.ndarray:
        return S @ x + s

    return Solution(x, lower_solution(x).reshape(n, -1), lower_solution, lambda x: A @ x - b)
