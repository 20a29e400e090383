"""Small problems that several test files share, and statistics of draws."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from hypergossip.running.run import begin

Q = 3


START = {"x0": {"decay": np.zeros(Q), "tilt": np.zeros(1)}, "y0": {"weights": np.zeros(Q), "intercept": 0.0}}


def lower(x: Any, y: Any, batch: Any) -> Any:
    """Logistic regression with a learnt weight on each coefficient and a learnt tilt of the intercept."""
    margin = batch["label"] * (batch["features"] @ y["weights"] + y["intercept"])
    regulariser = 0.5 * jnp.sum(jnp.exp(x["decay"]) * y["weights"] ** 2) + 0.5 * y["intercept"] ** 2
    return jnp.mean(jax.nn.softplus(-margin)) + regulariser + x["tilt"][0] * y["intercept"]


def upper(x: Any, y: Any, batch: Any) -> Any:
    """The same regression on other samples, with a target for x so that it has a minimum."""
    margin = batch["label"] * (batch["features"] @ y["weights"] + y["intercept"])
    distance = jnp.sum(x["decay"] ** 2) + jnp.sum((x["tilt"] - 0.3) ** 2)
    return jnp.mean(jax.nn.softplus(-margin)) + 0.1 * distance


def rows(count: int, seed: int) -> dict[str, np.ndarray]:
    """One agent's samples, features (count, Q) and labels -1 or 1 (count,)."""
    random = np.random.default_rng(seed)
    features = random.standard_normal((count, Q))
    label = np.where(features @ np.linspace(1, -1, Q) + 0.5 * random.standard_normal(count) > 0, 1.0, -1.0)
    return {"features": features, "label": label}


def logistic(counts: tuple[int, ...] = (12, 12, 12), seed: int = 0, **options: Any) -> hg.Problem:
    """A network of logistic regressions; agent i holds counts[i] upper samples and one more of the lower."""
    return hg.Problem(
        upper,
        lower,
        upper_data=[rows(count, 100 * seed + i) for i, count in enumerate(counts)],
        lower_data=[rows(count + 1, 100 * seed + 50 + i) for i, count in enumerate(counts)],
        **(START | options),
    )


def logistic_by_hand(data: dict, x: np.ndarray, y: np.ndarray) -> tuple:
    """g, dy g, d2yy g and d2xy g of `lower`; flat x is (decay, tilt), flat y (intercept, weights)."""
    A = np.column_stack([np.ones(len(data["label"])), data["features"]])
    margin = data["label"] * (A @ y)
    sigma = 1 / (1 + np.exp(margin))
    weight = np.concatenate([[1.0], np.exp(x[:3])])
    value = np.logaddexp(0, -margin).mean() + 0.5 * weight @ y**2 + x[3] * y[0]
    gradient = -(A * (data["label"] * sigma)[:, None]).mean(0) + weight * y + np.array([x[3], 0, 0, 0])
    hessian = (A.T * (sigma * (1 - sigma))) @ A / len(A) + np.diag(weight)
    cross = np.zeros((4, 4))
    cross[[0, 1, 2], [1, 2, 3]] = weight[1:] * y[1:]
    cross[3, 0] = 1.0
    return value, gradient, hessian, cross


def point(problem: hg.Problem, seed: int = 0) -> tuple[Any, Any]:
    """A random (x, y), flat."""
    random = np.random.default_rng(seed)
    return tuple(jnp.asarray(random.standard_normal(v.size), v.dtype) for v in (problem.x0, problem.y0))


def surprise(counts: Any, expected: Any) -> float:
    """Pearson's chi-square as standard deviations above its mean; above 5 no fair draw ever is."""
    counts, expected = np.ravel(counts), np.broadcast_to(expected, np.shape(counts)).ravel()
    freedom = counts.size - 1
    return float((np.sum((counts - expected) ** 2 / expected) - freedom) / np.sqrt(2 * freedom))


def advance(algorithm: Any, problem: hg.Problem, network: Any, rounds: int, seed: int = 0) -> tuple[Any, Any]:
    """The state after so many rounds and the costs, leaves (agents, ...), without the metrics of `solve`."""
    run, carry = begin(hg.Simulated(), algorithm, False, problem, network, np.array([seed]), None)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[0], run.session.advance(carry.state, 0, rounds))


ALGORITHM, RING = hg.Diamond(0.1, 0.2, 0.3, 0.3, hg.Neumann(5, 4.0)), hg.networks.ring(3)


def small_run(**options: Any) -> hg.Result:
    """Runs DIAMOND on small noisy quadratics of three agents, without the checks before a run."""
    problem = hg.problems.quadratic(3, 2, 2, seed=0, noise=0.1)
    return hg.solve(ALGORITHM, problem, RING, **({"check": False} | options))


def dense(agent: Any, x: Any, y: Any) -> tuple[np.ndarray, ...]:
    """dx f, dy f, d2yy g and d2xy g of one agent of `quadratic`, as matrices."""
    o = jax.tree.map(np.asarray, agent)
    return o.a * (np.asarray(x) - o.e), o.F @ (np.asarray(y) - o.d), o.H, -o.B.T
