"""Data and starting points: what is no number JAX can hold is named with its remedy, and all else gives its numbers."""

from types import SimpleNamespace

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from jax.experimental.sparse import BCOO

import hypergossip as hg
from refusals import refused

AGENTS, SAMPLES, P = 3, 4, 2
SHAPE = (AGENTS, SAMPLES)
TEXT = np.full(SHAPE, "north")
TIMES = np.full(SHAPE, np.datetime64("2024-05-01"))
MASKED = np.ma.masked_less(np.arange(12.0).reshape(SHAPE), 3)
PAIRS = np.zeros(SHAPE, [("height", float), ("weight", float)])


def loss(x, y, batch):
    return jnp.mean((batch["A"] @ y) ** 2) + jnp.sum((y - x) ** 2)


def make(extra=None, of_agents=None, **changes):
    """A problem whose upper data have a leaf "extra", or the agents' `of_agents` as such leaves."""
    rows = {"A": np.ones((*SHAPE, P))}
    upper = rows if extra is None else rows | {"extra": extra}
    if of_agents is not None:
        upper = [{"A": np.ones((SAMPLES, P)), "extra": own} for own in of_agents]
    settings = {"upper_data": upper, "lower_data": rows, "x0": np.zeros(P), "y0": np.zeros(P)}
    return hg.Problem(loss, loss, **(settings | changes))


def stored(*args, **changes):
    """The numbers that the problem's losses see of the leaf "extra"."""
    return np.asarray(make(*args, **changes).oracles.upper_data["extra"])


def table(i):
    return pd.DataFrame(
        {"age": np.arange(4.0), "site": ["a", "b", "a", "b"], "day": pd.to_datetime(["2024-05-01"] * 4)}
    )


class Unreadable:
    """Stands in for what refuses to become an array, as a PyTorch tensor that requires a gradient does."""

    shape = SHAPE

    def __array__(self, *args, **kwargs):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def sparse(make_sparse):
    return [make_sparse(np.eye(SAMPLES, 5)) for _ in range(AGENTS)]


LEAVES = {
    "objects": (lambda: make(np.ones(SHAPE).astype(object)), ["dtype object", ".astype(float)"]),
    "large objects": (lambda: make(np.full(SHAPE, 2**70, object)), ["beyond 64 bits", "dtype object", "from 0"]),
    "missing": (lambda: make(np.full(SHAPE, None)), ["missing values", "impute"]),
    "ragged": (
        lambda: make(np.array([[np.zeros(2), np.zeros(3)]] * AGENTS, object)),
        ["rows of different lengths", "mask"],
    ),
    "a ragged list": (lambda: make([[[1.0, 2.0], [3.0]]] * AGENTS), ["rows of different lengths", "mask"]),
    "dicts": (lambda: make(np.full(SHAPE, {"a": 1})), ["array of dicts", "list of pytrees"]),
    "text": (lambda: make(TEXT), ["text", "np.unique(text, return_inverse=True)[1]"]),
    "text as objects": (lambda: make(TEXT.astype(object)), ["text", "np.unique"]),
    "text of variable length": (lambda: make(TEXT.astype(np.dtypes.StringDType())), ["text", "np.unique"]),
    "bytes": (lambda: make(TEXT.astype(bytes)), ["text", "np.unique"]),
    "a list of words": (lambda: make([["a", "b"]] * AGENTS), ["text", "np.unique"]),
    "dates": (lambda: make(TIMES), ["times", "np.timedelta64(1, 'D')"]),
    "durations": (lambda: make(TIMES - TIMES[0, 0]), ["times", "np.timedelta64(1, 's')"]),
    "fields": (lambda: make(PAIRS), ["structured", "height, weight", "a separate leaf"]),
    "a function": (lambda: make(jax.nn.relu), ["function", "relu", "in the loss"]),
    "an iterator": (lambda: make(iter([1.0, 2.0])), ["iterator", "list(iterator)"]),
    "an object": (lambda: make(SimpleNamespace()), ["SimpleNamespace", "NumPy array"]),
    "a tensor": (lambda: make(Unreadable()), ["Unreadable", "requires grad", "detach()"]),
    "masked entries": (lambda: make(MASKED), ["masked array", "~array.mask", "two leaves"]),
    "random keys": (lambda: make(jax.random.split(jax.random.key(0), SHAPE)), ["random keys", "wrap_key_data"]),
    "a traced array": (lambda: jax.jit(make)(np.ones(SHAPE)), ["is traced", "outside"]),
    "a sparse array": (lambda: make(BCOO.fromdense(jnp.ones(SHAPE))), ["sparse", ".todense()", "MB"]),
    "categories": (
        lambda: make(of_agents=[table(i)["site"].astype("category") for i in range(3)]),
        ["text", "agent 0"],
    ),
    "a table": (lambda: make(of_agents=[table(i) for i in range(3)]), ["table", "(site, day)", "agent 0"]),
    "a scipy matrix": (
        lambda: make(of_agents=sparse(scipy.sparse.csr_matrix)),
        ["agent 0", "sparse", ".toarray()", "0.00016 MB"],
    ),
    "a large one": (lambda: make(scipy.sparse.csr_array((10**5, 10**5))), ["sparse", "80,000 MB"]),
    "a scipy array": (lambda: make(of_agents=sparse(scipy.sparse.coo_array)), ["sparse", ".toarray()", "MB"]),
    "text of one agent": (lambda: make(of_agents=[np.zeros(4), np.zeros(4), TEXT[0]]), ["agent 2", "text"]),
    "NaN in bfloat16": (
        lambda: make(of_agents=[jnp.zeros(4, jnp.bfloat16), jnp.full(4, jnp.nan, jnp.bfloat16), jnp.zeros(4)]),
        ["agent 1", "NaN"],
    ),
    "NaN in complex numbers": (lambda: make(np.full(SHAPE, 1j * np.nan)), ["agent 0", "NaN"]),
    "infinity in long numbers": (lambda: make(np.full(SHAPE, np.inf, np.longdouble)), ["agent 0", "infinity"]),
    "types that NumPy cannot join": (
        lambda: make(of_agents=[np.zeros(4, int), np.zeros(4, np.uint64), np.zeros(4, int)]),
        ["int64 and uint64", "one type"],
    ),
}


@pytest.mark.parametrize("name", LEAVES)
def test_a_leaf_of_the_data_is_named_with_what_to_do(name):
    text = refused(*LEAVES[name])
    assert text.startswith("upper_data['extra']"), text


BEYOND = {
    "whole numbers": (np.full(SHAPE, 2**40 + 5), ["1099511627781", "from 0", "jax_enable_x64"]),
    "negative ones": (np.full(SHAPE, -(2**31) - 1), ["-2147483649", "-2147483648"]),
    "unsigned ones": (np.full(SHAPE, 2**32, np.uint64), ["4294967296", "to 4294967295"]),
    "a list": ([[2**40] * SAMPLES] * AGENTS, ["1099511627776", "from 0"]),
    "floating ones": (np.full(SHAPE, -1e300), ["1e+300", "3.4e+38", "another unit", "jax_enable_x64"]),
    "complex ones": (np.full(SHAPE, 1e300j), ["1e+300", "another unit"]),
}


@pytest.mark.parametrize("name", BEYOND)
def test_numbers_beyond_32_bits_are_refused_where_jax_has_no_others(name):
    values, words = BEYOND[name]
    np.testing.assert_array_equal(stored(values), np.asarray(values))  # with 64 bits
    with jax.enable_x64(False):
        assert refused(lambda: make(values), words).startswith("upper_data['extra'], agent 0")
        late = [np.zeros(SAMPLES, np.asarray(values).dtype)] * 2 + [np.asarray(values)[2]]
        assert refused(lambda: make(of_agents=late)).startswith("upper_data['extra'], agent 2")
        assert refused(lambda: make(np.stack(late))).startswith("upper_data['extra'], agent 2")


WHOLE = np.arange(12).reshape(SHAPE)
TAKEN = {
    **{kind: WHOLE.astype(kind) for kind in ("int64", "uint64", "uint8", "int16", "float16", "float64", "longdouble")},
    "bool": WHOLE > 5,
    "the largest whole numbers": np.where(WHOLE > 5, 2**31 - 1, -(2**31)),
    "the largest unsigned ones": np.full(SHAPE, 2**32 - 1, np.uint64),
    "the largest floating ones": np.full(SHAPE, np.finfo(np.float32).max.astype(float)),
    "another order of bytes": WHOLE.astype(">f8"),
    "bfloat16": WHOLE.astype(jnp.bfloat16),
    "float8": WHOLE[:, :3].astype(jnp.float8_e4m3fn).repeat(2, 1)[:, :4],
    "int4": (WHOLE % 8).astype(jnp.int4),
    "complex": WHOLE * (1 - 2j),
    "nothing masked": np.ma.masked_less(WHOLE, -1),
    "a matrix class": np.asmatrix(WHOLE),
    "a list of lists": WHOLE.tolist(),
    "a table": pd.DataFrame(WHOLE),
    "JAX's": jnp.arange(12.0).reshape(SHAPE),
    "no features": np.zeros((*SHAPE, 0)),
}


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("name", TAKEN)
def test_numbers_are_taken_as_they_are(name, double):
    given = np.asarray(TAKEN[name])
    whole = jnp.issubdtype(given.dtype, jnp.integer) or given.dtype == bool
    with jax.enable_x64(double):
        seen = stored(TAKEN[name])
        expected = given.dtype.kind if given.dtype.kind in "iubc" else "i" if whole else "f"
        assert seen.dtype.kind == expected
        if not whole:
            assert seen.dtype == (jnp.result_type(complex) if expected == "c" else jnp.result_type(float))
    np.testing.assert_array_equal(seen, given.astype(seen.dtype))
    if given.dtype.kind in "iuf":
        assert (seen.astype(np.longdouble) == given.astype(np.longdouble)).all()  # nothing wrapped, nothing rounded


def test_series_and_lists_are_agents_data_too():
    agents = [pd.Series([1, 2, 3, 4]), [5, 6, 7, 8], np.array([9.0, 10, 11, 12])]
    np.testing.assert_array_equal(stored(of_agents=agents), np.arange(1.0, 13).reshape(SHAPE))
    assert stored(of_agents=[[True, False] * 2, [3, 4] * 2, [5, 6] * 2]).tolist()[:2] == [[1, 0] * 2, [3, 4] * 2]


def test_a_loss_on_complex_data_is_what_numpy_says():
    channel = np.random.default_rng(0).standard_normal((2, *SHAPE, P)).view()
    gain = lambda x, y, batch: jnp.mean(jnp.abs(batch["H"] @ y.astype(batch["H"].dtype)) ** 2) + jnp.sum((y - x) ** 2)
    rows = {"H": channel[0] + 1j * channel[1]}
    y = np.array([0.3, -2.0])
    problem = hg.Problem(gain, gain, upper_data=rows, lower_data=rows, x0=np.zeros(P), y0=np.zeros(P))
    for i, H in enumerate(rows["H"]):
        value = problem.agent(i).full.upper_loss(jnp.zeros(P), jnp.asarray(y), jax.random.key(0))
        np.testing.assert_allclose(value, np.mean(np.abs(H @ y) ** 2) + y @ y, rtol=1e-12)


STARTS = {
    "a function": ({"w": np.zeros(P), "activation": jax.nn.relu}, ["y0['activation']", "function", "in the loss"]),
    "a module": (equinox.nn.MLP(1, 1, 1, 1, key=jax.random.key(0)), ["y0.activation", "equinox.partition"]),
    "objects": ({"w": np.full(P, 0.5, object)}, ["y0['w']", "dtype object", ".astype(float)"]),
    "text": ({"w": np.zeros(P), "name": "relu"}, ["y0['name'] is text", "in the loss"]),
    "an array of text": ({"w": np.zeros(P), "names": np.array(["a", "b"], object)}, ["y0['names'] is text", "options"]),
    "complex": ({"w": np.zeros(P, complex)}, ["y0['w']", "complex", "two leaves"]),
    "sparse": ({"w": scipy.sparse.csr_array(np.eye(2))}, ["y0['w']", "sparse", ".toarray()"]),
    "random keys": ([np.zeros(P), jax.random.key(0)], ["y0[1]", "random keys"]),
    "masked": ({"w": MASKED}, ["y0['w']", "masked"]),
    "whole numbers": ({"w": np.zeros(P, int)}, ["lower starting point", "y0['w']", "int64", "0.0"]),
    "NaN": ({"w": np.full(P, np.nan)}, ["lower starting point", "y0['w']", "NaN"]),
    "a number alone": (1 + 0j, ["y0 is complex"]),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_leaf_of_the_start_is_named_with_what_to_do(name):
    start, words = STARTS[name]
    for call in (lambda: make(y0=start), lambda: hg.Problem.from_oracles(None, x0=np.zeros(P), y0=start)):
        refused(call, words)


def test_a_start_beyond_32_bits_is_refused_and_other_types_are_taken():
    with jax.enable_x64(False):
        text = refused(lambda: make(x0={"w": np.array([0.0, 1e300])}))
    assert text.startswith("x0['w'] holds numbers as large as 1e+300")
    for start in (np.array([1.0, 2], jnp.bfloat16), [1.0, np.float16(2)], (1.0, jnp.float32(2)), np.ma.array([1.0, 2])):
        loose = lambda x, y, batch: jnp.sum((y - jnp.stack(jax.tree.leaves(x)).ravel()) ** 2) + 0 * jnp.mean(batch["A"])
        rows = {"A": np.ones((*SHAPE, P))}
        problem = hg.Problem(loose, loose, upper_data=rows, lower_data=rows, x0=start, y0=np.zeros(P))
        np.testing.assert_array_equal(problem.x0, [1.0, 2.0])
        assert problem.x0.dtype == np.float64
