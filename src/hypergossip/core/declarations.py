"""What a method declares as data: what it needs, what its vectors are, and which of its fields shape the program."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, NamedTuple, TypeVar, dataclass_transform

from hypergossip.support.pytree import register_pytree

Class = TypeVar("Class", bound=type)


class Needs(NamedTuple):
    """What a problem and a network must have for a method to work; `core.requirements` refuses what does not.

    Attributes:
        personal_lower: Is y every agent's own? Then a problem that shares an entry of it is refused.
        upper_where_lower: Must x be shared where y is?
        symmetric: Must the weights be symmetric? They are doubly stochastic for every method.
        connected: Must the graph be connected?
    """

    personal_lower: bool = False
    upper_where_lower: bool = False
    symmetric: bool = False
    connected: bool = True


class Vectors(NamedTuple):
    """What the vectors of a method's state are to the network, each by the name of its field.

    Attributes:
        averages: What the agents agree on: `mix` replaces each by an average of the neighbours', so that vectors that
            are equal everywhere stay so. Entries that the problem does not share are the agent's own.
        masses: Trackers, whose sum over the network `mix` keeps, and which are therefore sent as they are.
        differences: Sums over the rounds of differences between an agent and its neighbours: dual variables. Never
            sent; they sum to zero over the network.
    """

    averages: tuple[str, ...] = ("x",)
    masses: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()


def static(*, default: Any = MISSING) -> Any:
    """Marks a field that shapes the program: hashable, compared by value, never traced or swept.

    Args:
        default: Its default; without one it must be given.
    """
    return field(default=default, metadata={"static": True})


def is_static(part: Any, name: str) -> bool:
    """Is a field of a dataclass, or of an instance of one, marked by `static`?"""
    return any(one.name == name and "static" in one.metadata for one in fields(part))


@dataclass_transform(frozen_default=True, field_specifiers=(static,))
def register(cls: Class) -> Class:
    """Makes a class of hyper-parameters a frozen dataclass and a pytree.

    Fields marked by `static` shape the program; every other field is data, so that a sweep over it compiles once.

    Raises:
        ValueError: If the class has the form that algorithms and estimators had in version 0.1.
    """
    cls = dataclass(frozen=True)(cls)
    refuse_old_form(cls)
    return register_pytree(*(one.name for one in fields(cls) if "static" in one.metadata))(cls)


def refuse_old_form(cls: type) -> None:
    """Raises ValueError where a class has the form that algorithms and estimators had in version 0.1.

    Args:
        cls: A dataclass of hyper-parameters.
    """
    program = [name for name in ("init", "step", "adjoint", "__call__") if inspect.isfunction(getattr(cls, name, None))]
    changes = []
    if stated := [name for name in ("message", "later_message", "messages_per_round") if hasattr(cls, name)]:
        changes.append(f"remove {' and '.join(stated)}, which step tells by itself")
    if renamed := [name for name in program if "problem" in _arguments(getattr(cls, name))]:
        changes.append(f"call the argument problem of {' and '.join(renamed)} agent")
    unmarked = [one for one in fields(cls) if one.type in (int, bool, "int", "bool") and "static" not in one.metadata]
    if unmarked and program:
        wanted = ", ".join(f"{one.name}: {getattr(one.type, '__name__', one.type)} = static()" for one in unmarked)
        changes.append(f"write {wanted} for what shapes the program, and annotate with Any what is a number to sweep")
    if changes:
        raise ValueError(
            f"{cls.__name__} has the form of version 0.1 of hypergossip: {'; '.join(changes)}. Costs add with +, and "
            "docs/extending.md has an example."
        )


def _arguments(function: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)
