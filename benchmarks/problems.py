"""The problems that the benchmarks run on."""

import jax.numpy as jnp
import numpy as np

import hypergossip as hg


def logistic(
    agents: int,
    samples: int = 1000,
    features: int = 22,
    batch_size: int = 64,
    sampling: str = "iid",
    seed: int = 0,
    share: str = "upper",
) -> hg.Problem:
    """Binary logistic regression with one regularisation weight a feature: x and y have `features` entries each."""
    random = np.random.default_rng(seed)
    a = random.standard_normal((agents, samples, features)).astype(np.float32)
    b = np.sign(random.standard_normal((agents, samples))).astype(np.float32)

    def upper(x, y, batch):
        return jnp.mean(jnp.logaddexp(0.0, -batch["b"] * (batch["a"] @ y)))

    def lower(x, y, batch):
        return upper(x, y, batch) + jnp.mean(jnp.exp(x) * y * y)

    data = {"a": a, "b": b}
    zero = jnp.zeros(features)
    settings = {"batch_size": batch_size, "sampling": sampling, "share": share}
    return hg.Problem(upper, lower, upper_data=data, lower_data=data, x0=zero, y0=zero, **settings)


def diamond(terms: int = 10, lipschitz: float = 6.0, shared_batch: bool = False) -> hg.Diamond:
    """DIAMOND as the benchmarks run it."""
    return hg.Diamond(0.01, 0.1, 0.1, 0.1, hg.Neumann(terms, lipschitz, shared_batch))
