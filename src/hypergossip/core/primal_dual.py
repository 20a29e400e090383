"""The step bound of primal-dual methods."""

from collections.abc import Callable, Iterable
from typing import Any

from hypergossip.core.algorithm import Facts
from hypergossip.core.hyperparameter_checks import one_number
from hypergossip.core.schedules import InverseStep
from hypergossip.core.step_bounds import extremes, reach


def check_primal_dual(method: Any, facts: Facts, levels: Iterable[tuple[str, bool, Callable[[], float]]]) -> list[str]:
    """Checks that step ((1 + 2 gamma) rho mu_max + 2 l) < 4 for every step of a primal-dual method.

    Along an eigenvector of I - W with eigenvalue mu a round is the recursion v+ = (2 - a - b) v - (1 - a) v_prev with
    a = step (l + rho gamma mu) and b = step rho mu, which is stable if and only if 2 a + b < 4 (equations.md). With
    symmetric curvatures that differ between the agents, it is stable below the bound for the largest curvature.

    Args:
        method: The method, with gamma, rho and the steps.
        facts: The facts known before the run.
        levels: The name of each step, whether its variable is shared, and its curvature l, which may be expensive.

    Returns:
        A warning for every step that is too large for the estimated curvature, or that grows above the bound.

    Raises:
        ValueError: If gamma or rho is not positive, or a step in round 0 is too large on this network for any losses.
    """
    coupled = isinstance(method.rho, InverseStep)
    gamma = one_number("gamma", method.gamma, "take a number such as 1.0")
    size = one_number("rho", method.rho.factor if coupled else method.rho, "take a number such as 1.0, or InverseStep")
    warnings = []
    for step, shared, curvature in levels:
        value = getattr(method, step)
        least, reached = extremes(value, 0)[0], reach(value)
        per_rho = (1 + 2 * gamma) * (1 - facts.network.smallest_eigenvalue) if shared else 0.0
        # With `InverseStep`, the network takes the same part of 4 whatever the step.
        taken, penalty = (per_rho * size, 0.0) if coupled else (0.0, per_rho * size)
        if coupled:
            _check_factor(step, least, size, per_rho)
        elif least * penalty >= 4:
            raise ValueError(
                f"{step} = {least:.3g} is unstable on this network for any losses: it must stay "
                f"below 4 / ((1 + 2 gamma) rho mu_max) = {4 / penalty:.3g}. Take a smaller step, or a smaller rho."
            )
        total = penalty + 2 * curvature()
        if reached.largest * total >= 4 - taken:
            bound = (4 - taken) / total
            likely = "is likely to" if reached.least >= bound else "may"  # one of several leaves' values
            warnings.append(
                f"{reached.sentence(step, bound, f' {likely}', f', and {likely}')} be unstable: for the curvature "
                f"found at the start it should stay below {bound:.3g}; use, for example, {0.5 * bound:.2g}."
            )
    return warnings


def _check_factor(name: str, least: float, factor: float, per_rho: float) -> None:
    """Raises ValueError if a factor of `InverseStep` is unstable for any step and losses, or the step is zero."""
    if least <= 0:
        raise ValueError(f"{name} = 0, so that rho = {factor:.3g} / {name} is infinite; give rho as a number.")
    if factor * per_rho >= 4:
        raise ValueError(
            f"rho = {factor:.3g} / step is unstable on this network for any step and losses: the factor must stay "
            f"below 4 / ((1 + 2 gamma) mu_max) = {4 / per_rho:.3g}."
        )
