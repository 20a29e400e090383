"""How each operation of a traced loss runs on padded rows: one rule for each operation, found by its name."""

from collections.abc import Callable
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from hypergossip.core.agent_data.masking.rows import CannotMask, Rows, is_fixed, row_axes

Rule = Callable[[Any, list[Any], Rows], list[Any]]

_ELEMENTWISE = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp clz complex conj
    convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt igamma
    igamma_grad_a igammac imag integer_pow is_finite le lgamma log log1p logistic lt max min mul name ne neg nextafter
    not optimization_barrier or polygamma population_count pow real reduce_precision regularized_incomplete_beta rem
    round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square stop_gradient
    sub tan tanh xor zeta
"""
ELEMENTWISE = frozenset(_ELEMENTWISE.split())


def unchanged(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    """Runs an operation that treats all rows equally or does not involve rows."""
    bound = equation.primitive.get_bind_params(equation.params)
    functions, parameters = bound if isinstance(bound, tuple) else ((), bound)  # a pair before JAX 0.10
    results = equation.primitive.bind(*functions, *arguments, **parameters)
    return list(results) if equation.primitive.multiple_results else [results]


def _with(primitive: Any, arguments: list[Any], parameters: dict, **changed: Any) -> list[Any]:
    results = primitive.bind(*arguments, **{**parameters, **changed})
    return list(results) if primitive.multiple_results else [results]


def _refuse_rows(equation: Any, axes: Any, which: int = 0) -> None:
    """Raises CannotMask if an operation works along rows."""
    if set(row_axes(equation.invars[which].aval)) & set(axes):
        raise CannotMask(f"its operation {equation.primitive.name!r} works along the rows")


def _dimension(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    return [jnp.asarray(rows.real(equation.params["dim"])).astype(equation.outvars[0].aval.dtype)]


def _broadcast(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    shape = rows.shape(equation.outvars[0].aval.shape)
    return [lax.broadcast_in_dim(arguments[0], shape, equation.params["broadcast_dimensions"])]


def _iota(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    aval = equation.outvars[0].aval
    return [lax.broadcasted_iota(aval.dtype, rows.shape(aval.shape), equation.params["dimension"])]


def _reshape(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    """Rows stay before their padding only if their axis is the first of the axes that are merged or split."""
    before, after = list(equation.invars[0].aval.shape), list(equation.outvars[0].aval.shape)
    while before or after:
        taken: tuple[list, list] = ([], [])
        for axes, group in ((before, taken[0]), (after, taken[1])):
            if axes:
                group.append(axes.pop(0))
        while prod(taken[0], start=1) != prod(taken[1], start=1):
            short = (before, taken[0]) if (_shorter(*taken) and before) or not after else (after, taken[1])
            if not short[0]:
                raise CannotMask("it reshapes rows and columns into one another")
            short[1].append(short[0].pop(0))
        for group in taken:
            inner = [axis for axis in group if not (is_fixed(axis) and int(axis) == 1)][1:]
            if not all(map(is_fixed, inner)):
                raise CannotMask("it reshapes rows and columns into one another")
    return [jnp.reshape(arguments[0], rows.shape(equation.outvars[0].aval.shape))]


def _shorter(one: list[Any], other: list[Any]) -> bool:
    """Returns whether one group of axes has fewer entries than another for a large number of rows."""
    entries = lambda group: prod(Rows(10**6 + 3, 0).shape(group), start=1)
    return entries(one) < entries(other)


def _slice(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    parameters = equation.params
    if not all(map(is_fixed, parameters["start_indices"])) or any(
        (parameters["strides"] or (1,) * arguments[0].ndim)[axis] != 1 for axis in row_axes(equation.invars[0].aval)
    ):
        raise CannotMask("it slices rows from a position that depends on their number, or with strides")
    return [
        lax.slice(
            arguments[0], parameters["start_indices"], rows.shape(parameters["limit_indices"]), parameters["strides"]
        )
    ]


def _reduce(fill: Callable[[Any], Any]) -> Rule:
    def reduce(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
        aval = equation.invars[0].aval
        masked = rows.mask(arguments[0], aval, equation.params["axes"], fill(aval.dtype))
        return _with(equation.primitive, [masked], equation.params)

    return reduce


def _lowest(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.bool_):
        return False
    return -jnp.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.bool_):
        return True
    return jnp.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).max


def _cumulate(fill: Callable[[Any], Any]) -> Rule:
    def cumulate(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
        aval, axis = equation.invars[0].aval, equation.params["axis"]
        backwards = equation.params["reverse"]
        value = rows.mask(arguments[0], aval, (axis,), fill(aval.dtype)) if backwards else arguments[0]
        return _with(equation.primitive, [value], equation.params)

    return cumulate


def _dot(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    contracted = equation.params["dimension_numbers"][0]
    masked = [
        rows.mask(value, atom.aval, axes, 0)
        for value, atom, axes in zip(arguments, equation.invars, contracted, strict=True)
    ]
    return _with(equation.primitive, masked, equation.params)


def _convolve(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    numbers = equation.params["dimension_numbers"]
    _refuse_rows(equation, numbers.lhs_spec[1:])
    _refuse_rows(equation, range(arguments[1].ndim), which=1)
    return _with(equation.primitive, arguments, equation.params)


def _windows(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    for axis in row_axes(equation.invars[0].aval):
        if equation.params["window_dimensions"][axis] != 1 or tuple(equation.params["padding"][axis]) != (0, 0):
            raise CannotMask("it takes windows of several rows")
    return _with(equation.primitive, arguments, equation.params)


def _along(*names: str) -> Rule:
    """A rule for an operation that is correct along all axes except those that these parameters name."""

    def along(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
        axes = [np.atleast_1d(equation.params[name]).tolist() for name in names]
        for which, atom in enumerate(equation.invars):
            if getattr(atom.aval, "ndim", 0):
                _refuse_rows(equation, [axis for several in axes for axis in several], which)
        return _with(equation.primitive, arguments, equation.params)

    return along


def _pad(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    grown = [axis for axis, around in enumerate(equation.params["padding_config"]) if tuple(around) != (0, 0, 0)]
    _refuse_rows(equation, grown)
    return _with(equation.primitive, arguments, equation.params)


def _tile(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    _refuse_rows(equation, [axis for axis, times in enumerate(equation.params["reps"]) if times != 1])
    return _with(equation.primitive, arguments, equation.params)


def _sort(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    """Sorts the padding behind all real rows."""
    aval, axis = equation.invars[0].aval, equation.params["dimension"]
    first = rows.mask(arguments[0], aval, (axis,), _highest(aval.dtype))
    return _with(equation.primitive, [first, *arguments[1:]], equation.params, is_stable=True)


def _gather(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    """Limits an index of rows by the agent's own number of rows, as without padding."""
    operand, indices = arguments
    parameters = equation.params
    aval, sizes, mode = equation.invars[0].aval, parameters["slice_sizes"], parameters["mode"]
    for place, axis in enumerate(parameters["dimension_numbers"].start_index_map):
        if axis in row_axes(aval):
            last = jnp.asarray(rows.real(aval.shape[axis]) - rows.real(sizes[axis])).astype(indices.dtype)
            own = indices[..., place]
            if mode == lax.GatherScatterMode.FILL_OR_DROP:
                kept = jnp.where(own > last, jnp.asarray(operand.shape[axis], indices.dtype), own)
            else:  # clamped, as requested or because the user promised indices in bounds
                kept = jnp.clip(own, 0, last)
            indices = indices.at[..., place].set(kept)
    return _with(equation.primitive, [operand, indices], parameters, slice_sizes=rows.shape(sizes))


def _dynamic_slice(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
    operand, *starts = arguments
    aval, sizes = equation.invars[0].aval, equation.params["slice_sizes"]
    for axis in row_axes(aval):
        last = jnp.asarray(rows.real(aval.shape[axis]) - rows.real(sizes[axis]))
        starts[axis] = jnp.minimum(starts[axis], last.astype(jnp.asarray(starts[axis]).dtype))
    return _with(equation.primitive, [operand, *starts], equation.params, slice_sizes=rows.shape(sizes))


def _scatter(fill: Callable[[Any], Any]) -> Rule:
    def scatter(equation: Any, arguments: list[Any], rows: Rows) -> list[Any]:
        operand, places, updates = arguments
        drops = equation.params["mode"] == lax.GatherScatterMode.FILL_OR_DROP
        if not drops:
            _refuse_rows(equation, equation.params["dimension_numbers"].scatter_dims_to_operand_dims)
        aval = equation.invars[2].aval
        updates = rows.mask(updates, aval, range(updates.ndim), fill(aval.dtype))
        return _with(equation.primitive, [operand, places, updates], equation.params)

    return scatter


_zero, _one = (lambda dtype: 0), (lambda dtype: 1)
RULES: dict[str, Rule] = {
    "dim_as_value": _dimension,
    p.broadcast_in_dim_p.name: _broadcast,
    p.iota_p.name: _iota,
    p.reshape_p.name: _reshape,
    p.slice_p.name: _slice,
    p.squeeze_p.name: unchanged,
    p.transpose_p.name: unchanged,
    p.rev_p.name: _along("dimensions"),
    p.concatenate_p.name: _along("dimension"),
    "split": _along("axis"),
    "stack": unchanged,  # this and the next two are operations of their own from JAX 0.10 on
    "unstack": _along("axis"),
    "tile": _tile,
    p.pad_p.name: _pad,
    p.dynamic_slice_p.name: _dynamic_slice,
    p.gather_p.name: _gather,
    p.scatter_add_p.name: _scatter(_zero),
    p.scatter_mul_p.name: _scatter(_one),
    p.scatter_max_p.name: _scatter(_lowest),
    p.scatter_min_p.name: _scatter(_highest),
    p.reduce_sum_p.name: _reduce(_zero),
    p.reduce_prod_p.name: _reduce(_one),
    p.reduce_max_p.name: _reduce(_lowest),
    p.argmax_p.name: _reduce(_lowest),
    p.reduce_min_p.name: _reduce(_highest),
    p.argmin_p.name: _reduce(_highest),
    p.reduce_or_p.name: _reduce(lambda dtype: False),
    p.reduce_and_p.name: _reduce(lambda dtype: True),
    p.cumsum_p.name: _cumulate(_zero),
    p.cumprod_p.name: _cumulate(_one),
    p.cummax_p.name: _cumulate(_lowest),
    p.cummin_p.name: _cumulate(_highest),
    p.cumlogsumexp_p.name: _cumulate(_lowest),
    p.sort_p.name: _sort,
    p.dot_general_p.name: _dot,
    p.conv_general_dilated_p.name: _convolve,
    p.reduce_window_sum_p.name: _windows,
    p.reduce_window_max_p.name: _windows,
    p.reduce_window_min_p.name: _windows,
}
