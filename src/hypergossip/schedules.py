"""Step sizes and momenta as small pytrees: their numbers are traced, so a sweep over them compiles once."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from hypergossip.pytree import register_pytree

Round = Any  # a scalar integer: the network's round, traced by the engine
Scalar = Any  # a scalar number: a Python float or a zero-dimensional array


@register_pytree()
@dataclass(frozen=True)
class Constant:
    """The same value in every round; a plain number given as a step is taken as this.

    Args:
        value: The value.
    """

    value: Scalar

    def __call__(self, round: Round) -> Scalar:
        """Returns the value, whatever the round."""
        return self.value


@register_pytree()
@dataclass(frozen=True)
class PowerDecay:
    """``scale * (offset + t) ** -power``, the form of DIAMOND's theorem 1 (there power = 1/3).

    Args:
        scale: c, the factor.
        offset: omega, at least 1, so that round 0 is finite.
        power: the exponent, not negative.
    """

    scale: Scalar
    offset: Scalar = 1.0
    power: Scalar = 1 / 3

    def __post_init__(self) -> None:
        if isinstance(self.offset, int | float) and self.offset <= 0:
            raise ValueError(f"PowerDecay: offset is {self.offset}, and round 0 would divide by zero; take 1 or more.")

    def __call__(self, round: Round) -> Scalar:
        """Returns the value in the given round."""
        t = jnp.asarray(round, jnp.result_type(float))
        return self.scale * (self.offset + t) ** -self.power


@register_pytree()
@dataclass(frozen=True)
class SquaredStep:
    """``min(1, c * upper_step(t - 1) ** 2)``: the momentum coefficients of DIAMOND's theorem 1.

    Only for ``upper_momentum`` and ``lower_momentum``: it follows the upper step of the same algorithm.

    Args:
        c: c_eta or c_gamma.
    """

    c: Scalar


StepSize = Any  # a number or a callable of the round; see `at`
Momentum = Any  # a number, a callable of the round, or SquaredStep; see `momentum_at`


def at(schedule: StepSize, round: Round) -> Scalar:
    """Returns a schedule's value in a round.

    Args:
        schedule: A number, or a pytree that is called with the round.
        round: The network's round, a scalar.

    Raises:
        ValueError: If it is `SquaredStep`, which is no step.
    """
    if isinstance(schedule, SquaredStep):
        raise ValueError("SquaredStep follows the upper step and is for the momenta; a step is a number or PowerDecay.")
    return schedule(round) if callable(schedule) else schedule


def momentum_at(momentum: Momentum, upper_step: StepSize, round: Round) -> Scalar:
    """Returns a momentum coefficient in a round: 1 in round 0, whatever is given (equations.md, DIAMOND's start).

    Args:
        momentum: A number, a schedule, or `SquaredStep`.
        upper_step: The upper step that `SquaredStep` follows.
        round: The network's round, a scalar.
    """
    if isinstance(momentum, SquaredStep):
        # Theorem 1: eta_{t+1} = c_eta alpha_t^2, cut at 1 as equations.md decides.
        value = jnp.minimum(1.0, momentum.c * at(upper_step, jnp.maximum(round - 1, 0)) ** 2)
    else:
        value = jnp.minimum(1.0, at(momentum, round))
    return jnp.where(round == 0, 1.0, value)
