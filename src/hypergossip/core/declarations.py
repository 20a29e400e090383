"""The declarations of a method: its requirements, the roles of its vectors, and the fields that are static."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, NamedTuple, TypeVar, dataclass_transform

from hypergossip.support.pytree import register_pytree

Class = TypeVar("Class", bound=type)


class Needs(NamedTuple):
    """The requirements of a method on a problem and a network, which `core.requirements` checks.

    Attributes:
        personal_lower: Whether every agent has a personal y; a problem that shares an entry of y is then refused.
        upper_where_lower: Whether x must be shared if y is shared.
        symmetric: Whether the weights must be symmetric.
        connected: Whether the graph must be connected; if the network changes, that of all rounds together.
        doubly_stochastic: Whether the weights must be doubly stochastic. A method that needs no such weights asks for
            those of pulling or pushing in every `mix`.
    """

    personal_lower: bool = False
    upper_where_lower: bool = False
    symmetric: bool = False
    connected: bool = True
    doubly_stochastic: bool = True


class Vectors(NamedTuple):
    """The roles of the vectors of a method's state in the network, each given by the name of its field.

    Attributes:
        averages: Vectors that the agents agree on. `mix` replaces each by an average over the neighbours, so that
            vectors that are equal everywhere remain equal. Entries that the problem does not share stay private.
        masses: Trackers. `mix` preserves their sum over the network, so they are sent without change.
        differences: Dual variables: sums over the rounds of the differences between an agent and its neighbours. They
            are never sent, and they sum to zero over the network.
    """

    averages: tuple[str, ...] = ("x",)
    masses: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()


def static(*, default: Any = MISSING) -> Any:
    """Marks a static field, which shapes the program: it is hashable, compared by value, and never traced or swept.

    Args:
        default: The default value; without one the field is required.
    """
    return field(default=default, metadata={"static": True})


def is_static(part: Any, name: str) -> bool:
    """Returns whether a field of a dataclass, or of an instance of one, is marked by `static`."""
    return any(one.name == name and "static" in one.metadata for one in fields(part))


@dataclass_transform(frozen_default=True, field_specifiers=(static,))
def register(cls: Class) -> Class:
    """Makes a class of hyper-parameters a frozen dataclass and a pytree.

    Fields marked by `static` shape the program. Every other field is data, so that a sweep over it compiles once.

    Raises:
        ValueError: If the class has the form of an algorithm or estimator of version 0.1.
    """
    cls = dataclass(frozen=True)(cls)
    refuse_old_form(cls)
    return register_pytree(*(one.name for one in fields(cls) if "static" in one.metadata))(cls)


def refuse_old_form(cls: type) -> None:
    """Raises ValueError if a class has the form of an algorithm or estimator of version 0.1.

    Args:
        cls: A dataclass of hyper-parameters.
    """
    program = [name for name in ("init", "step", "adjoint", "__call__") if inspect.isfunction(getattr(cls, name, None))]
    changes = []
    if obsolete := [name for name in ("message", "later_message", "messages_per_round") if hasattr(cls, name)]:
        changes.append(f"remove {' and '.join(obsolete)}, which are now derived from step")
    if renamed := [name for name in program if "problem" in _arguments(getattr(cls, name))]:
        changes.append(f"rename the argument problem of {' and '.join(renamed)} to agent")
    unmarked = [one for one in fields(cls) if one.type in (int, bool, "int", "bool") and "static" not in one.metadata]
    if unmarked and program:
        wanted = ", ".join(f"{one.name}: {getattr(one.type, '__name__', one.type)} = static()" for one in unmarked)
        changes.append(f"write {wanted} for what shapes the program, and annotate numbers that may be swept with Any")
    if changes:
        raise ValueError(
            f"{cls.__name__} has the form of version 0.1 of hypergossip: {'; '.join(changes)}. Costs are added "
            "with +, and docs/extending.md has an example."
        )


def _arguments(function: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)
