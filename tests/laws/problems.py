"""The problems on which the laws are tried: noisy quadratics, a logistic regression, and one without gradients."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from hypergossip.problems.quadratic import quadratic
from hypergossip.support.pytree import register_pytree
from numpy_methods.logistic import GROUPS, KAPPA, TAU

AGENTS, P, Q = 8, 3, 4
NOISE = 0.1
NETWORK = hg.networks.erdos_renyi(AGENTS, 0.4, seed=2)


def quadratic_problem(share: str, noise: float = NOISE, **more: Any) -> Any:
    """Heterogeneous noisy quadratics of one shape, so that one compilation serves every law."""
    return quadratic(AGENTS, P, Q, seed=3, noise=noise, share=share, **more)


class Coefficients:
    """The agents' gradients once more: h = dy g, and eq. 4 with the agent's own second derivatives, G.

    A series (K, step) takes the place of eq. 4's inverse.
    """

    def __init__(self, problem: Any, series: Any = None) -> None:
        fields = (np.asarray(getattr(problem.oracles, name), float) for name in "HBcFdae")
        self.H, self.B, self.c, self.F, self.d, self.a, self.e = fields
        self.inverse = np.linalg.inv(self.H)
        if series is not None:
            terms, step = series
            factor = np.eye(self.H.shape[-1]) - step * self.H
            self.inverse = step * sum(np.linalg.matrix_power(factor, k) for k in range(terms))

    def h(self, x: Any, y: Any) -> Any:
        """(n, p), (n, q) -> (n, q)."""
        return np.einsum("nij,nj->ni", self.H, y) - np.einsum("nij,nj->ni", self.B, x) - self.c

    def G(self, x: Any, y: Any) -> Any:
        """(n, p), (n, q) -> (n, p)."""
        z = np.einsum("nij,njk,nk->ni", self.inverse, self.F, y - self.d)
        return self.a * (x - self.e) + np.einsum("nij,ni->nj", self.B, z)

    def y_star(self, x: Any) -> Any:
        """(n, p) -> (n, q), each agent's own."""
        return np.linalg.solve(self.H, (np.einsum("nij,nj->ni", self.B, x) + self.c)[..., None])[..., 0]


def _cross_entropy(y: Any, batch: Any) -> Any:
    both = jnp.concatenate([y["one"], y["two"]])
    return jnp.mean(jax.nn.softplus(-batch["b"] * (batch["A"] @ both)))


def upper_loss(x: Any, y: Any, batch: Any) -> Any:
    """f of `numpy_methods.logistic`."""
    return _cross_entropy(y, batch) + KAPPA / 2 * jnp.mean(jnp.sum((x - batch["t"]) ** 2, axis=1))


def lower_loss(x: Any, y: Any, batch: Any) -> Any:
    """g of `numpy_methods.logistic`."""
    both = jnp.concatenate([y["one"], y["two"]])
    joint = jnp.mean((batch["A"] @ both) * (batch["u"] @ x))
    return _cross_entropy(y, batch) + TAU * joint + jnp.sum(jnp.exp(jnp.asarray(GROUPS, x.dtype) @ x) * both**2) / 2


def logistic_data(agents: int, ragged: bool = False) -> tuple[list[dict], list[dict]]:
    """One dict of upper and one of lower samples an agent, 12 and 10 of them, or fewer where ragged; all unlike."""
    random = np.random.default_rng(7)
    q, p = GROUPS.shape
    upper, lower = [], []
    for i in range(agents):
        for level, rows, name in ((upper, 12, "t"), (lower, 10, "u")):
            samples = rows - (i % 3 if ragged else 0)
            features = random.standard_normal((samples, q)) + 0.5 * random.standard_normal(q)
            labels = np.where(random.random(samples) < 0.3 + 0.05 * i, 1.0, -1.0)
            level.append({"A": features, "b": labels, name: random.standard_normal((samples, p)) + 0.2 * i})
    return upper, lower


def logistic_problem(
    share: str, agents: int = 5, batch_size: int | None = None, ragged: bool = False, **more: Any
) -> Any:
    """The logistic regression with its losses, y a pytree of two tasks."""
    upper, lower = logistic_data(agents, ragged)
    return hg.Problem(
        upper_loss,
        lower_loss,
        upper_data=upper,
        lower_data=lower,
        x0=np.array([0.3, -0.2]),
        y0={"one": np.array([0.5, -0.4]), "two": np.array([0.1])},
        share=share,
        batch_size=batch_size,
        **more,
    )


@register_pytree()
@dataclass(frozen=True)
class Still:
    """Oracles whose gradients vanish everywhere, g = |y|^2/2 in its curvature alone; `place` gives the agents' axis."""

    place: Any

    @property
    def full(self) -> "Still":
        return self

    def samples(self, upper: Any = 0, lower: Any = 0) -> Any:
        return upper + lower

    def upper_loss(self, x: Any, y: Any, key: Any) -> Any:
        return jnp.zeros((), x.dtype)

    def upper_gradients(self, x: Any, y: Any, key: Any) -> Any:
        return jnp.zeros_like(x), jnp.zeros_like(y)

    def lower_gradient(self, x: Any, y: Any, key: Any) -> Any:
        return jnp.zeros_like(y)

    def lower_gradients(self, x: Any, y: Any, key: Any) -> Any:
        return jnp.zeros_like(x), jnp.zeros_like(y)

    def hessian_product(self, x: Any, y: Any, key: Any) -> Any:
        return lambda v: v

    def jacobian_product(self, x: Any, y: Any, key: Any) -> Any:
        return lambda v: jnp.zeros_like(x)

    def project(self, x: Any) -> Any:
        return x


PRIVATE = 2  # of every level's entries in `still_problem`, the first two


def still_problem(share: str) -> Any:
    """A problem without gradients; each level that is shared keeps the leaf "mine" to its agents."""
    mine, ours = np.zeros(PRIVATE), np.zeros(3)
    flags = {"mine": False, "ours": True}
    levels = {"upper": ["upper"], "lower": ["lower"], "both": ["upper", "lower"]}[share]
    return hg.Problem.from_oracles(
        Still(jnp.arange(AGENTS)),
        x0={"mine": mine, "ours": ours},
        y0={"mine": mine, "ours": ours},
        share=dict.fromkeys(levels, flags),
    )
