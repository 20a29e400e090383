"""MRBO: STORM on both levels, decaying steps, a summed Neumann series (Yang, Ji & Liang 2021, algorithm 1)."""

from typing import Any

import jax
import jax.numpy as jnp

from hypergossip.algorithms.diamond import Diamond
from hypergossip.hypergradients.mini_batch_neumann import MiniBatchNeumann
from hypergossip.schedules import PowerDecay, SquaredStep


def MRBO(
    upper_step: Any,
    lower_step: Any,
    upper_momentum: Any,
    lower_momentum: Any,
    terms: int,
    lipschitz: Any,
    scale: Any = 1.0,
    offset: Any = 1.0,
    batches: int = 1,
) -> Diamond:
    """Momentum-based recursive bilevel optimizer: DIAMOND with one agent, its steps and momenta tied to one decay.

    With ``eta_k = scale (offset + k)^(-1/3)`` it is ``x+ = project(x - upper_step eta_k u_k)`` and
    ``y+ = y - lower_step eta_k v_k``, where u_k and v_k are STORM's estimates at (x_k, y_k), with momenta of
    ``min(1, c eta_(k-1)^2)``. With one agent it is the paper's method; on several, it is DIAMOND.

    Args:
        upper_step: gamma > 0, a number, or one for each leaf of x0.
        lower_step: lambda > 0, a number, or one for each leaf of y0.
        upper_momentum: c of u, likewise (the paper's c_2).
        lower_momentum: c of v, likewise (the paper's c_1).
        terms: Terms of the Neumann series, the paper's Q + 1.
        lipschitz: L_g of the series, one over its step.
        scale: d.
        offset: m, positive.
        batches: Batches of every factor of the series; the paper takes one.

    Raises:
        ValueError: If a step or a momentum is a schedule.

    Returns:
        The method, under DIAMOND's name and laws: its steps are gamma eta_k and lambda eta_k.
    """
    given = upper_momentum, lower_momentum
    if any(callable(value) for value in jax.tree.leaves((upper_step, lower_step, given), is_leaf=callable)):
        raise ValueError("MRBO: its steps and momenta are numbers, which its own schedule multiplies; give numbers.")
    decay = lambda step: jax.tree.map(lambda value: PowerDecay(value * scale, offset, 1 / 3), step)
    if any(isinstance(value, dict | list | tuple) for value in (upper_step, *given)):
        # No one upper step from which SquaredStep could have eta_k, so the momenta compute it themselves.
        eta = PowerDecay(scale, offset, 1 / 3)
        upper, lower = (jax.tree.map(lambda c: jax.tree_util.Partial(_squared, c, eta), momentum) for momentum in given)
    else:
        upper, lower = (SquaredStep(c / upper_step**2) for c in given)  # which follows gamma eta_k
    return Diamond(decay(upper_step), decay(lower_step), upper, lower, MiniBatchNeumann(terms, lipschitz, batches))


def _squared(c: Any, eta: PowerDecay, round: Any) -> Any:
    """Returns c eta_(k-1)^2; what it is in round 0 does not count."""
    return c * eta(jnp.maximum(round - 1, 0)) ** 2
