"""Checks a method's requirements against a problem and a network; the one place that words the error messages."""

from functools import lru_cache
from typing import Any

from scipy.sparse.csgraph import connected_components

from hypergossip.core.algorithm import Facts, Needs

ROUNDING = 1e-9  # of weights


def refuse_unmet(name: str, needs: Needs, facts: Facts) -> None:
    """Raises ValueError if a problem or a network does not meet the requirements of a method.

    Args:
        name: The method's name.
        needs: Its requirements.
        facts: The facts known before the run.
    """
    if needs.personal_lower and facts.lower_shared:
        raise ValueError(
            f"{name} solves problems with personal lower levels, but this problem shares its lower level: the agents "
            'would never agree on y. Use Slam, or share="upper".'
        )
    if needs.upper_where_lower and facts.lower_shared and not facts.upper_shared:
        raise ValueError(
            f"{name} computes one adjoint for the network, but this problem shares only its lower level, so that every "
            'agent minimises its own loss and needs its own adjoint. Use Slam, or share="both".'
        )
    if not (facts.upper_shared or facts.lower_shared):
        return
    symmetric, doubly_stochastic, parts = _properties(facts.network)
    if not doubly_stochastic:
        raise ValueError(
            f"{name} needs doubly stochastic weights, whose rows and columns sum to one, but those of this network are "
            'not: the agents would agree on a point that is not the optimum. Use weights="metropolis".'
        )
    if needs.symmetric and not symmetric:
        raise ValueError(
            f"{name} needs symmetric weights, but those of this network are not: its dual variables would not sum to "
            'zero. Use weights="metropolis".'
        )
    if needs.connected and parts > 1:
        raise ValueError(
            f"{name} needs a connected graph, but this network has {parts} components, which would never agree; add "
            "edges between them."
        )


@lru_cache(maxsize=8)  # every point of a grid calls it
def _properties(network: Any) -> tuple[bool, bool, int]:
    """Returns whether the weights are symmetric, whether they are doubly stochastic, and the number of components."""
    W = network.mixing
    sums = [W.sum(axis=axis) for axis in (0, 1)]
    doubly_stochastic = all(abs(total - 1).max() <= ROUNDING for total in sums)
    return bool(abs(W - W.T).max() <= ROUNDING), doubly_stochastic, int(connected_components(W, directed=False)[0])
