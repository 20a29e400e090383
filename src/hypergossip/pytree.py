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


def register_pytree(*static: str) -> Callable[[Class], Class]:
    """Registers a frozen dataclass as a pytree.

    Rebuilding an instance calls neither `__init__` nor `__post_init__`: JAX puts things into trees that are not arrays.

    Args:
        static: Fields that shape the program: hashable, compared by value, not traced. The others are children.

    Returns:
        The decorator.
    """

    def register(cls: Class) -> Class:
        data = [field.name for field in fields(cls) if field.name not in static]

        def flatten(node: Any) -> tuple[tuple, tuple]:
            return tuple(getattr(node, name) for name in data), (cls, *(getattr(node, name) for name in static))

        def flatten_with_keys(node: Any) -> tuple[tuple, tuple]:
            children, kind = flatten(node)
            return tuple(zip(map(GetAttrKey, data), children, strict=True)), kind

        def unflatten(kind: tuple, children: Any) -> Any:
            node = object.__new__(cls)
            for name, value in zip((*data, *static), (*children, *kind[1:]), strict=True):
                object.__setattr__(node, name, value)
            return node

        jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
        return cls

    return register
