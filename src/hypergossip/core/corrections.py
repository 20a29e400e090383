"""SPARKLE's corrections: how a variable of the network moves without the bias of heterogeneity (Zhu et al. 2024).

Each is s+ = A (C s - step D) - B d, d+ = d + B s+ with A, B and C made of W. The forms below give the same sequences
and have no square roots, whose rounding errors would add up.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from hypergossip.core.algorithm import Facts, Mix, Vector
from hypergossip.core.heterogeneity import without_tracking
from hypergossip.core.schedules import StepSize
from hypergossip.core.step_bounds import reach
from hypergossip.core.tracked_steps import tracking_bound

CORRECTIONS = ("ED", "EXTRA", "GT", "semi-GT", "ATC-GT", "none")
TRACKING = ("GT", "semi-GT", "ATC-GT")
DUAL = ("ED", "EXTRA")
ROUNDING = 1e-9


class Variable(NamedTuple):
    """One of x, y and z in a round: a vector s, its step, and what its correction remembers.

    Attributes:
        correction: One of `CORRECTIONS`.
        upper: Whether it is of the upper level.
        s: The vector.
        step: Its step, a number or a vector.
        c: The correction of ED and EXTRA, which sums to zero over the network; () for the others.
        t: The tracker, whose sum is that of the directions; () without tracking.
        before: The direction of the last round; () without tracking.
        D: The direction of this round.
    """

    correction: str
    upper: bool
    s: Vector
    step: Any
    c: Any
    t: Any
    before: Any
    D: Any = ()


def move(mix: Mix, round: Any, variables: Sequence[Variable], call: int = 0) -> list[Variable]:
    """Moves variables by their directions, in one exchange, or in two if one of them is of ATC-GT.

    Args:
        mix: The weighted average over the neighbours.
        round: The network's round.
        variables: The variables, with their directions.
        call: The number of the first exchange within the round.

    Returns:
        The variables after the round; `s` is not projected.
    """
    adapted = [v for v in variables if v.correction == "ATC-GT"]
    if adapted:
        mixed = iter(_exchange(mix, adapted, [(v.t + v.D - v.before,) for v in adapted], call, round))
        variables = [v._replace(t=next(mixed)[0]) if v.correction == "ATC-GT" else v for v in variables]
    sent = [_sent(v) for v in variables]
    received = _exchange(mix, variables, sent, call + bool(adapted), round)
    return [_moved(v, own, theirs, round) for v, own, theirs in zip(variables, sent, received, strict=True)]


def _sent(v: Variable) -> tuple[Vector, ...]:
    if v.correction == "ED":
        return (v.s - v.step * v.D + v.c,)
    if v.correction == "none":
        return (v.s - v.step * v.D,)
    if v.correction == "semi-GT":  # its tracker is kept mixed
        t = v.t + v.D - v.before
        return t, v.s - v.step * t
    if v.correction == "ATC-GT":
        return (v.s - v.step * v.t,)
    return (v.t, v.s) if v.correction == "GT" else (v.s,)


def _moved(v: Variable, own: tuple[Vector, ...], mixed: tuple[Vector, ...], round: Any) -> Variable:
    W = mixed[-1]
    if v.correction == "ED":
        return v._replace(s=W, c=W - (own[0] - v.c))  # s+ = W (psi + c),  c+ = s+ - psi
    if v.correction == "EXTRA":
        c = v.c + jnp.where(round > 0, v.s - W, 0.0)
        return v._replace(s=W - v.step * v.D - c, c=c)  # c+ = c + s - W s from round 1 on,  s+ = W s - step D - c+
    if v.correction == "GT":
        t = mixed[0] + v.D - v.before
        return v._replace(s=W - v.step * t, t=t)  # t+ = W t + D - D_before,  s+ = W s - step t+
    if v.correction == "semi-GT":
        return v._replace(s=W, t=mixed[0])  # t+ = W t + D - D_before,  s+ = W (s - step t+)
    return v._replace(s=W)  # ATC-GT: t+ = W (t + D - D_before), s+ = W (s - step t+); none: s+ = W (s - step D)


def _exchange(mix: Mix, variables: Sequence[Variable], sent: Sequence[Any], call: int, round: Any) -> list[Any]:
    """Mixes what the variables send in one message, and returns it in the order of the variables."""

    def of_levels(values: Sequence[Any]) -> list[tuple[Any, ...]]:
        pairs = list(zip(variables, values, strict=True))
        return [tuple(value for v, value in pairs if v.upper is upper) for upper in (True, False)]

    # EXTRA's correction contains the differences from round 1 on, all others those of every round.
    begun = jnp.where(round > 0, 1.0, 0.0)
    of_round = [tuple(begun if v.correction == "EXTRA" else 1.0 for _ in own) for v, own in zip(variables, sent)]
    (upper, lower), factors = of_levels(sent), [level for level in of_levels(of_round) if level]
    both = len(factors) > 1  # `mix` takes the factors of one level, and returns it, without a pair around it
    mixed = mix(upper=upper, lower=lower, call=call, factors=tuple(factors) if both else factors[0])
    parts = [iter(level) for level in (mixed if both else (mixed, mixed))]
    return [next(parts[0 if v.upper else 1]) for v in variables]


def largest_step(correction: str, smallest: float) -> float:
    """Returns the bound on step times curvature below which one level alone is stable.

    Along an eigenvector of W with eigenvalue l and for a curvature L, a round is a scalar linear recursion; the bound
    is where the largest of its roots over all l reaches 1 (equations.md has those of SLAM). It is attained at the
    smallest eigenvalue, and holds for the largest curvature if the curvatures of the agents differ.

    Args:
        correction: One of `CORRECTIONS`.
        smallest: The smallest eigenvalue l_n of W, or 1 if the level is not shared.
    """
    if correction == "EXTRA":
        return (1 + 3 * smallest) / 2
    if correction == "GT":
        return tracking_bound(smallest)
    if correction == "semi-GT" and smallest < 0:
        return min(2.0, (1 - smallest**2) / -smallest)
    if correction == "ATC-GT" and smallest < 0:
        return min(2.0, (1 + smallest) ** 2 / (2 * smallest**2))
    return 0.0 if correction == "ED" and smallest < -1 / 3 - ROUNDING else 2.0


def check_corrections(method: Any, corrections: Sequence[str], facts: Facts) -> list[str]:
    """Compares the steps of x, y and z with the bounds of their corrections.

    Args:
        method: The method, with `upper_step`, `lower_step` and `adjoint_step`.
        corrections: The corrections of x, y and z.
        facts: The facts known before the run.

    Returns:
        A warning for every step that is too large, or grows too large.

    Raises:
        ValueError: If a correction has no stable step on this network, whatever the losses.
    """
    lower = lambda: facts.lower_curvature[1]  # d2yy g is the curvature of y's step and of z's
    levels = (
        ("upper_step", facts.upper_shared, facts.upper_curvature),
        ("lower_step", facts.lower_shared, lower),
        ("adjoint_step", facts.lower_shared, lower),
    )
    warnings = []
    for (step, shared, curvature), name in zip(levels, corrections, strict=True):
        warnings += check_correction(name, step, getattr(method, step), shared, curvature(), facts)
    if facts.network.schedule is not None and (dual := [name for name in corrections if name in DUAL]):
        warnings.append(
            f"the correction {dual[0]} is stable for weights that stay the same, but those of this network change from "
            'round to round, and it may diverge; use correction="GT".'
        )
    without = [step for (step, shared, _), name in zip(levels, corrections, strict=True) if shared and name == "none"]
    return [*warnings, *without_tracking(facts, method, without)]


def check_correction(name: str, what: str, step: StepSize, shared: bool, curvature: float, facts: Facts) -> list[str]:
    """Compares a step with the bound of its correction on the network and for a curvature.

    Args:
        name: The correction.
        what: The name of the step.
        step: The step.
        shared: Whether its level is shared.
        curvature: The largest curvature of the level found at the start.
        facts: The facts known before the run.

    Returns:
        A warning if the step is too large, or grows too large.

    Raises:
        ValueError: If the correction has no stable step on this network, whatever the losses.
    """
    smallest = facts.network.smallest_eigenvalue if shared else 1.0
    times = largest_step(name, smallest)
    if times <= ROUNDING:
        raise ValueError(
            f"the correction {name} of {what} has no stable step on this network, whose smallest eigenvalue is "
            f'{smallest:.3g}. Take lazy weights, such as weights="lazy-metropolis", or another correction.'
        )
    reached, bound = reach(step), times / max(curvature, 1e-300)
    if reached.largest < bound:
        return []
    likely = "is likely to" if reached.least >= bound else "may"  # one of several leaves' values
    lazy = ", or use lazy weights, (I + W) / 2" if times < 2 and smallest < 0 else ""
    return [
        f"{reached.sentence(what, bound, f' {likely}', f', and {likely}')} be unstable: with the correction {name} it "
        f"should stay below {times:.3g} / L = {bound:.3g} for the curvature L found at the start. Take at most "
        f"{0.5 * bound:.2g}{lazy}."
    ]
