"""The programs that hold users' losses are compiled rightly by the installed version of XLA."""

import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
import pytest

import hypergossip as hg
from fast_compile import USERS
from hypergossip.support.compilation import AFFECTED, compiled

as_for_users = pytest.mark.skipif(
    USERS not in os.environ, reason="programs/test_users_compiler.py runs it, compiled as for users"
)
SHAPES = {"single": (1000, 784), "batch": (3, 1000, 784)}  # of A: MNIST's size
CLASSES = 10
COMPILATIONS = 10  # the fault is in more than half of them, where there is one


def wrong_compilations(decorator: Callable, shape: tuple[int, ...]) -> Any:
    """Yields for each compilation whether the log-softmax of A @ zeros is wrong; it is minus the log of the classes."""
    A = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for turn in range(COMPILATIONS):

        @decorator
        def logarithms(A: Any, turn: int = turn) -> Any:
            zeros = jnp.zeros((shape[-1], CLASSES), jnp.float32)
            return jax.nn.log_softmax(A @ zeros) + jnp.float32(turn)  # another program at every turn

        yield not np.allclose(logarithms(A), turn - np.log(CLASSES), atol=1e-3)


@as_for_users
@pytest.mark.parametrize("quickly", [False, True], ids=["optimised", "quickly"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_log_softmax_of_products_with_zeros(shape: str, quickly: bool) -> None:
    assert not any(wrong_compilations(compiled(quickly=quickly), SHAPES[shape]))


@as_for_users
@pytest.mark.skipif(jaxlib.version.__version__ not in AFFECTED, reason="not listed as affected")
@pytest.mark.parametrize("shape", SHAPES)
def test_the_fault_is_there_where_it_is_worked_round(shape: str) -> None:
    """If this fails, the version belongs no longer into `AFFECTED`, or the test above sees nothing."""
    assert any(wrong_compilations(jax.jit, SHAPES[shape]))


@as_for_users
@pytest.mark.parametrize("value", [0.0, 1.0, -2.5])
def test_products_with_constants_of_equal_entries(value: float) -> None:
    A = np.random.default_rng(0).standard_normal((3, 240, 64)).astype(np.float32)
    for turn in range(4):  # where it goes wrong it does so in some compilations only
        product = compiled()(lambda A, turn=turn: A @ jnp.full((64, 10), value, jnp.float32) + jnp.float32(turn))
        np.testing.assert_allclose(product(A), A.astype(float) @ np.full((64, 10), value) + turn, atol=1e-4)


@as_for_users
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
        options = {"rounds": 50, "observe_every": 50, "check": False, "measure": ("lower_error", "metric")}
        history = hg.solve(algorithm, problem, hg.networks.ring(3), **options).history
        check = hg.check_hypergradient(problem, hg.Exact(), draws=1)
    start = np.zeros((3, 48))
    for i, A in enumerate(data.astype(float)):
        M = A.T @ A / (64 * 4)
        start[i] = np.linalg.solve(M + np.eye(12), M @ np.ones((12, 4))).ravel()
    np.testing.assert_allclose(history["lower_error"].iloc[0], (start**2).sum(), rtol=1e-5)
    assert history["metric"].iloc[-1] < 1e-4 * history["metric"].iloc[0]
    assert check.relative_error < 1e-6


@as_for_users
def test_engines_agree_and_stopped_and_resumed_is_never_stopped_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, network = hg.problems.quadratic(6, noise=0.1), hg.networks.ring(6)
    algorithm = hg.Diamond(0.05, 0.1, 0.5, 0.5, hg.Neumann(3, 6.0))
    ended = []
    for engine in (hg.Simulated(), hg.Sharded(devices=2)):
        settings: Any = {"observe_every": 4, "engine": engine, "check": False, "measure": "upper_loss"}
        folder = tmp_path / type(engine).__name__
        with monkeypatch.context() as patch:
            whole = hg.solve(algorithm, problem, network, rounds=11, **settings)
            patch.setattr("hypergossip.running.solve.FIRST_CHUNK", 3)  # other chunks than the whole run has
            hg.solve(algorithm, problem, network, rounds=7, checkpoint=folder, **settings)
            resumed = hg.solve(algorithm, problem, network, rounds=11, checkpoint=folder, **settings)
        for one, other in zip(whole.saved.leaves, resumed.saved.leaves, strict=True):
            np.testing.assert_array_equal(one, other)
        assert whole.history["upper_loss"].iloc[-1] == resumed.history["upper_loss"].iloc[-1]
        ended.append(whole.x)
    np.testing.assert_allclose(*ended, rtol=0, atol=1e-10)


WITHOUT_LOSSES = {
    "support/compilation.py",  # `compiled` itself
    "engines/arrays.py",  # is a state finite?
    "core/random_keys.py",  # hashes
    "engines/teams.py",  # runs are split, and put together again
    "running/fingerprint.py",  # one agent's program is traced for its fingerprint, and never compiled
    "engines/over_time.py",  # links that a network has in each round are counted
    "engines/links.py",  # the stages of a channel, which are in a program compiled by `compiled` except under `Debug`
    "core/messages.py",  # a round is traced for what it sends, and never compiled
}


def test_nothing_else_compiles_what_users_give() -> None:
    """The source has `jax.jit` only where no user's function can be inside."""
    source = Path(hg.__file__).parent
    found = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            attribute = isinstance(node, ast.Attribute) and node.attr in ("jit", "pjit", "pmap")
            imported = isinstance(node, ast.ImportFrom) and any(
                name.name in ("jit", "pjit", "pmap") for name in node.names
            )
            if attribute or imported:
                found.add(str(path.relative_to(source)))
    assert found == WITHOUT_LOSSES
