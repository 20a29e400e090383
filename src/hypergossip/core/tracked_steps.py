"""The step bound of gradient tracking, and of mixing and stepping at once without it."""

from collections.abc import Mapping

from hypergossip.core.algorithm import Facts
from hypergossip.core.schedules import StepSize
from hypergossip.core.step_bounds import reach, rounded_down


def tracking_bound(least: float, eta: float = 1.0) -> float:
    """Returns the bound on step times curvature of gradient tracking, as derived in `beyond_tracking`.

    Args:
        least: The smallest eigenvalue of the weights.
        eta: The part of a step that is taken.
    """
    return (1 + least) * (2 - eta * (1 - least)) / 2


def beyond_tracking(
    facts: Facts, steps: Mapping[str, StepSize], scale: float = 1.0, eta: float = 1.0, tracked: bool = True
) -> list[str]:
    """Compares steps of the lower level with the bound for mixing and stepping at once.

    Along an eigenvector of the mixing matrix with eigenvalue l, a tracked step s on a loss of curvature c is the
    recursion v+ = l v - s t, t+ = l t + c (v+ - v), whose characteristic polynomial r^2 - (2 l - s c) r + l^2 - s c is
    stable if and only if s c < (1 + l)^2 / 2. If only a part eta of every step of v is taken, v+ = m v - eta s t with
    m = 1 - eta (1 - l), and the same argument gives eta s c < (1 + l) (1 + m) / 2. Without a tracker v+ = (l - s c) v,
    and the bound is 1 + l. Different curvatures have the bound of the largest one. A personal lower level is not mixed:
    l = 1, and all bounds are 2.

    Args:
        facts: The facts known before the run.
        steps: The name of the step -> the step.
        scale: What multiplies the curvature of the lower loss, such as a penalty.
        eta: The part of a step that is taken.
        tracked: Whether the gradient is tracked.

    Returns:
        A warning for every step at or above the bound.
    """
    largest = scale * eta * facts.lower_curvature[1]
    if largest <= 0:
        return []
    least = facts.network.smallest_eigenvalue if facts.lower_shared and facts.network.symmetric else 1.0
    room = tracking_bound(least, eta) if tracked else 1 + least
    bound = room / largest
    texts = []
    for name, step in steps.items():
        reached = reach(step)
        if reached.largest < bound:
            continue
        likely = "is likely to" if reached.least >= bound else "may"  # one of several leaves' values
        if bound <= 0:
            advice = 'No step is stable with these weights: use lazy ones, such as "lazy-metropolis".'
        else:
            advice = f"Take at most {rounded_down(bound):.2g}{', or lazy weights' if least < 0 else ''}."
        mixes = "tracks its gradient" if tracked else "mixes and steps at once"
        texts.append(
            f"{reached.sentence(name, bound, f' {likely}', f', and {likely}')} be unstable: the method {mixes}, so for "
            f"the curvature found at the start and weights whose smallest eigenvalue is {least:.2g} it should stay "
            f"below {max(bound, 0.0):.3g}. {advice}"
        )
    return texts
