"""Steps held against the curvature before a run: what is negative, zero or beyond 2 / L gets a sentence."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import floor, log10
from typing import Any, NamedTuple

import numpy as np

from hypergossip.core.algorithm import Facts
from hypergossip.core.leaf_steps import LEVELS
from hypergossip.core.schedules import LeafValues, SquaredStep, StepSize, dotted, values_at

SETTLED = 100  # rounds after which a decaying step must be small enough
MOVED = {"lower_step": "y", "adjoint_step": "the adjoint"}


def extremes(step: StepSize, round: int) -> tuple[float, float]:
    """Returns the smallest and the largest value of a step in a round, over the leaves where it has one for each."""
    values = values_at(step, round).values()
    return min(float(value.min()) for value in values), max(float(value.max()) for value in values)


class Reach(NamedTuple):
    """How large a step is in round 0 and after `SETTLED` rounds.

    Attributes:
        leaf: The name of the leaf whose step is the largest, or "" where there is one for all leaves.
        begins: That leaf's largest value in round 0.
        ends: Its largest value in round `SETTLED`.
        least: What no leaf's step is below, in the one of the two rounds where this is larger.
    """

    leaf: str
    begins: float
    ends: float
    least: float

    @property
    def largest(self) -> float:
        """The larger of its two values."""
        return max(self.begins, self.ends)

    def told(self, what: str, bound: float, constant: str, varying: str) -> str:
        """Returns the beginning of a sentence on a step beyond a bound: its name, and its value there.

        Args:
            what: What the step is called.
            bound: What it is beyond.
            constant: How the sentence goes on where the step is the same in both rounds.
            varying: How it goes on where it is not.
        """
        name = dotted(what, self.leaf)
        if self.begins == self.ends:
            return f"{name} = {self.begins:.3g}{constant}"
        if self.begins < bound:
            return f"{name} reaches {self.ends:.3g} after {SETTLED} rounds{varying}"
        return f"{name} begins at {self.begins:.3g}{varying}"


def reach(step: StepSize) -> Reach:
    """Returns how large a step is where it begins and where it settles, for the leaf where it is the largest."""
    first, settled = (values_at(step, round) for round in (0, SETTLED))
    leaf = max(first, key=lambda leaf: max(first[leaf].max(), settled[leaf].max()))
    least = max(extremes(step, round)[0] for round in (0, SETTLED))
    return Reach(leaf, float(first[leaf].max()), float(settled[leaf].max()), least)


def beyond_curvature(
    facts: Facts,
    steps: Mapping[str, StepSize],
    outcome: tuple[str, str] = ("gradient descent diverges", "gradient descent may diverge"),
) -> list[str]:
    """Holds the steps of the lower level, or of its adjoint, against 2 / L, L its largest curvature at the start.

    Gradient steps of size s on a quadratic are stable if and only if s < 2 / L, and with a step D for each entry if
    and only if the largest eigenvalue of D^(1/2) (d2yy g) D^(1/2) is below 2: surely not where the smallest entry of D
    is not below 2 / L, and perhaps not where the largest is not. On another loss they may stay bounded all the same,
    as its curvature may fall on the way: hence a warning, and one that says so.

    Args:
        facts: What is known before the run.
        steps: What the step is called -> the step.
        outcome: What happens beyond the bound, and what may happen, for the message.

    Returns:
        A warning for every step that begins, or arrives within `SETTLED` rounds, at or above 2 / L.
    """
    largest = facts.lower_curvature[1]
    if largest <= 0:
        return []
    warnings, bound = [], 2 / largest
    for what, step in steps.items():
        reached = reach(step)
        if reached.largest < bound:
            continue
        everywhere = " for every leaf" if reached.leaf else ""
        happens = outcome[0] if reached.least >= bound else outcome[1]
        meanwhile = " until the step has decayed" if reached.ends < bound else ""
        warnings.append(
            f"{reached.told(what, bound, ' is', ',')} beyond 2/L with L about {largest:.3g}; below "
            f"{rounded_down(bound):.2g} would do{everywhere}. L is the lower level's largest curvature at the start; "
            f"where the curvature stays so, {happens}{meanwhile}."
        )
    return warnings


def rounded_down(bound: float) -> float:
    """Returns a positive number cut to two digits, never above it."""
    unit = 10.0 ** (floor(log10(bound)) - 1)
    return floor(bound / unit * (1 + 1e-12)) * unit


def check_signs(algorithm: Any, name: str | None = None) -> list[str]:
    """Refuses steps and momenta that are negative or not finite, and warns of a lower step that is zero.

    An upper step of zero holds x where it is, as one does to judge the lower level alone.

    Args:
        algorithm: The algorithm; its estimator is looked at as well.
        name: What it is called; its class's name if absent.

    Returns:
        A warning for every step of y or of the adjoint that is zero for all leaves.

    Raises:
        ValueError: If one is negative, NaN or infinite in round 0.
    """
    warnings = []
    for part, what, value in _hyperparameters(algorithm, name or type(algorithm).__name__):
        for leaf, values in _numbers(value).items():
            wrong = values[~(np.isfinite(values) & (values >= 0))]
            if wrong.size:
                raise ValueError(
                    f"{part}: {dotted(what, leaf)} is {float(wrong.flat[0]):.3g} in round 0; a step is a "
                    "positive finite number and a momentum lies in [0, 1]."
                )
        if what in MOVED and extremes(value, 0)[1] == extremes(value, SETTLED)[1] == 0:
            moved = MOVED[what]
            warnings.append(f"{part}: {what} is 0, so that {moved} never moves; give a positive number.")
    return warnings


def _hyperparameters(part: Any, name: str) -> Iterator[tuple[str, str, Any]]:
    """Yields the steps and momenta of an algorithm and of its estimator: whose, what it is called, and its value."""
    for field in fields(part) if is_dataclass(part) and not isinstance(part, type) else ():
        value = getattr(part, field.name)
        if field.name in LEVELS:
            yield name, field.name, value
        else:
            yield from _hyperparameters(value, type(value).__name__)


def _numbers(value: Any) -> dict[str, np.ndarray]:
    """Returns the values of a step or momentum in round 0, the factor c of `SquaredStep` for its own."""
    if isinstance(value, SquaredStep):
        return {"": np.asarray(value.c, np.float64)}
    if isinstance(value, LeafValues):
        pairs = zip(value.names, value.values, strict=True)
        return {name: _numbers(inner)[""] for name, inner in pairs}
    return values_at(value, 0)
