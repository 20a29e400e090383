"""Frozen dataclasses as pytrees, each kind of its own.

`jax.tree_util.register_dataclass` (JAX 0.10.2) makes two classes with equal field names compare as one tree structure,
and a compiled program of one is then, by chance of hashing, taken for the other's: DSGD's rounds for GTSGD's. Here
the class is part of the structure.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import jax
from jax.tree_util import GetAttrKey

Class = TypeVar("Class", bound=type)


def register_pytree(*static: str, twice: tuple[str, str, str] | None = None) -> Callable[[Class], Class]:
    """Registers a frozen dataclass as a pytree.

    Rebuilding an instance calls neither `__init__` nor `__post_init__`: JAX puts things into trees that are not arrays.

    Args:
        static: Fields that shape the program: hashable, compared by value, not traced. The others are children.
        twice: A static field, and two others: where the first is true, both others are the same object and one child,
            so that no program holds it twice.

    Returns:
        The decorator.
    """

    def register(cls: Class) -> Class:
        every = [field.name for field in fields(cls) if field.name not in static]
        once = [name for name in every if twice is None or name != twice[2]]

        def children(same: bool) -> list[str]:
            return once if same else every

        def is_same(node: Any) -> bool:
            return twice is not None and getattr(node, twice[0])

        def flatten(node: Any) -> tuple[tuple, tuple]:
            same = is_same(node)
            kind = cls, same, *(getattr(node, name) for name in static)
            return tuple(getattr(node, name) for name in children(same)), kind

        def flatten_with_keys(node: Any) -> tuple[tuple, tuple]:
            values, kind = flatten(node)
            return tuple(zip(map(GetAttrKey, children(kind[1])), values, strict=True)), kind

        def unflatten(kind: tuple, values: Any) -> Any:
            node = object.__new__(cls)
            for name, value in zip((*children(kind[1]), *static), (*values, *kind[2:]), strict=True):
                object.__setattr__(node, name, value)
            if twice is not None and kind[1]:
                object.__setattr__(node, twice[2], getattr(node, twice[1]))
            return node

        jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
        return cls

    return register
