"""Whether averages of coded differences from a common copy converge: a bound on gamma by the error of the codings."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hypergossip.channels.coding import Coding, Quantize, RandomK, coded_vectors
from hypergossip.channels.common_copy import CommonCopy
from hypergossip.channels.layout import Layout
from hypergossip.support.compilation import compiled

DRAWS, ENTRIES = 1000, 200_000  # the largest number of random vectors, and of their entries together
QUANTILE = 0.75  # with the mean error, DIAMOND diverges somewhat below the bound for one bit of five entries


class Coarse(NamedTuple):
    """A common copy whose gamma is too large for its codings.

    Attributes:
        error: The error of a coded difference, relative to its norm.
        bound: The gamma below which averages converge; zero if there is none.
    """

    error: float
    bound: float


def coarse(part: CommonCopy, sizes: Sequence[int], network: Any) -> Coarse | None:
    """Returns the error of the codings of a common copy and the bound on gamma, or None if gamma is below it.

    Let v be the vectors, c the copies, d = v - c the differences before they are coded and e = d - Q(d) what a code
    leaves out. A round is

        c+ = c + Q(d),    v+ = v - gamma (I - W) c+,    d+ = v+ - c+.

    Along an eigenvector of I - W with eigenvalue mu and with g = gamma mu this is v+ = (1 - g) v + g e and
    d+ = (1 + g) e - g v, so the transfer function from e to d is ((1 + g) z - 1) / (z - 1 + g) after a delay of one
    round. On |z| = 1 its modulus is largest at z = -1, where it is (2 + g) / (2 - g), which grows with g. By the
    small-gain theorem v and d converge for every code with |e| <= omega |d| if omega (2 + g) / (2 - g) < 1 for the
    largest mu:

        gamma mu < 2 (1 - omega) / (1 + omega).

    omega is not the largest possible error of a code, which is far from the typical one, but what three quarters of
    random vectors do not exceed. `RandomK` does not choose its entries by the vector, so that its errors do not add up
    and the bound would be far too small. Averages on rings, paths, stars, grids, complete and random graphs converge,
    as measured, up to gamma max_i(1 - W_ii) = 1 - omega^2 and somewhat beyond, and this is used for it.
    docs/channels.md compares the bounds with measurements.

    Args:
        part: The stage.
        sizes: The numbers of entries of a vector of the upper and of the lower level in a message.
        network: The network.
    """
    # The error on a fixed lattice does not grow with the vector, so that it cannot make anything diverge.
    growing = tuple(code for code in part.codings if not (isinstance(code, Quantize) and code.width is not None))
    coded = {size for size, level in zip(sizes, ("upper", "lower")) if size and part.level in (None, level)}
    eigenvalue = 1 - network.smallest_eigenvalue
    if not growing or not coded or eigenvalue <= 0:
        return None
    random = any(isinstance(code, RandomK) for code in growing)
    found = [relative_errors(growing, size, None if random else QUANTILE) for size in coded]
    gaussian, uniform = (max(errors) for errors in zip(*found))
    if random:
        error, bound = gaussian, (1 - gaussian**2) / float((1 - network.mixing.diagonal()).max())
    else:
        error = min(gaussian, uniform)
        bound = 2 * (1 - error) / ((1 + error) * eigenvalue)
    # A code that enlarges a Gaussian vector, such as one bit for many entries, makes up for nothing.
    bound = bound if gaussian < 1 else 0.0
    return Coarse(error, bound) if part.gamma >= bound else None


@lru_cache
def relative_errors(codings: tuple[Coding, ...], entries: int, quantile: float | None) -> tuple[float, float]:
    """Returns the errors of coded Gaussian and uniform vectors, relative to the vectors' norms.

    What `TopK` leaves out resembles the former, and what `Quantize` leaves out is nearly uniform: the largest of many
    Gaussian entries would give a range in which the steps are far too coarse for the others.

    Args:
        codings: The codings, one after another.
        entries: The number of entries of the vector.
        quantile: The share of the vectors whose errors are not larger; None for the root mean square.
    """
    layout = Layout((entries,), (), 32)

    def squared(vector: jax.Array, key: jax.Array) -> jax.Array:
        error = coded_vectors(codings, vector, layout, key) - vector
        return jnp.sum(error**2) / jnp.sum(vector**2)

    @compiled(quickly=True)  # a coding may be the user's
    def errors(key: jax.Array) -> list[jax.Array]:
        first, second, third = jax.random.split(key, 3)
        kinds = jax.random.normal(first, shape, jnp.float32), jax.random.uniform(second, shape, jnp.float32, -1.0)
        keys = jax.random.split(third, shape[0])
        found = [jax.vmap(squared)(vectors, keys) for vectors in kinds]
        return [jnp.sqrt(jnp.mean(one) if quantile is None else jnp.quantile(one, quantile)) for one in found]

    shape = max(1, min(DRAWS, ENTRIES // entries)), entries
    gaussian, uniform = map(float, errors(jax.random.key(0)))
    return gaussian, uniform
