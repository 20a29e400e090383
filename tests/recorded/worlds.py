"""The problems and networks of what is recorded: quadratics, a regression on unequal agents, and two games."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from hypergossip.problems import actor_critic

NOISE = 0.1
NETWORKS = {
    8: hg.networks.erdos_renyi(8, 0.4, seed=2),
    5: hg.networks.star(5),
    3: hg.networks.path(3),
}


@cache
def quadratic(agents: int, share: str, noise: float) -> Any:
    """Heterogeneous quadratics; with noise a key is a sample."""
    return hg.problems.quadratic(agents, 3, 4, seed=3, noise=noise, share=share)


def _cross_entropy(y: Any, batch: Any) -> Any:
    both = jnp.concatenate([y["one"], y["two"]])
    return jnp.mean(jax.nn.softplus(-batch["b"] * (batch["A"] @ both)))


def upper_loss(x: Any, y: Any, batch: Any) -> Any:
    """A mean over rows."""
    return _cross_entropy(y, batch) + 0.35 * jnp.mean(jnp.sum((x - batch["t"]) ** 2, axis=1))


def lower_loss(x: Any, y: Any, batch: Any) -> Any:
    """A mean over rows, strongly convex by the x that weighs the penalty of y."""
    both = jnp.concatenate([y["one"], y["two"]])
    joint = jnp.mean((batch["A"] @ both) * (batch["u"] @ x))
    weights = jnp.exp(jnp.stack([x[0], 0.3 * x[0] - 0.8 * x[1], 0.6 * x[1] - 0.5 * x[0]]))
    return _cross_entropy(y, batch) + 0.4 * joint + jnp.sum(weights * both**2) / 2


@cache
def regression(share: str, batch_size: int | None) -> Any:
    """A logistic regression of five agents with 10 to 12 upper and 8 to 10 lower rows, y a tree of two leaves."""
    random = np.random.default_rng(7)
    levels: list[list[dict]] = [[], []]
    for i in range(5):
        for level, most, name in zip(levels, (12, 10), ("t", "u"), strict=True):
            rows = most - i % 3
            labels = np.where(random.random(rows) < 0.3 + 0.05 * i, 1.0, -1.0)
            own = random.standard_normal((rows, 2)) + 0.2 * i
            level.append({"A": random.standard_normal((rows, 3)), "b": labels, name: own})
    return hg.Problem(
        upper_loss,
        lower_loss,
        upper_data=levels[0],
        lower_data=levels[1],
        x0=np.array([0.3, -0.2]),
        y0={"one": np.array([0.5, -0.4]), "two": np.array([0.1])},
        share=share,
        batch_size=batch_size,
    )


@cache
def navigation() -> Any:
    """Three agents who play, sampled: policies of their own above, one critic and model of the reward below."""
    game = actor_critic.navigation(3, horizon=4)
    actor, critic, model = (actor_critic.FullyConnected((4,)) for _ in range(3))
    return actor_critic.actor_critic(
        game, actor=actor, critic=critic, reward_model=model, episodes=2, test_episodes=2, seed=1
    )


@cache
def tabular() -> Any:
    """Three agents in a small process, every step exactly expected: nothing is drawn."""
    process = actor_critic.networked_process(3, 2, 2, seed=4)
    return actor_critic.tabular(process, horizon=5, share="lower")
