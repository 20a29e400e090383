"""Checks of hyperparameters before a run: those that are one number, and those that shape the program."""

from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

import jax
import numpy as np

KINDS = {bool: "True or False", int: "a whole number", str: "a name in quotes"}


def one_number(name: str, value: Any, advice: str, most: float = np.inf) -> float:
    """Returns a hyperparameter that is one positive finite number.

    Args:
        name: Its name.
        value: The user's value: a number, or an array without axes.
        advice: What to give instead, such as "take 20".
        most: The largest allowed value.

    Raises:
        ValueError: If it is not one number, not finite, not positive, or above the largest.
    """
    if value is None or isinstance(value, bool | np.bool_ | str) or callable(value) or np.ndim(value):
        raise ValueError(f"{name} is {value!r}; it is one number, the same in all rounds, not a schedule: {advice}.")
    number = float(value)
    if not (np.isfinite(number) and 0 < number <= most):
        wanted = f"lie in (0, {most:g}]" if np.isfinite(most) else "be finite and positive"
        raise ValueError(f"{name} = {number:.3g}; it must {wanted}: {advice}.")
    return number


def check_static(part: Any) -> None:
    """Checks the types of the static fields of an algorithm and of its estimators, and that estimators are callable.

    Args:
        part: The algorithm or the estimator.

    Raises:
        ValueError: If a static field has another type than its annotation, or an estimator is not one.
    """
    if not is_dataclass(part) or isinstance(part, type):
        return
    owner = type(part).__name__
    for field in fields(part):
        value = getattr(part, field.name)
        if field.name == "hypergradient" and not callable(value):
            raise ValueError(f"{owner}: hypergradient is {value!r}; give an estimator, such as hg.Neumann(10, 0.1).")
        if "static" in field.metadata:
            _check_type(f"{owner}: {field.name}", value, field.type)
        else:
            check_static(value)


def check_values(part: Any) -> None:
    """Checks the numbers of an algorithm and of its estimators: each is finite, and None stands only for a default.

    Numbers inside a schedule are not checked here, as only its values matter (`step_bounds.check_signs`).

    Args:
        part: The algorithm or the estimator.

    Raises:
        ValueError: If a number is NaN, infinite, True or False, or a field is None whose default is something else.
    """
    for field in fields(part):
        value, name = getattr(part, field.name), f"{type(part).__name__}: {field.name}"
        if "static" in field.metadata:
            continue
        if value is None and field.default is not None:
            raise ValueError(f"{name} is None; give a number{_example(field.default)}.")
        if is_dataclass(value) and not isinstance(value, type) and hasattr(value, "check"):
            check_values(value)
            continue
        for leaf in () if callable(value) else jax.tree.leaves(value):
            if isinstance(leaf, bool | np.bool_):
                raise ValueError(f"{name} is {leaf}; give a number{_example(field.default)}.")
            if np.issubdtype(np.result_type(leaf), np.inexact) and not np.isfinite(leaf).all():
                raise ValueError(f"{name} is {leaf}; give a finite number{_example(field.default)}.")


def _example(default: Any) -> str:
    """Returns a default as an example in a message, if it is a number."""
    return f" such as {default:g}" if isinstance(default, int | float) else ""


def _check_type(name: str, value: Any, annotation: Any) -> None:
    """Raises ValueError if a value does not have the annotated type, which is bool, int, str, or one of these or None.

    Args:
        name: The name of the field in the message.
        value: The user's value.
        annotation: The annotation of the field; one of any other kind is not checked.
    """
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    known = [kind for kind in kinds if kind in KINDS]
    if not known or len(known) + (type(None) in kinds) < len(kinds):
        return
    allowed = {bool: bool | np.bool_, int: int | np.integer, str: str}
    fits = lambda kind: isinstance(value, allowed[kind]) and (kind is bool or not isinstance(value, bool))
    if not (any(map(fits, known)) or (value is None and type(None) in kinds)):
        wanted = " or ".join([*(KINDS[kind] for kind in known), *(["None"] if type(None) in kinds else [])])
        raise ValueError(f"{name} is {value!r}, of type {type(value).__name__}; give {wanted}.")
