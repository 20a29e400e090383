"""Steps held against the curvature before a run: what is negative, zero or beyond 2 / L gets a sentence."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import floor, log10
from typing import Any

import numpy as np

from hypergossip.algorithm import Facts
from hypergossip.leaf_steps import LEVELS
from hypergossip.schedules import LeafValues, SquaredStep, StepSize, dotted, values_at

SETTLED = 100  # rounds after which a decaying step must be small enough


def extremes(step: StepSize, round: int) -> tuple[float, float]:
    """Returns the smallest and the largest value of a step in a round, over the leaves where it has one for each."""
    values = values_at(step, round).values()
    return min(float(value.min()) for value in values), max(float(value.max()) for value in values)


def beyond_curvature(
    name: str, facts: Facts, steps: Mapping[str, StepSize], outcome: tuple[str, str] = ("diverges", "may diverge")
) -> list[str]:
    """Holds the steps of the lower level, or of its adjoint, against 2 / L, L its largest curvature at the start.

    Gradient steps of size s are stable if and only if s < 2 / L, and with a step D for each entry if and only if the
    largest eigenvalue of D^(1/2) (d2yy g) D^(1/2) is below 2: surely not where the smallest entry of D is not below
    2 / L, and perhaps not where the largest is not.

    Args:
        name: The method, for the message.
        facts: What is known before the run.
        steps: What the step is called -> the step.
        outcome: What a step beyond the bound does, and what it may do, for the message.

    Returns:
        A warning for every step that begins, or arrives within `SETTLED` rounds, at or above 2 / L.
    """
    largest = facts.lower_curvature[1]
    if largest <= 0:
        return []
    warnings, bound = [], 2 / largest
    for what, step in steps.items():
        first, settled = (values_at(step, round) for round in (0, SETTLED))
        leaf = max(first, key=lambda leaf: max(first[leaf].max(), settled[leaf].max()))
        begins, ends = float(first[leaf].max()), float(settled[leaf].max())
        if max(begins, ends) < bound:
            continue
        if begins == ends:
            told = f"= {begins:.3g} is beyond"
        elif begins < bound:
            told = f"reaches {ends:.3g} after {SETTLED} rounds, beyond"
        else:
            told = f"begins at {begins:.3g}, beyond"
        everywhere = " for every leaf" if leaf else ""
        surely = max(extremes(step, round)[0] for round in (0, SETTLED)) >= bound
        meanwhile = " until it has decayed" if ends < bound else ""
        warnings.append(
            f"{name}: {dotted(what, leaf)} {told} 2/L with L about {largest:.3g}; below {rounded_down(bound):.2g} "
            f"would do{everywhere}. L is the lower level's largest curvature at the start, and a step beyond 2/L "
            f"{outcome[0] if surely else outcome[1]}{meanwhile}."
        )
    return warnings


def rounded_down(bound: float) -> float:
    """Returns a positive number cut to two digits, never above it."""
    unit = 10.0 ** (floor(log10(bound)) - 1)
    return floor(bound / unit * (1 + 1e-12)) * unit


def check_signs(algorithm: Any) -> list[str]:
    """Refuses steps and momenta that are negative or not finite, and warns of a step that is zero.

    Args:
        algorithm: The algorithm; its estimator is looked at as well.

    Returns:
        A warning for every step that is zero for all leaves.

    Raises:
        ValueError: If one is negative, NaN or infinite in round 0.
    """
    warnings = []
    for part, what, value in _hyperparameters(algorithm):
        for leaf, values in _numbers(value).items():
            wrong = values[~(np.isfinite(values) & (values >= 0))]
            if wrong.size:
                raise ValueError(
                    f"{part}: {dotted(what, leaf)} is {float(wrong.flat[0]):.3g} in round 0; a step is a "
                    "positive finite number and a momentum lies in [0, 1]."
                )
        if what.endswith("_step") and extremes(value, 0)[1] == extremes(value, SETTLED)[1] == 0:
            moved = {"upper_step": "x", "lower_step": "y"}.get(what, "the adjoint")
            warnings.append(f"{part}: {what} is 0, so that {moved} never moves; give a positive number.")
    return warnings


def _hyperparameters(part: Any) -> Iterator[tuple[str, str, Any]]:
    """Yields the steps and momenta of an algorithm and of its estimator: whose, what it is called, and its value."""
    for field in fields(part) if is_dataclass(part) and not isinstance(part, type) else ():
        value = getattr(part, field.name)
        if field.name in LEVELS:
            yield type(part).__name__, field.name, value
        else:
            yield from _hyperparameters(value)


def _numbers(value: Any) -> dict[str, np.ndarray]:
    """Returns the values of a step or momentum in round 0, the factor c of `SquaredStep` for its own."""
    if isinstance(value, SquaredStep):
        return {"": np.asarray(value.c, np.float64)}
    if isinstance(value, LeafValues):
        pairs = zip(value.names, value.values, strict=True)
        return {name: _numbers(inner)[""] for name, inner in pairs}
    return values_at(value, 0)
