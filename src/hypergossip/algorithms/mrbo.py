"""MRBO: STORM on both levels, decaying steps and a summed Neumann series (Yang, Ji & Liang 2021, algorithm 1)."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from hypergossip.algorithms.diamond import Diamond
from hypergossip.core.algorithm import Facts
from hypergossip.core.declarations import register, static
from hypergossip.core.hyperparameter_checks import one_number
from hypergossip.core.preset import Preset
from hypergossip.core.schedules import LeafValues, Momentum, PowerDecay, SquaredStep, StepSize
from hypergossip.hypergradients.mini_batch_neumann import MiniBatchNeumann


@register
class MRBO(Preset, of=Diamond):
    """Momentum-based recursive bilevel optimizer: DIAMOND with one agent, with steps and momenta tied to one decay.

    With ``eta_k = scale (offset + k)^(-1/3)`` the method is ``x+ = project(x - upper_step eta_k u_k)`` and
    ``y+ = y - lower_step eta_k v_k``, where u_k and v_k are STORM's estimates at (x_k, y_k), with momenta of
    ``min(1, c eta_(k-1)^2)``. With one agent it is the paper's method. With several agents it is DIAMOND.

    Args:
        upper_step: gamma > 0, a number, or one for each leaf of x0.
        lower_step: lambda > 0, a number, or one for each leaf of y0.
        upper_momentum: c of u, likewise (the paper's c_2).
        lower_momentum: c of v, likewise (the paper's c_1).
        terms: The number of terms of the Neumann series, the paper's Q + 1.
        lipschitz: L_g of the series, the inverse of its step.
        scale: d.
        offset: m, positive.
        batches: The number of batches of every factor of the series; the paper uses one.

    Raises:
        ValueError: If a step or a momentum is a schedule.
    """

    upper_step: StepSize
    lower_step: StepSize
    upper_momentum: Momentum
    lower_momentum: Momentum
    terms: int = static()
    lipschitz: Any
    scale: Any = 1.0
    offset: Any = 1.0
    batches: int = static(default=1)

    def __post_init__(self) -> None:
        numbers = self.upper_step, self.lower_step, self.upper_momentum, self.lower_momentum
        if any(map(_is_schedule, jax.tree.leaves(numbers, is_leaf=_is_schedule))):
            raise ValueError(
                "MRBO: its steps and momenta must be numbers, which its own schedule multiplies; give numbers."
            )

    @property
    def method(self) -> Diamond:
        """DIAMOND with steps of gamma eta_k and lambda eta_k, and the paper's series."""
        eta = PowerDecay(self.scale, self.offset, 1 / 3)
        decay = lambda step: jax.tree.map(lambda value: PowerDecay(value * self.scale, self.offset, 1 / 3), step)
        squared = lambda momentum: jax.tree.map(lambda c: Partial(_squared, c, eta), momentum)
        series = MiniBatchNeumann(self.terms, self.lipschitz, self.batches)
        momenta = squared(self.upper_momentum), squared(self.lower_momentum)
        return Diamond(decay(self.upper_step), decay(self.lower_step), *momenta, series)

    def check(self, facts: Facts) -> list[str]:
        """Refuses a decay that is not positive, then checks as DIAMOND does."""
        one_number("scale", self.scale, "the paper's d, such as 1")
        one_number("offset", self.offset, "the paper's m, such as 1")
        return super().check(facts)


def _is_schedule(node: Any) -> bool:
    return isinstance(node, SquaredStep) or (callable(node) and not isinstance(node, LeafValues))


def _squared(c: Any, eta: PowerDecay, round: Any) -> Any:
    """Returns c eta_(k-1)^2. The value in round 0 is not used."""
    return c * eta(jnp.maximum(round - 1, 0)) ** 2
