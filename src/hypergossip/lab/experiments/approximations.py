"""Says which methods solve an approximate problem, such as a penalised one, instead of the bilevel problem."""

from collections.abc import Mapping

from hypergossip.core.algorithm import Algorithm
from hypergossip.core.preset import generalised


def approximations(algorithms: Mapping[str, Algorithm]) -> str:
    """Returns which methods solve an approximate problem, with the hyperparameters that decide how far it is off.

    Args:
        algorithms: Label -> algorithm.

    Returns:
        A sentence, or "" if there is no such method.
    """
    parts = []
    for label, algorithm in algorithms.items():
        method = generalised(algorithm)
        values = {name: getattr(method, name) for name in method.approximation}
        # None and 0 approximate nothing, and with a schedule the approximate problem tends to the true one.
        numbers = {name: float(value) for name, value in values.items() if value is not None and not callable(value)}
        if given := [f"{name} = {value:g}" for name, value in numbers.items() if value]:
            parts.append(f"{label} with {' and '.join(given)}")
    if not parts:
        return ""
    return (
        f"These methods solve an approximate problem, whose solution is not the optimum: {', '.join(parts)}. Where M_t "
        "is measured, it contains this distance."
    )
