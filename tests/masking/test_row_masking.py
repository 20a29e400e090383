"""A loss on the first rows of padded data is the loss on these rows: value, gradient and second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypergossip.core.agent_data.masking import CannotMask, on_own_rows
from hypergossip.core.agent_data.masking.programs import run
from hypergossip.core.agent_data.masking.rows import Rows
from masking.losses import MASKED, NOT_MASKED

OWN = 5
RANDOM = np.random.default_rng(0)
BATCH = {"a": RANDOM.standard_normal((OWN, 3)), "c": np.array([0, 1, 0, 1, 1], np.int32)}
PADDED = jax.tree.map(lambda leaf: jnp.asarray(leaf[np.arange(8) % OWN]), BATCH)
Y, V = RANDOM.standard_normal((2, 3, 2))


def derivatives(loss, y):
    """Value, gradient and Hessian product; the last two of losses that are differentiated forwards and backwards."""
    gradient = jax.grad(loss)
    return loss(y), gradient(y), jax.jvp(gradient, (y,), (jnp.asarray(V),))[1]


@pytest.mark.parametrize("loss", MASKED.values(), ids=MASKED)
def test_the_padding_has_no_part_in_it(loss):
    three = lambda x, y, batch: loss(y, batch)
    both = jax.jit(
        lambda y, own: (
            derivatives(lambda y: on_own_rows(three, 0.0, y, PADDED, own), y),
            derivatives(lambda y: loss(y, jax.tree.map(jnp.asarray, BATCH)), y),
        )
    )
    ours, theirs = both(jnp.asarray(Y), jnp.asarray(OWN))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12 * (1 + np.abs(other).max()))
    assert np.abs(theirs[0]) > 1e-3


@pytest.mark.parametrize("loss", NOT_MASKED.values(), ids=NOT_MASKED)
def test_what_no_rule_covers_is_refused(loss):
    with pytest.raises(CannotMask):
        jax.eval_shape(lambda own: on_own_rows(lambda x, y, b: loss(y, b), 0.0, jnp.asarray(Y), PADDED, own), OWN)


@pytest.mark.parametrize(
    "function",
    [
        lambda a: jnp.concatenate([a, a]),
        lambda a: a[::2],
        lambda a: jnp.pad(a, ((1, 0), (0, 0))),
        lambda a: jnp.flip(a, axis=0),
        lambda a: jnp.tile(a, (2, 1)),
        lambda a: jax.lax.reduce_window(a, 0.0, jax.lax.add, (2, 1), (1, 1), "VALID"),
        lambda a: jnp.fft.fft(a, axis=0).real,
        lambda a: jnp.linalg.cholesky(a @ a.T + jnp.eye(a.shape[0])),
    ],
    ids=["concatenate", "stride", "pad", "flip", "tile", "windows", "fft", "cholesky"],
)
def test_operations_along_the_rows_are_refused(function):
    (n,) = jax.export.symbolic_shape("n")
    try:
        program = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((n, 3), np.float64))
    except Exception:
        pytest.skip("JAX itself does not trace this with a symbolic number of rows")
    with pytest.raises(CannotMask):
        run(program, [jnp.ones((8, 3))], Rows(8, 5))
