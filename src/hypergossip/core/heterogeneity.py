"""Warnings of methods that are biased where the agents are heterogeneous."""

from collections.abc import Iterable
from typing import Any

from hypergossip.core.algorithm import Facts
from hypergossip.core.step_bounds import extremes

DIFFERENT = 0.1  # relative difference of two agents' derivatives, above that of IID samples of moderate size
LATER = 10_000  # a step that is no smaller after so many rounds does not decay


def local_second_derivatives(facts: Facts) -> list[str]:
    """Warns if agents that share a lower level have different second derivatives, where their own ones mislead.

    Only a part of the second derivatives is compared, so that the absence of the warning is no proof.
    """
    if not facts.lower_shared or facts.heterogeneity <= DIFFERENT:
        return []
    percent = 100 * facts.heterogeneity
    return [
        "the agents share the lower level, and their second derivatives differ, by "
        f"{percent:.0f} % at the start: with each agent's own second derivatives the method ends at another point than "
        'the optimum, for any step. Use Sparkle or SlamTracked, or share="upper" where agents need not agree on y.'
    ]


def without_tracking(facts: Facts, method: Any, steps: Iterable[str]) -> list[str]:
    """Warns of constant steps of variables that are averaged without tracking, if the agents' gradients differ.

    The bias is of the order of the step times the difference; with a step that decays it vanishes.

    Args:
        facts: The facts known before the run.
        method: The algorithm.
        steps: The names of these steps.

    Returns:
        One warning, or none.
    """
    if facts.gradient_difference <= DIFFERENT or facts.network.agents == 1:
        return []
    moving = {name: extremes(getattr(method, name), 0)[1] for name in steps}
    constant = [name for name, value in moving.items() if 0 < value <= extremes(getattr(method, name), LATER)[1]]
    if not constant:
        return []
    others = "Sparkle or SlamTracked" if facts.lower_shared else "LoPAGT or GTSGD"
    which = f"the constant step {constant[0]}" if len(constant) == 1 else f"the constant steps {', '.join(constant)}"
    percent = 100 * facts.gradient_difference
    return [
        f"the agents' gradients differ, by {percent:.0f} % at the start, and the method does not track them: with "
        f"{which} it ends at a distance from the optimum that is proportional to the step. Use a step that decays, or "
        f"a method without this bias, such as {others}."
    ]
