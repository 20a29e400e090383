"""One agent's oracles, made from its losses and data by automatic differentiation, and mini-batch sampling."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from hypergossip.core.agent_data.whole_data import Loss, Whole, whole_loss
from hypergossip.core.algorithm import Count, Lower, Sample, Upper
from hypergossip.core.lower_derivatives import Products
from hypergossip.core.random_keys import random_words
from hypergossip.core.space import Space
from hypergossip.support.pytree import register_pytree

SAMPLINGS = ("iid", "blocks")


@dataclass(frozen=True)
class Form:
    """What all agents have in common: losses, shapes and the sampling scheme. It is static in compiled programs.

    Attributes:
        upper: f(x, y, batch).
        lower: g(x, y, batch), strongly convex in y.
        upper_space: The space of x.
        lower_space: The space of y.
        batch_size: The number of samples that a key draws; None: every sample.
        sampling: "iid" (each sample is drawn independently, with replacement) or "blocks" (a random contiguous block,
            cyclic, of data shuffled once: also unbiased, and one slice instead of a gather).
        whole: How the upper and the lower loss are called on all rows of an agent.
        projection: The user's projection of x onto a set, or None.
        calls_python: Whether a loss calls back a Python function.
    """

    upper: Loss
    lower: Loss
    upper_space: Space
    lower_space: Space
    batch_size: int | None
    sampling: str
    whole: tuple[Whole, Whole]
    projection: Callable[[Any], Any] | None
    calls_python: bool = False


@register_pytree("form", "same", twice=("same", "upper_data", "lower_data"))
@dataclass(frozen=True)
class AutodiffOracles:
    """`Oracles` of one agent from its losses and data.

    Attributes:
        upper_data: A pytree, leaves (samples, ...). Rows beyond the agent's own count are never used.
        lower_data: Likewise.
        upper_count: The agent's own number of upper samples, a scalar.
        lower_count: Likewise.
        form: What all agents have in common.
        same: Whether the data of both levels are the same arrays.
    """

    upper_data: Any
    lower_data: Any
    upper_count: Any
    lower_count: Any
    form: Form
    same: bool = False

    @property
    def full(self) -> "AutodiffOracles":
        """The same agent without sampling: every key stands for its full data."""
        return dataclasses.replace(self, form=dataclasses.replace(self.form, batch_size=None))

    @property
    def batch_entries(self) -> int:
        """The number of entries of one batch of every agent at both levels; the leaves are (agents, rows, ...)."""
        size, leaves = self.form.batch_size, jax.tree.leaves((self.upper_data, self.lower_data))
        return sum(leaf.size if size is None else leaf.size // leaf.shape[1] * size for leaf in leaves)

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the number of samples that these numbers of upper and lower keys draw."""
        if self.form.batch_size is None:
            rows = lambda keys, held: jnp.asarray(keys, jnp.asarray(held).dtype) * held
            return rows(upper, self.upper_count) + rows(lower, self.lower_count)
        return (upper + lower) * self.form.batch_size

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Returns f(x, y; key)."""
        return self._upper(key)(*self._trees(x, y))

    def lower_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Returns g(x, y; key)."""
        return self._lower(key)(*self._trees(x, y))

    # Derivatives are taken with respect to the user's trees and raveled at the end. The derivative of unraveling would
    # be a sum of one padded vector for each leaf, each of the full length.

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx f, dy f) at (x, y; key)."""
        fx, fy = jax.grad(self._upper(key), (0, 1))(*self._trees(x, y))
        return self.form.upper_space.ravel(fx), self.form.lower_space.ravel(fy)

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns dy g at (x, y; key)."""
        return self.form.lower_space.ravel(jax.grad(self._lower(key), 1)(*self._trees(x, y)))

    def lower_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx g, dy g) at (x, y; key)."""
        gx, gy = jax.grad(self._lower(key), (0, 1))(*self._trees(x, y))
        return self.form.upper_space.ravel(gx), self.form.lower_space.ravel(gy)

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns the linear map v -> d2yy g v at (x, y; key); linearised once, even if it is applied often."""
        space, gradient = self.form.lower_space, jax.grad(self._lower(key), 1)
        upper, lower = self._trees(x, y)
        product = jax.linearize(lambda lower: gradient(upper, lower), lower)[1]
        return lambda v: space.ravel(product(space.unravel(v)))

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns the linear map v -> d2xy g v at (x, y; key), from (q,) to (p,)."""
        gradient = jax.grad(self._lower(key), 1)
        upper, lower = self._trees(x, y)
        pullback = jax.vjp(lambda upper: gradient(upper, lower), upper)[1]
        return lambda v: self.form.upper_space.ravel(pullback(self.form.lower_space.unravel(v))[0])

    def lower_derivatives(self, x: Upper, y: Lower, key: Sample) -> tuple[Lower, Products]:
        """Returns dy g at (x, y; key) and v -> (d2xy g v, d2yy g v), by one linearisation."""
        upper, lower = self.form.upper_space, self.form.lower_space
        gy, pullback = jax.vjp(jax.grad(self._lower(key), 1), *self._trees(x, y))

        def products(v: Lower) -> tuple[Upper, Lower]:
            mixed, second = pullback(lower.unravel(v))
            return upper.ravel(mixed), lower.ravel(second)

        return lower.ravel(gy), products

    def project(self, x: Upper) -> Upper:
        """Returns the user's projection of x, or x itself."""
        if self.form.projection is None:
            return x
        space = self.form.upper_space
        return space.ravel(self.form.projection(space.unravel(x)))

    def _trees(self, x: Upper, y: Lower) -> tuple[Any, Any]:
        return self.form.upper_space.unravel(x), self.form.lower_space.unravel(y)

    def _upper(self, key: Sample) -> Callable[[Any, Any], Float[Array, ""]]:
        return self._loss(self.form.upper, self.upper_data, self.upper_count, self.form.whole[0], key)

    def _lower(self, key: Sample) -> Callable[[Any, Any], Float[Array, ""]]:
        return self._loss(self.form.lower, self.lower_data, self.lower_count, self.form.whole[1], key)

    def _loss(self, loss: Loss, data: Any, count: Any, whole: Whole, key: Sample) -> Callable:
        """Returns the loss on the key's batch, as a function of the user's x and y."""
        form = self.form
        if form.batch_size is None:
            # For sampling by blocks, the first rows are repeated after the last one.
            return whole_loss(loss, whole, jax.tree.map(lambda leaf: leaf[: whole.sizes[-1]], data), count)
        batch = draw(data, key, count, form.batch_size, form.sampling)
        return lambda x, y: loss(x, y, batch)


def check_sampling(batch_size: Any, sampling: Any, smallest: int) -> None:
    """Raises ValueError if batches cannot be drawn.

    Args:
        batch_size: The number of samples that a key draws; None: every sample.
        sampling: "iid" or "blocks".
        smallest: The smallest number of samples of an agent.
    """
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling is {sampling!r}; choose one of {', '.join(SAMPLINGS)}.")
    if batch_size is None:
        return
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer):
        raise ValueError(f"batch_size is {batch_size!r}; give a whole number of samples, or None for all of them.")
    if not 0 < batch_size <= smallest:
        raise ValueError(
            f"batch_size is {batch_size}, but the agent with the fewest samples holds {smallest}; "
            "take a smaller batch, or None for every sample."
        )


def draw(data: Any, key: Sample, count: Any, size: int, sampling: str) -> Any:
    """Draws the batch of a key from the first `count` rows.

    Args:
        data: A pytree, leaves (rows, ...); for "blocks" the first ``size - 1`` real rows are repeated after the last.
        key: The sample.
        count: The number of real rows.
        size: The number of rows of the batch.
        sampling: "iid" or "blocks".

    Returns:
        Pytree, leaves (size, ...).
    """
    if sampling == "blocks":
        start = below(count, jax.random.bits(key, (), jnp.uint32))
        return jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, start, size), data)
    rows = below(count, random_words(key, size))
    return at_rows(data, rows)


def at_rows(data: Any, rows: Any) -> Any:
    """Returns rows of every leaf, without the comparisons by which JAX handles indices outside the array.

    Args:
        data: A pytree, leaves (rows, ...).
        rows: The indices, all of which are rows of the data.
    """
    return jax.tree.map(lambda leaf: leaf.at[rows].get(mode="promise_in_bounds", wrap_negative_indices=False), data)


def below(count: Any, bits: Any) -> Any:
    """Maps random words of 32 bits to whole numbers below `count`.

    The probabilities of two rows differ by a relative amount of at most count / 2^32, too little to affect any run.
    `jax.random.randint` uses two words for each number to avoid this difference.

    Args:
        count: At most 2^31 - 1, a scalar.
        bits: In uint32.

    Returns:
        In int32, of the same shape.
    """
    count = jnp.asarray(count).astype(jnp.uint32)
    if bits.ndim == 0:
        return (bits % count).astype(jnp.int32)
    # floor(count * bits / 2^32) (Lemire 2019), from halves of the words. The compiler computes these few operations
    # again for every entry of a row that it copies, and a division would take longer than all the rest.
    half, low = np.uint32(16), np.uint32(0xFFFF)
    c1, c0, b1, b0 = count >> half, count & low, bits >> half, bits & low
    middle = c1 * b0 + (c0 * b0 >> half)
    return (c1 * b1 + (middle >> half) + (c0 * b1 + (middle & low) >> half)).astype(jnp.int32)
