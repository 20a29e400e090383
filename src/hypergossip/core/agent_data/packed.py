"""Oracles of agents with different numbers of rows, which are stored end to end in one array."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer

from hypergossip.core.agent_data.packed_rows import Packed
from hypergossip.core.agent_data.whole_data import MOST_SHAPES, Whole
from hypergossip.core.algorithm import Count, Lower, Sample, Upper
from hypergossip.core.oracles import AutodiffOracles, Form, below
from hypergossip.core.random_keys import random_words
from hypergossip.support.pytree import register_pytree

Tree = Any
Function = Callable[..., Any]  # a function of an agent that holds only its own rows, and of arrays

# A program on all rows is compiled for at most SHAPES numbers of rows, each at most the next larger one divided by
# COARSER, if there are such sizes. With much data, padded rows cost more time than the compilation for more numbers.
SHAPES, COARSER = 3, 4
MUCH_DATA, MORE_SHAPES, FINER = 2_000_000, 4, 2  # entries of all agents' rows


class Taken(NamedTuple):
    """The properties of a level that are the same for all agents and shape the program.

    Attributes:
        level: 0 for the upper level, 1 for the lower.
        form: What all agents have in common.
        shapes: Numbers of rows, ascending. Every agent's rows are padded to one of them.
    """

    level: int
    form: Form
    shapes: tuple[int, ...]


@register_pytree("form", "same", twice=("same", "upper", "lower"))
@dataclass(frozen=True)
class PackedOracles:
    """`Oracles` of one agent when the agents have different numbers of rows.

    A batch is drawn from the agent's own rows. On the full data, the agents are computed one after another, each padded
    to the next of a few numbers of rows, so that the largest agent does not determine the memory and time of the
    others. Automatic differentiation of an oracle is not supported (JAX has no reverse mode for the sequential map over
    the agents).

    Attributes:
        upper: The rows of the upper level.
        lower: The rows of the lower level.
        form: What all agents have in common.
        same: Whether the rows of both levels are the same arrays.
    """

    upper: Packed
    lower: Packed
    form: Form
    same: bool = False

    @property
    def full(self) -> "PackedOracles":
        """The same agent without sampling: every key stands for its full data."""
        return dataclasses.replace(self, form=dataclasses.replace(self.form, batch_size=None))

    @property
    def upper_count(self) -> Any:
        """The agent's number of upper samples."""
        return self.upper.count

    @property
    def lower_count(self) -> Any:
        """The agent's number of lower samples."""
        return self.lower.count

    @property
    def batch_entries(self) -> int:
        """The number of entries of one batch of every agent at both levels."""
        size = self.form.batch_size
        rows = lambda packed, leaf: leaf.shape[0] if size is None else packed.count.size * size
        levels = self.upper, self.lower
        return sum(leaf.size // leaf.shape[0] * rows(of, leaf) for of in levels for leaf in jax.tree.leaves(of.values))

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the number of samples that these numbers of upper and lower keys draw."""
        return AutodiffOracles(None, None, self.upper.count, self.lower.count, self.form).samples(upper, lower)

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Any:
        """Returns f(x, y; key)."""
        return self._on(0, key, lambda own, x, y: own.upper_loss(x, y, _any_key()), x, y)

    def lower_loss(self, x: Upper, y: Lower, key: Sample) -> Any:
        """Returns g(x, y; key)."""
        return self._on(1, key, lambda own, x, y: own.lower_loss(x, y, _any_key()), x, y)

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx f, dy f) at (x, y; key)."""
        return self._on(0, key, lambda own, x, y: own.upper_gradients(x, y, _any_key()), x, y)

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns dy g at (x, y; key)."""
        return self._on(1, key, lambda own, x, y: own.lower_gradient(x, y, _any_key()), x, y)

    def lower_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (dx g, dy g) at (x, y; key)."""
        return self._on(1, key, lambda own, x, y: own.lower_gradients(x, y, _any_key()), x, y)

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns the linear map v -> d2yy g v at (x, y; key)."""
        if self.form.batch_size is not None:
            return self._drawn(1, key).hessian_product(x, y, _any_key())
        # On all rows it is linearised at every application, because a stored linearisation is as large as the rows.
        return lambda v: self._on(1, key, lambda own, x, y, v: own.hessian_product(x, y, _any_key())(v), x, y, v)

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns the linear map v -> d2xy g v at (x, y; key), from (q,) to (p,)."""
        if self.form.batch_size is not None:
            return self._drawn(1, key).jacobian_product(x, y, _any_key())
        return lambda v: self._on(1, key, lambda own, x, y, v: own.jacobian_product(x, y, _any_key())(v), x, y, v)

    def project(self, x: Upper) -> Upper:
        """Returns the user's projection of x, or x itself."""
        return AutodiffOracles(None, None, None, None, self.form).project(x)

    def on_lower_rows(self, function: Function, *arguments: Any) -> Any:
        """Calls a function of an agent that holds all its lower rows and nothing else.

        What the function computes from the rows before a loop is then computed once, not at every call of an oracle.

        Args:
            function: A function of `AutodiffOracles` without sampling and of `arguments`.
            arguments: Pytrees of arrays of this agent.
        """
        return self.full._on(1, _any_key(), function, *arguments)

    def _on(self, level: int, key: Sample, function: Function, *arguments: Any) -> Any:
        """Calls a function of an agent that holds only this key's rows at one level; without sampling, all rows."""
        if self.form.batch_size is not None:
            return function(self._drawn(level, key), *arguments)
        packed, whole = (self.upper, self.lower)[level], self.form.whole[level]
        entries = sum(leaf.size for leaf in jax.tree.leaves(packed.values))
        if isinstance(packed.count, Tracer):
            return _on_all_rows(Taken(level, self.form, shapes(whole, entries)), function, packed, arguments)
        rows = int(packed.count)  # one agent outside of a compiled program, where shapes may differ
        if len(whole.sizes) > MOST_SHAPES:  # but every operation is compiled for each shape
            rows = next(size for size in shapes(whole, entries) if size >= rows)
            return function(_filled_up(level, self.form, packed, rows), *arguments)
        return function(_holding(level, self.form, packed.block(0, rows), rows), *arguments)

    def _drawn(self, level: int, key: Sample) -> AutodiffOracles:
        """Returns an agent whose data are the batch of this key."""
        packed, size = (self.upper, self.lower)[level], self.form.batch_size or 0
        if self.form.sampling == "blocks":
            batch = packed.block(below(packed.count, jax.random.bits(key, (), jnp.uint32)), size)
        else:
            batch = packed.rows(below(packed.count, random_words(key, size)))
        return _holding(level, self.form, batch, size)


def shapes(whole: Whole, entries: int) -> tuple[int, ...]:
    """Returns the numbers of rows, ascending, for which a level's full-data programs are compiled.

    Args:
        whole: How the loss is called on all of an agent's rows, and how many rows the agents hold.
        entries: The number of entries of all agents' rows.
    """
    if whole.kind in ("equal", "sizes"):
        return whole.sizes
    count, coarser = (MORE_SHAPES, FINER) if entries >= MUCH_DATA else (SHAPES, COARSER)
    chosen = [whole.sizes[-1]]
    while len(chosen) < count and (smaller := [size for size in whole.sizes if size * coarser <= chosen[-1]]):
        chosen.append(smaller[-1])
    return tuple(reversed(chosen))


def _any_key() -> Sample:
    """Returns a key for an agent without sampling, for which all keys are equivalent."""
    return jax.random.key(0)


def _holding(level: int, form: Form, data: Tree, rows: Any, whole: Whole | None = None) -> AutodiffOracles:
    """Returns an agent that holds these rows at one level, without sampling."""
    whole = Whole("equal", (rows,)) if whole is None else whole
    form = dataclasses.replace(form, batch_size=None, whole=(whole, whole))
    return AutodiffOracles(*((data, None) if level == 0 else (None, data)), rows, rows, form)


def _filled_up(level: int, form: Form, packed: Packed, size: int) -> AutodiffOracles:
    """Returns an agent that holds all its rows at one level, padded cyclically with its own rows."""
    rows = packed.rows(jnp.arange(size, dtype=packed.count.dtype) % packed.count)
    return _holding(level, form, rows, packed.count, form.whole[level])


def _on_all_rows(taken: Taken, function: Function, packed: Packed, arguments: tuple) -> Any:
    """Calls a function of an agent that holds all its rows.

    `vmap` over the agents computes them one after another. `vmap` over arguments of the same agent, for example over
    runs, computes these side by side, so that they share every pass over the rows.
    """

    def of_agent(packed: Packed, arguments: tuple) -> Any:
        exact = taken.form.whole[taken.level].kind in ("equal", "sizes")

        def at(size: int) -> Callable[[tuple], Any]:
            def call(arguments: tuple) -> Any:
                if exact:
                    return function(_holding(taken.level, taken.form, packed.block(0, size), size), *arguments)
                return function(_filled_up(taken.level, taken.form, packed, size), *arguments)

            return call

        if len(taken.shapes) == 1:
            return at(taken.shapes[0])(arguments)
        which = jnp.searchsorted(jnp.asarray(taken.shapes), packed.count)
        return lax.switch(which, [at(size) for size in taken.shapes], arguments)

    @jax.custom_batching.custom_vmap
    def call(packed: Packed, arguments: tuple) -> Any:
        return of_agent(packed, arguments)

    @call.def_vmap
    def _one_after_another(size: int, in_batched: list, packed: Packed, arguments: tuple) -> tuple[Any, Any]:
        if not any(jax.tree.leaves(in_batched[0])):
            axes = jax.tree.map(lambda is_mapped: 0 if is_mapped else None, in_batched[1])
            found = jax.vmap(of_agent, (None, axes))(packed, arguments)
            return found, jax.tree.map(lambda _: True, found)
        leaves, structure = jax.tree.flatten((packed, arguments))
        mapped = jax.tree.leaves(in_batched)
        own = [leaf for leaf, is_mapped in zip(leaves, mapped, strict=True) if is_mapped]

        def one(own: list) -> Any:
            rest = iter(own)
            filled = [next(rest) if is_mapped else leaf for leaf, is_mapped in zip(leaves, mapped, strict=True)]
            return call(*jax.tree.unflatten(structure, filled))

        found = lax.map(one, own)
        return found, jax.tree.map(lambda _: True, found)

    return call(packed, arguments)
