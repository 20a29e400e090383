"""Checks of steps before a run: errors and warnings on steps that are negative, zero, or above 2 / L."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import floor, log10
from typing import Any, NamedTuple

import numpy as np

from hypergossip.core.algorithm import Facts
from hypergossip.core.leaf_steps import LEVELS
from hypergossip.core.schedules import LeafValues, SquaredStep, StepSize, dotted, momentum_at, values_at

SETTLED = 100  # number of rounds after which a decaying step must be small enough
MOVED = {"lower_step": "y", "adjoint_step": "the adjoint"}


def extremes(step: StepSize, round: int) -> tuple[float, float]:
    """Returns the smallest and the largest value of a step in a round, over all leaves."""
    values = values_at(step, round).values()
    return min(float(value.min()) for value in values), max(float(value.max()) for value in values)


class Reach(NamedTuple):
    """The size of a step in round 0 and after `SETTLED` rounds.

    Attributes:
        leaf: The name of the leaf with the largest step, or "" if there is one step for all leaves.
        begins: That leaf's largest value in round 0.
        ends: Its largest value in round `SETTLED`.
        least: The smallest step over the leaves, in the one of the two rounds where this minimum is larger.
    """

    leaf: str
    begins: float
    ends: float
    least: float

    @property
    def largest(self) -> float:
        """The larger of its two values."""
        return max(self.begins, self.ends)

    def sentence(self, what: str, bound: float, constant: str, varying: str) -> str:
        """Returns the beginning of a sentence on a step above a bound: its name and its value.

        Args:
            what: The name of the step.
            bound: The bound.
            constant: The continuation if the step is the same in both rounds.
            varying: The continuation if it is not.
        """
        name = dotted(what, self.leaf)
        if self.begins == self.ends:
            return f"{name} = {self.begins:.3g}{constant}"
        if self.begins < bound:
            return f"{name} reaches {self.ends:.3g} after {SETTLED} rounds{varying}"
        return f"{name} begins at {self.begins:.3g}{varying}"


def reach(step: StepSize) -> Reach:
    """Returns the size of a step at the beginning and after it has settled, for the leaf with the largest step."""
    first, settled = (values_at(step, round) for round in (0, SETTLED))
    leaf = max(first, key=lambda leaf: max(first[leaf].max(), settled[leaf].max()))
    least = max(extremes(step, round)[0] for round in (0, SETTLED))
    return Reach(leaf, float(first[leaf].max()), float(settled[leaf].max()), least)


def beyond_curvature(
    facts: Facts,
    steps: Mapping[str, StepSize],
    outcome: tuple[str, str] = ("gradient descent diverges", "gradient descent may diverge"),
) -> list[str]:
    """Compares the steps of the lower level, or of its adjoint, with 2 / L, for its largest curvature L at the start.

    Gradient steps of size s on a quadratic are stable if and only if s < 2 / L. With a diagonal matrix D of steps they
    are stable if and only if the largest eigenvalue of D^(1/2) (d2yy g) D^(1/2) is below 2. They are unstable if the
    smallest entry of D is at least 2 / L, and may be unstable if the largest entry is. On other losses the iterates may
    remain bounded, since the curvature may decrease along the way. The result is therefore only a warning.

    Args:
        facts: The facts known before the run.
        steps: The name of the step -> the step.
        outcome: What happens above the bound, and what may happen, for the message.

    Returns:
        A warning for every step that is at or above 2 / L in round 0 or after `SETTLED` rounds.
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
            f"{reached.sentence(what, bound, ' is', ',')} above 2/L with L about {largest:.3g}; use a value "
            f"below {rounded_down(bound):.2g}{everywhere}. L is the lower level's largest curvature at the start; "
            f"if the curvature stays as it is, {happens}{meanwhile}."
        )
    return warnings


def rounded_down(bound: float) -> float:
    """Returns a positive number rounded down to two digits."""
    unit = 10.0 ** (floor(log10(bound)) - 1)
    return floor(bound / unit * (1 + 1e-12)) * unit


def check_signs(algorithm: Any, name: str | None = None) -> list[str]:
    """Refuses steps and momenta that are negative or not finite, and warns of a lower step that is zero.

    An upper step of zero is allowed: it keeps x fixed, for a study of the lower level alone.

    Args:
        algorithm: The algorithm; its estimator is checked as well.
        name: Its name; the name of its class if absent.

    Returns:
        A warning for every step of y or of the adjoint that is zero for all leaves.

    Raises:
        ValueError: If one is negative, NaN or infinite in round 0, or True or False.
    """
    warnings = []
    for part, what, value in _hyperparameters(algorithm, name or type(algorithm).__name__):
        if isinstance(value, bool):
            raise ValueError(f"{part}: {what} is {value}; give a number or a schedule.")
        for leaf, values in _numbers(value).items():
            wrong = values[~(np.isfinite(values) & (values >= 0))]
            if wrong.size:
                raise ValueError(
                    f"{part}: {dotted(what, leaf)} is {float(wrong.flat[0]):.3g} in round 0; a step is a "
                    "positive finite number and a momentum lies in [0, 1]."
                )
        if what in MOVED and extremes(value, 0)[1] == extremes(value, SETTLED)[1] == 0:
            moved = MOVED[what]
            warnings.append(f"{part}: {what} is 0, so {moved} never changes; give a positive number.")
    return warnings


def check_momenta(method: Any) -> None:
    """Raises ValueError if a momentum is a number outside [0, 1], or one of all variables is negative in round 1.

    A schedule may begin above 1, where it is clipped. A momentum of all variables is not used in round 0. Schedules of
    one level's momentum are checked by `check_signs`.

    Args:
        method: A method whose momenta are weights of an average, clipped by `momentum_at`.
    """
    for field in fields(method):
        value = getattr(method, field.name)
        number = "momentum" in field.name and isinstance(value, int | float | np.integer | np.floating)
        if number and not 0 <= value <= 1:
            raise ValueError(f"{field.name} is {float(value):.3g}; a momentum lies in [0, 1], and 1 means none.")
        if field.name == "momentum" and value is not None:
            weight = float(np.min(momentum_at(value, method.upper_step, 1)))
            if not weight >= 0:
                raise ValueError(f"momentum is {weight:.3g} in round 1; it lies in [0, 1], and 1 means none.")


def check_average(name: str, momentum: StepSize) -> None:
    """Raises ValueError if a momentum that is used without clipping is outside (0, 1] in round 0.

    Args:
        name: Its name.
        momentum: A number, a schedule, or values for the leaves.
    """
    for values in values_at(momentum, 0).values():
        wrong = values[~((values > 0) & (values <= 1))]
        if wrong.size:
            raise ValueError(
                f"{name} is {float(wrong.flat[0]):.3g} in round 0; it is the weight of the new direction in an "
                "average, so take it in (0, 1], such as 0.5, or a schedule that begins there."
            )


def _hyperparameters(part: Any, name: str) -> Iterator[tuple[str, str, Any]]:
    """Yields the steps and momenta of an algorithm and of its estimator: the owner's name, the name, and the value."""
    for field in fields(part) if is_dataclass(part) and not isinstance(part, type) else ():
        value = getattr(part, field.name)
        if field.name in LEVELS:
            yield name, field.name, value
        else:
            yield from _hyperparameters(value, type(value).__name__)


def _numbers(value: Any) -> dict[str, np.ndarray]:
    """Returns the values of a step or momentum in round 0; for `SquaredStep`, its factor c."""
    if isinstance(value, SquaredStep):
        return {"": np.asarray(value.c, np.float64)}
    if isinstance(value, LeafValues):
        pairs = zip(value.names, value.values, strict=True)
        return {name: _numbers(inner)[""] for name, inner in pairs}
    return values_at(value, 0)
