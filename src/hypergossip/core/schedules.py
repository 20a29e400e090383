"""Step sizes and momenta as small pytrees. Their numbers are traced, so a sweep over them compiles once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.algorithm import Vector
from hypergossip.support.pytree import register_pytree

Round = Any  # a scalar integer: the network's round, traced by the engine
Scalar = Any  # a scalar number: a Python float or a zero-dimensional array


@register_pytree()
@dataclass(frozen=True)
class Constant:
    """The same value in every round. A plain number has the same meaning.

    Args:
        value: The value.
    """

    value: Scalar

    def __call__(self, round: Round) -> Scalar:
        """Returns the value, which does not depend on the round."""
        return self.value


@register_pytree()
@dataclass(frozen=True)
class PowerDecay:
    """``scale * (offset + t) ** -power``, the form of DIAMOND's theorem 1 (there power = 1/3).

    Args:
        scale: the factor c.
        offset: omega, at least 1, so that round 0 is finite.
        power: the nonnegative exponent.
    """

    scale: Scalar
    offset: Scalar = 1.0
    power: Scalar = 1 / 3

    def __post_init__(self) -> None:
        if isinstance(self.offset, int | float) and self.offset <= 0:
            raise ValueError(f"PowerDecay: offset is {self.offset}, and round 0 would divide by zero; use 1 or more.")

    def __call__(self, round: Round) -> Scalar:
        """Returns the value in the given round."""
        # Checks before a run pass Python's own numbers, for which nothing is compiled.
        t = float(round) if isinstance(round, int) else jnp.asarray(round, jnp.result_type(float))
        return self.scale * (self.offset + t) ** -self.power


@register_pytree()
@dataclass(frozen=True)
class SquaredStep:
    """``min(1, c * upper_step(t - 1) ** 2)``: the momentum coefficients of DIAMOND's theorem 1.

    It is only for ``upper_momentum`` and ``lower_momentum``, and it follows the upper step of the same algorithm.

    Args:
        c: c_eta or c_gamma.
    """

    c: Scalar


@register_pytree()
@dataclass(frozen=True)
class InverseStep:
    """``factor / step(t)``: a penalty rho for which rho times the step, the rate of consensus, is always the same.

    It is only for ``rho`` of `Slam` and `SlamTracked`, in which every variable follows its own step. With a constant
    rho, a step that decays slows consensus down, and steps of different sizes have different rates. It is stable for
    factors below 4 / ((1 + 2 gamma) mu_max), mu_max being the largest eigenvalue of I - W, less what the curvature
    needs.

    Args:
        factor: rho times the step.
    """

    factor: Scalar


@register_pytree("sizes", "names")
@dataclass(frozen=True)
class LeafValues:
    """A value for each leaf of x or y. It is called with the round, like any schedule, and returns one flat vector.

    `core.leaf_steps` makes it from a pytree prefix of x0 or y0 before a run. An algorithm then multiplies by a vector
    instead of a number.

    Attributes:
        values: For each part of the flat vector, a number, an array with one value for each entry, or a schedule.
        sizes: The number of entries of each part, in order.
        names: The name of each part, for messages.
    """

    values: tuple[Any, ...]
    sizes: tuple[int, ...]
    names: tuple[str, ...]

    def __call__(self, round: Round) -> Vector:
        """Returns the vector of a round."""
        return self.spread([at(value, round) for value in self.values])

    def spread(self, values: Sequence[Any]) -> Vector:
        """Returns one flat vector from one value for each part: a scalar, or an array with the entries of the part."""
        dtype = jnp.result_type(float)
        flat = (jnp.ravel(jnp.asarray(value, dtype)) for value in values)
        return jnp.concatenate([jnp.broadcast_to(v, (size,)) for v, size in zip(flat, self.sizes, strict=True)])


# These differ from `Any` by their texts, so that the command line knows which options can be schedules.
StepSize = Annotated[Any, "a number, a callable of the round, or a pytree prefix of x0 or y0 of these; see `at`"]
Momentum = Annotated[Any, "the same, or SquaredStep in the place of a number; see `momentum_at`"]
Penalty = Annotated[Any, "a number, or InverseStep; see `penalty_at`"]


def at(schedule: StepSize, round: Round) -> Scalar | Vector:
    """Returns a schedule's value in a round: a scalar, or a vector if it has a value for each leaf.

    Args:
        schedule: A number, or a pytree that is called with the round.
        round: The network's round, a scalar.

    Raises:
        ValueError: If it is `SquaredStep`, which is not a step.
    """
    if isinstance(schedule, SquaredStep):
        raise ValueError("SquaredStep follows the upper step and is for the momenta; a step is a number or PowerDecay.")
    return schedule(round) if callable(schedule) else schedule


def momentum_at(momentum: Momentum, upper_step: StepSize, round: Round) -> Scalar | Vector:
    """Returns a momentum coefficient in a round. It is always 1 in round 0 (equations.md, DIAMOND's start).

    Args:
        momentum: A number, a schedule, or `SquaredStep`; or `LeafValues` of these.
        upper_step: The upper step that `SquaredStep` follows, entry by entry if it is a vector.
        round: The network's round, a scalar.
    """
    return jnp.where(round == 0, 1.0, jnp.minimum(1.0, _unclipped(momentum, upper_step, round)))


def penalty_at(rho: Penalty, step: Scalar | Vector) -> Scalar | Vector:
    """Returns a penalty for a variable.

    Args:
        rho: A number, or `InverseStep`.
        step: The variable's step in this round.
    """
    return rho.factor / step if isinstance(rho, InverseStep) else rho


def ascent_factors(rho: Penalty, round: Round, penalties: Any) -> Any:
    """Returns the `factors` of `mix` for dual variables that add up differences times rho from round 1 on.

    Args:
        rho: A number, or `InverseStep`; a number is the same factor in every round, for which 1 is as good.
        round: The round.
        penalties: The penalty of every vector of the message.
    """
    of_round = penalties if isinstance(rho, InverseStep) else jax.tree.map(jnp.ones_like, penalties)
    return jax.tree.map(lambda factor: jnp.where(round > 0, factor, jnp.zeros_like(factor)), of_round)


def _unclipped(momentum: Momentum, upper_step: StepSize, round: Round) -> Scalar | Vector:
    if isinstance(momentum, SquaredStep):
        # Theorem 1: eta_{t+1} = c_eta alpha_t^2; the caller limits it to 1 (equations.md).
        return momentum.c * at(upper_step, jnp.maximum(round - 1, 0)) ** 2
    if isinstance(momentum, LeafValues):
        ends = accumulate(momentum.sizes)
        parts = zip(momentum.values, momentum.sizes, ends, strict=True)
        return momentum.spread(
            [_unclipped(value, _entries(upper_step, end - n, end), round) for value, n, end in parts]
        )
    return at(momentum, round)


def _entries(step: StepSize, start: int, end: int) -> StepSize:
    """Returns the part of a step that applies to a range of entries of the flat vector; a scalar applies to all."""

    def part(round: Round) -> Scalar | Vector:
        value = at(step, round)
        return value[start:end] if jnp.ndim(value) else value

    return part


def values_at(step: StepSize, round: int) -> dict[str, np.ndarray]:
    """Returns a step's values in a round on the host, for checks before a run.

    Args:
        step: A number, a schedule, or a value for each leaf.
        round: The round.

    Returns:
        The leaf's name -> its value or values; the name is "" if there is one value for all leaves.

    Raises:
        ValueError: If it is `SquaredStep`, which is not a step.
    """
    if isinstance(step, LeafValues):
        named = zip(step.names, step.values, strict=True)
    else:
        pairs = jax.tree_util.tree_leaves_with_path(step, is_leaf=lambda node: callable(node) or _is_rule(node))
        named = ((leaf_name(path), value) for path, value in pairs)
    return {name: np.asarray(at(value, round), np.float64) for name, value in named}


def leaf_name(path: Sequence[Any]) -> str:
    """Returns the name of a leaf in messages, files and grids, such as "net.w", or "" for a tree of one leaf."""
    return jax.tree_util.keystr(tuple(path), simple=True, separator=".")


def dotted(name: str, leaf: str) -> str:
    """Returns "lower_step.net.w" for the step "lower_step" and its leaf "net.w", or only the step for the leaf ""."""
    return f"{name}.{leaf}" if leaf else name


def _is_rule(node: Any) -> bool:
    return isinstance(node, SquaredStep)
