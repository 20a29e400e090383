"""Frozen dataclasses as pytrees whose structure includes the class.

With `jax.tree_util.register_dataclass` (JAX 0.10.2), two classes with equal field names have equal tree structures. A
compiled program of one class may then, depending on hashing, be used for the other, such as DSGD's rounds for GTSGD's.
"""

import contextlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import jax
from jax.tree_util import GetAttrKey

Class = TypeVar("Class", bound=type)
REGISTERED = "_registered_as_pytree"  # the attribute that holds how a class was registered


def register_pytree(*static: str, twice: tuple[str, str, str] | None = None) -> Callable[[Class], Class]:
    """Registers a frozen dataclass as a pytree.

    Rebuilding an instance calls neither `__init__` nor `__post_init__`, because JAX also builds trees of other objects.

    Args:
        static: Fields that shape the program: hashable, compared by value, not traced. The others are children.
        twice: A static field and two other fields. If the first is true, the other two are the same object and only
            one child, so that no program holds it twice.

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
        setattr(cls, REGISTERED, (static, twice))
        return cls

    return register


def classes_of_scripts(tree: Any) -> list[type]:
    """Returns the classes in a tree of dataclasses that are defined in the user's script.

    Pickled by value, such a class is made anew in another process, where `register_again` must register it.

    Args:
        tree: A dataclass, a tuple, a list, a dict, or anything else.
    """
    if is_dataclass(tree) and not isinstance(tree, type):
        inner = [getattr(tree, field.name) for field in fields(tree) if hasattr(tree, field.name)]
        own = [type(tree)] if type(tree).__module__ == "__main__" and hasattr(tree, REGISTERED) else []
    else:
        inner = list(tree.values()) if isinstance(tree, dict) else list(tree) if isinstance(tree, tuple | list) else []
        own = []
    return list(dict.fromkeys([*own, *(found for part in inner for found in classes_of_scripts(part))]))


def register_again(cls: type) -> None:
    """Registers a class as in the process in which it was defined, unless it is registered here.

    Args:
        cls: The class, from `classes_of_scripts`.
    """
    static, twice = getattr(cls, REGISTERED)
    with contextlib.suppress(ValueError):
        register_pytree(*static, twice=twice)(cls)
