"""Reads the leaves of users' pytrees as arrays of numbers, with an error message for each kind of refused leaf.

The name of a leaf is passed as a function and is only computed for errors, because naming many leaves takes longer
than reading them.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

Name = Callable[[], str]

SWITCH = 'jax.config.update("jax_enable_x64", True) before anything else'


def read_leaf(leaf: Any, name: Name) -> np.ndarray:
    """Returns a leaf as an array of numbers. `in_range` checks whether JAX can represent their values.

    Types that NumPy does not have are converted: bfloat16 and floating numbers of 8 bits to float32, integers of 4 bits
    or fewer to int8.

    Args:
        leaf: The user's leaf.
        name: The leaf's name, such as "upper_data['id'], agent 3".

    Raises:
        ValueError: If it is not an array of numbers.
    """
    if type(leaf) is np.ndarray and leaf.dtype.kind in "fiub" and leaf.dtype.isbuiltin == 1:
        return leaf
    if problem := _wrong_class(leaf):
        raise ValueError(f"{name()} {problem}")
    try:
        array = np.asarray(leaf)
    except Exception as error:
        raise ValueError(f"{name()} {_unreadable(leaf, error)}") from error
    if array.dtype.kind in "fiubc" and issubclass(array.dtype.type, np.number | np.bool_):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind not in "mM" and jnp.issubdtype(array.dtype, jnp.floating):
        return array.astype(np.float32)
    if array.dtype.kind not in "mM" and jnp.issubdtype(array.dtype, jnp.integer):
        return array.astype(np.int8)
    raise ValueError(f"{name()} {_no_numbers(leaf, array)}")


def is_one_leaf(node: Any) -> bool:
    """Returns whether we treat a node as one leaf although JAX may not: sparse arrays, lists of numbers, iterators."""
    if type(node) in (np.ndarray, dict):
        return False
    return _is_sparse(node) or _is_list_of_scalars(node) or isinstance(node, Iterator)


def is_text(leaf: Any) -> bool:
    """Returns whether a leaf is text or an array of text."""
    if not isinstance(leaf, np.ndarray):
        return isinstance(leaf, str | bytes)
    return leaf.dtype.kind in "UST" or (leaf.dtype.kind == "O" and any(isinstance(v, str | bytes) for v in leaf.flat))


def in_range(array: np.ndarray) -> bool:
    """Returns whether all numbers of an array are finite and within the range of the type that JAX will use."""
    if array.dtype.kind == "c":
        return in_range(np.real(array)) and in_range(np.imag(array))
    limits = _limits(array.dtype, jax.dtypes.canonicalize_dtype(float).itemsize == 8)
    # Two passes that need no array of flags. Comparisons with NaN are false.
    return limits is None or array.size == 0 or bool(limits[0] <= array.min() and array.max() <= limits[1])


def out_of_range(array: np.ndarray) -> str:
    """Returns why an array is not `in_range`, as the end of a sentence that begins with its name."""
    if array.dtype.kind in "iu":
        held = np.iinfo(np.int32 if array.dtype.kind == "i" else np.uint32)
        wrong = array.max() if array.max() > held.max else array.min()
        return (
            f"holds {wrong}, and JAX holds whole numbers in 32 bits, from {held.min} to {held.max}; number the values "
            f"of all agents from 0 (np.unique(values, return_inverse=True)[1]), or switch on 64 bits by {SWITCH}."
        )
    if not np.isfinite(array).all():
        return "holds NaN or infinity; remove or impute them first."
    return (
        f"holds numbers as large as {np.abs(array).max():.3g}, and JAX holds numbers in 32 bits, up to 3.4e+38; use "
        f"another unit, or switch on 64 bits by {SWITCH}."
    )


@cache
def _limits(dtype: np.dtype, double: bool) -> tuple[Any, Any] | None:
    """Returns the smallest and largest number that JAX can hold of a type, or None if it can hold all of them.

    Args:
        dtype: A real type.
        double: Whether 64 bits are switched on.
    """
    if dtype.kind == "f":
        held = np.finfo(np.float64 if double else np.float32)
        largest = held.max if dtype.itemsize > held.dtype.itemsize else np.finfo(dtype).max
        return -largest, largest
    if dtype.kind in "iu" and dtype.itemsize == 8 and not double:
        held = np.iinfo(np.int32 if dtype.kind == "i" else np.uint32)
        return held.min, held.max
    return None


def _is_sparse(leaf: Any) -> bool:
    """Returns whether it is a sparse array of SciPy, JAX or the sparse package."""
    return hasattr(leaf, "todense") and hasattr(leaf, "shape")


def _is_list_of_scalars(node: Any) -> bool:
    """Returns whether it is a (nested) list of numbers or text, whose entries cannot be leaves, as leaves have samples.

    Numbers are Python's and NumPy's numbers and arrays without an axis, such as the entries of a JAX array.
    """
    while type(node) in (list, tuple) and node:
        node = node[0]
        if isinstance(node, bool | int | float | complex | str | bytes | np.generic):
            return True
    if not isinstance(node, np.ndarray | jax.Array) or isinstance(node, Tracer) or node.ndim:
        return False
    return not jnp.issubdtype(node.dtype, jax.dtypes.prng_key)


def _wrong_class(leaf: Any) -> str:
    """Returns why a leaf must not be converted to an array, as the end of a sentence, or "" if it may be."""
    if isinstance(leaf, Tracer):
        return "is traced; make the problem outside of functions that jax.jit, jax.vmap or jax.grad transforms."
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return (
            "is an array of random keys; give their numbers, jax.random.key_data(keys), and convert them back to keys "
            "in the loss by jax.random.wrap_key_data."
        )
    if isinstance(leaf, np.ma.MaskedArray) and np.ma.getmaskarray(leaf).any():
        return (
            "is a masked array with masked entries, and the mask would be lost; give array.filled(0.0) and "
            "~array.mask as two leaves, and exclude the masked entries in the loss."
        )
    if _is_sparse(leaf):
        way = ".toarray()" if hasattr(leaf, "toarray") else ".todense()"
        size = math.prod(leaf.shape) * jnp.result_type(float).itemsize / 1e6
        filled = f"{size:,.0f}" if size >= 10 else f"{size:.2g}"
        return f"is a sparse matrix; convert it to an array by {way}, which takes {filled} MB."
    if callable(leaf):
        return (
            f"is a function or a class ({getattr(leaf, '__name__', type(leaf).__name__)}), not an array; keep it in "
            "the loss (of an Equinox module, give the first part of "
            "equinox.partition(module, equinox.is_inexact_array))."
        )
    if isinstance(leaf, Iterator):
        return "is an iterator; convert it to an array first, for example by np.stack(list(iterator))."
    return ""


def _unreadable(leaf: Any, error: Exception) -> str:
    """Returns why NumPy could not read a leaf."""
    if isinstance(leaf, list | tuple):
        return (
            "is a list with rows of different lengths; pad them to one length, and give a mask of the real entries as "
            "another leaf."
        )
    reason = str(error).partition("\n")[0].rstrip(".")
    return (
        f"is of type {type(leaf).__name__}, which NumPy cannot read ({reason}); convert it to a NumPy array first (a "
        "PyTorch tensor by tensor.detach().cpu().numpy())."
    )


def _no_numbers(leaf: Any, array: np.ndarray) -> str:
    """Returns which entries of an array are not numbers, as the end of a sentence."""
    kind = array.dtype.kind
    if hasattr(leaf, "columns") and hasattr(leaf, "dtypes"):  # a data frame
        names = [
            str(name) for name, dtype in zip(leaf.columns, leaf.dtypes) if getattr(dtype, "kind", "O") not in "fiub"
        ]
        if names:
            return (
                f"is a table with columns that are not numbers ({', '.join(names)}); encode their categories as "
                "numbers (by np.unique(column, return_inverse=True)[1]) or drop them."
            )
    if array.dtype.names:
        return (
            f"is a structured array with the fields {', '.join(array.dtype.names)}; give each as a separate leaf: "
            "{field: array[field] for field in array.dtype.names}."
        )
    if kind in "UST":
        return _TEXT
    if kind in "Mm":
        unit = "(times - times.min()) / np.timedelta64(1, 'D')" if kind == "M" else "times / np.timedelta64(1, 's')"
        return f"holds times (type {array.dtype}); convert them to numbers, such as {unit}."
    if kind == "O":
        return _objects(array)
    return f"holds entries that are not numbers (type {array.dtype}); convert it with .astype(float)."


_TEXT = (
    "holds text; encode the categories of all agents together as numbers, by "
    "np.unique(text, return_inverse=True)[1], and give the numbers."
)


def _objects(array: np.ndarray) -> str:
    """Returns what an array of Python objects holds, judging by its first entries."""
    entries = [entry for entry, _ in zip(array.flat, range(10_000))]
    of = lambda *classes: any(isinstance(entry, classes) for entry in entries)
    if array.ndim == 0 and entries:
        return f"is of type {type(entries[0]).__name__}, not an array of numbers; convert it to a NumPy array first."
    if of(str, bytes):
        return _TEXT
    if of(list, tuple, np.ndarray):
        return (
            "has rows of different lengths (dtype object); pad them to one length, and give a mask of the real entries "
            "as another leaf."
        )
    if any(map(_is_sparse, entries)):
        return "holds sparse matrices; convert each to an array by .toarray()."
    if of(dict):
        return "is an array of dicts (dtype object); give agents as a list of pytrees of arrays."
    if any(entry is None or type(entry).__name__ in ("NAType", "NaTType") for entry in entries):
        return "holds missing values (dtype object); remove or impute them, and convert it with .astype(float)."
    if any(isinstance(entry, int) and not -(2**63) <= entry < 2**64 for entry in entries):
        return (
            "holds whole numbers beyond 64 bits (dtype object); number the values of all agents from 0 "
            "(np.unique(values, return_inverse=True)[1])."
        )
    kinds = sorted({type(entry).__name__ for entry in entries})
    return f"holds Python objects (dtype object: {', '.join(kinds[:3])}); convert it with .astype(float)."
