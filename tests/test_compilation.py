"""The programs that hold users' losses are compiled rightly by the installed version of XLA."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from haste import USERS
from hypergossip.compilation import compiled

pytestmark = pytest.mark.skipif(USERS not in os.environ, reason="test_users_compiler.py runs it, compiled as for users")


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5])
def test_products_with_constants_of_equal_entries(value: float) -> None:
    A = np.random.default_rng(0).standard_normal((3, 240, 64)).astype(np.float32)
    for turn in range(4):  # where it goes wrong it does so in some compilations only
        product = compiled()(lambda A, turn=turn: A @ jnp.full((64, 10), value, jnp.float32) + jnp.float32(turn))
        np.testing.assert_allclose(product(A), A.astype(float) @ np.full((64, 10), value) + turn, atol=1e-4)


def test_a_loss_with_a_constant_in_it_runs_and_is_measured() -> None:
    """The prior's logits are a constant matrix of equal entries, times each agent's data."""
    random = np.random.default_rng(1)
    data = random.standard_normal((3, 64, 12)).astype(np.float32)

    def lower(x, y, batch):
        return jnp.mean((batch @ (y - jnp.ones((12, 4), y.dtype))) ** 2) / 2 + jnp.exp(x[0]) * jnp.sum(y**2) / 2

    with jax.enable_x64(False):
        problem = hg.Problem(
            lambda x, y, batch: lower(0 * x, y, batch),
            lower,
            upper_data=data,
            lower_data=data,
            x0=np.zeros(1),
            y0=np.zeros((12, 4)),
        )
        algorithm = hg.Interact(0.1, 0.3)
        history = hg.solve(algorithm, problem, hg.networks.ring(3), rounds=50, observe_every=50).history
        check = hg.check_hypergradient(problem, hg.Exact(), draws=1)
    start = np.zeros((3, 48))
    for i, A in enumerate(data.astype(float)):
        M = A.T @ A / (64 * 4)
        start[i] = np.linalg.solve(M + np.eye(12), M @ np.ones((12, 4))).ravel()
    np.testing.assert_allclose(history["lower_error"].iloc[0], (start**2).sum(), rtol=1e-5)
    assert history["metric"].iloc[-1] < 1e-4 * history["metric"].iloc[0]
    assert check.relative_error < 1e-6
