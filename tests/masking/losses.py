"""Losses of the kinds that users bring: f(y, batch) on rows "a" (rows, 3) with classes "c" (rows,), y (3, 2)."""

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg

RARE = (1.0, 9.0)


def agent(rows, seed):
    """The rows of one agent."""
    random = np.random.default_rng(seed)
    return {"a": random.standard_normal((rows, 3)), "c": random.permutation(np.arange(rows) % 2).astype(np.int32)}


def agents(sizes, first=0):
    return [agent(rows, seed) for seed, rows in enumerate(sizes, first)]


def problem(loss, data, upper_data=None, **options):
    """A problem with one loss at both levels, y near x in the lower one, and that lower loss."""
    lower = lambda x, y, b: loss(y, b) + 2 * jnp.sum((y - x) ** 2)
    data = {"upper_data": data if upper_data is None else upper_data, "lower_data": data}
    start = {"x0": np.zeros((3, 2)), "y0": np.zeros((3, 2))}
    return hg.Problem(lambda x, y, b: loss(y, b), lower, **(data | start | options)), lower


def logits(y, b):
    return b["a"] @ y


def nll(y, b):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits(y, b)), b["c"][:, None], axis=1)[:, 0]


def mean(y, b):
    return jnp.mean(nll(y, b))


def total(y, b):
    return jnp.sum(nll(y, b))


def class_weighted(y, b):
    weight = jnp.asarray(RARE)[b["c"]]
    return jnp.sum(weight * nll(y, b)) / jnp.sum(weight)


def masked(y, b):
    seen = (b["c"] == 1).astype(y.dtype)
    return jnp.sum(seen * nll(y, b)) / jnp.sum(seen)


def batch_normalised(y, b):
    h = logits(y, b)
    return jnp.mean(jax.nn.relu((h - h.mean(0)) / jnp.sqrt(h.var(0) + 1e-2)) ** 2)


def contrastive(y, b):
    z = logits(y, b)
    z = z / jnp.linalg.norm(z, axis=1, keepdims=True)
    itself = jnp.eye(z.shape[0], dtype=bool)
    likelihood = jax.nn.log_softmax(jnp.where(itself, -jnp.inf, z @ z.T))
    positive = (b["c"][:, None] == b["c"][None]) & ~itself
    return -jnp.sum(jnp.where(positive, likelihood, 0.0)) / jnp.sum(positive, dtype=y.dtype)


def mean_of_classes(y, b):
    sums, counts = jnp.zeros(2, y.dtype).at[b["c"]].add(nll(y, b)), jnp.zeros(2, y.dtype).at[b["c"]].add(1.0)
    return jnp.mean(sums / counts)


def cox(y, b):
    risk = logits(y, b)[:, 0][jnp.argsort(-b["a"][:, 0])]
    return jnp.mean(jnp.log(jnp.cumsum(jnp.exp(risk))) - risk)


def recurrent(y, b):
    cell = lambda h, row: (jnp.tanh(h + row @ y), jnp.sum(h))
    last, outputs = jax.lax.scan(cell, jnp.zeros(2, y.dtype), b["a"])
    return jnp.sum(last) + jnp.mean(outputs)


def recurrent_backwards(y, b):
    return jnp.sum(
        jax.lax.scan(lambda h, row: (jnp.tanh(h + row @ y), None), jnp.ones(2, y.dtype), b["a"], reverse=True)[0]
    )


def iterated(y, b):
    more = lambda i, s: s + jnp.sum(jnp.tanh(s * logits(y, b))) / b["a"].shape[0]
    return jax.lax.fori_loop(0, 3, more, jnp.ones((), y.dtype))


def searched(y, b):
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(logits(y, b))))
    halve = lambda s: s / 2 + 0 * jnp.mean(jax.lax.stop_gradient(logits(y, b)))
    return jax.lax.while_loop(lambda s: s > 0.01 * b["a"].shape[0], halve, largest) * mean(y, b)


def of_single_rows(y, b):
    return jnp.mean(jax.vmap(lambda row, label: jnp.sum((row @ y)[label] ** 2))(b["a"], b["c"]))


def correlated(y, b):
    z = logits(y, b) - logits(y, b).mean(0)
    covariance = z.T @ z / (z.shape[0] - 1)
    return jnp.sum(covariance**2) + jnp.linalg.slogdet(covariance + jnp.eye(2, dtype=y.dtype))[1]


def area_under_curve(y, b):
    score, positive = logits(y, b)[:, 0], b["c"] == 1
    pairs = positive[:, None] & ~positive[None]
    return jnp.sum(jnp.where(pairs, jax.nn.sigmoid(score[None] - score[:, None]), 0.0)) / jnp.sum(pairs, dtype=y.dtype)


def convolutional(y, b):
    images = b["a"][:, None, :, None] * jnp.ones((1, 1, 3, 4), y.dtype)
    seen = jax.lax.conv(images, jnp.ones((2, 1, 2, 2), y.dtype) * y[0, 0], (1, 1), "SAME")
    pooled = jax.lax.reduce_window(seen, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return jnp.mean(pooled**2) + mean(y, b)


def beyond_the_last_row(y, b):
    z, there = logits(y, b), b["c"] * 100  # as in lists of neighbours that are filled up
    # JAX's derivative of a plain index beyond the last row is not that of its value.
    plain, clipped = jax.lax.stop_gradient(z)[there], jnp.take(z, there, axis=0, mode="clip")
    filled = z.at[there].get(mode="fill", fill_value=0.3)
    return jnp.sum(plain**2) + jnp.sum(clipped**3) + jnp.sum(filled**2)


# Losses of the logits z (rows, 2).
OF_LOGITS = {
    "info_nce": lambda z, b: -jnp.mean(jnp.diag(jax.nn.log_softmax(z @ z.T))),
    "own_column": lambda z, b: jnp.mean(
        jnp.take_along_axis(jax.nn.log_softmax(z @ z.T), jnp.arange(z.shape[0])[:, None], axis=1)
    ),
    "median": lambda z, b: jnp.median(z[:, 0]),
    "quantile": lambda z, b: jnp.quantile(z[:, 0], 0.3),
    "backwards": lambda z, b: jnp.mean(jax.lax.cumsum(z[:, 0], reverse=True) ** 2),
    "autoregressive": lambda z, b: jnp.mean((z[1:] - z[:-1]) ** 2),
    "ends": lambda z, b: jnp.sum(z[0] ** 2) + jnp.sum(z[-1] ** 3),
    "branching": lambda z, b: jax.lax.cond(
        jnp.mean(z) > 0, lambda z: jnp.mean(z**2), lambda z: jnp.mean(jnp.exp(z)), z
    ),
    "flattened": lambda z, b: jnp.mean(jnp.abs(z.reshape(-1)) ** 1.5),
    "own_derivatives": lambda z, b: jnp.mean(
        jnp.logaddexp(z, 0.0) + jax.nn.silu(z) + jax.nn.softplus(z) + jax.nn.gelu(z) + jax.nn.relu(z)
    ),
    "checkpointed": lambda z, b: jnp.mean(jax.checkpoint(lambda z: jnp.tanh(jnp.sin(z)))(z) ** 2),
    "last_row": lambda z, b: jnp.sum(
        jax.lax.dynamic_slice(z, (jnp.asarray(b["a"].shape[0] + 3), jnp.asarray(0)), (1, 2)) ** 2
    ),
    "stacked": lambda z, b: jnp.mean(jnp.stack([z, z**2], axis=1)[:, 1] * jnp.stack([z, jnp.sin(z)])[1]),
    "unstacked": lambda z, b: jnp.mean(jnp.subtract(*jnp.unstack(z, axis=1)) ** 2),
    "tiled": lambda z, b: jnp.mean(jnp.tile(z, (1, 2)) ** 2 * jnp.arange(4.0)),
    "special": lambda z, b: jnp.mean(jax.scipy.special.i0e(z) + jax.scipy.special.gammainc(jnp.ones(2), jnp.exp(z))),
    "pairs": lambda z, b: jnp.mean((z[:, None] - z[None]) ** 2),
}
DIRECT = {
    "worst_class": lambda y, b: jnp.sum(jnp.full(2, -1e3, y.dtype).at[b["c"]].max(nll(y, b))),
    "worst": lambda y, b: jnp.max(nll(y, b)) + jnp.min(logits(y, b)) + jnp.prod(logits(y, b)[:, 0]),
    "by_einsum": lambda y, b: jnp.einsum("ni,ij,nj->", b["a"], y, b["a"][:, :2]) ** 2 / b["a"].shape[0],
    "within_jit": lambda y, b: jax.jit(class_weighted)(y, b),
}
NAMED = [
    mean, total, class_weighted, masked, batch_normalised, contrastive, mean_of_classes, cox, recurrent,
    recurrent_backwards, iterated, searched, of_single_rows, correlated, area_under_curve, convolutional,
    beyond_the_last_row,
]  # fmt: skip
MASKED = {
    **DIRECT,
    **{name: lambda y, b, loss=loss: loss(logits(y, b), b) for name, loss in OF_LOGITS.items()},
    **{loss.__name__: loss for loss in NAMED},
}


def by_length(y, b):
    return jnp.sum(nll(y, b)) / len(b["a"])


def by_size(y, b):
    return mean(y, b) if b["a"].shape[0] > 6 else total(y, b)


def dropped(y, b):
    kept = jax.random.bernoulli(jax.random.key(0), 0.5, b["a"].shape)
    return jnp.mean((jnp.where(kept, b["a"], 0.0) @ y) ** 2)


@jax.custom_vjp
def _outside(z):
    return jnp.mean(z**2)


_outside.defvjp(lambda z: (_outside(z), z), lambda z, g: (2 * g * z / z.size,))


def own_vjp(y, b):
    return _outside(logits(y, b))


NOT_MASKED = {
    "transposed": lambda y, b: jnp.sum(logits(y, b).T.reshape(-1)[:4] ** 2),
    **{loss.__name__: loss for loss in (by_length, by_size, dropped, own_vjp)},
}
