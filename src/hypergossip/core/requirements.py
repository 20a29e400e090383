"""What a method needs, held against a problem and a network: the one place where an unmet need becomes a sentence."""

from functools import lru_cache
from typing import Any

from scipy.sparse.csgraph import connected_components

from hypergossip.core.algorithm import Facts, Needs

ROUNDING = 1e-9  # of weights


def refuse_unmet(name: str, needs: Needs, facts: Facts) -> None:
    """Raises ValueError where a problem or a network lacks what a method needs.

    Args:
        name: The method's.
        needs: What it declares.
        facts: What is known before the run.
    """
    if needs.personal_lower and facts.lower_shared:
        raise ValueError(
            f"{name} solves problems with personal lower levels, and this problem shares its lower level: its agents "
            'would never agree on y. Use Slam, or share="upper".'
        )
    if needs.upper_where_lower and facts.lower_shared and not facts.upper_shared:
        raise ValueError(
            f"{name} follows the network's one adjoint, but this problem shares its lower level alone, so that every "
            'agent minimises a loss of its own and needs its own. Use Slam, or share="both".'
        )
    if not (facts.upper_shared or facts.lower_shared):
        return
    symmetric, doubly_stochastic, parts = _properties(facts.network)
    if not doubly_stochastic:
        raise ValueError(
            f"{name} needs doubly stochastic weights, whose rows and columns sum to one, and those of this network are "
            'not: the agents would agree on another point than the optimum. Take weights="metropolis".'
        )
    if needs.symmetric and not symmetric:
        raise ValueError(
            f"{name} needs symmetric weights, and those of this network are not: its dual variables would not sum to "
            'zero. Take weights="metropolis".'
        )
    if needs.connected and parts > 1:
        raise ValueError(
            f"{name} needs a connected graph, and this network falls into {parts} parts, which would never agree; add "
            "edges between them."
        )


@lru_cache(maxsize=8)  # every point of a grid asks
def _properties(network: Any) -> tuple[bool, bool, int]:
    """Returns whether the weights are symmetric, whether doubly stochastic, and how many parts the graph has."""
    W = network.mixing
    sums = [W.sum(axis=axis) for axis in (0, 1)]
    doubly_stochastic = all(abs(total - 1).max() <= ROUNDING for total in sums)
    return bool(abs(W - W.T).max() <= ROUNDING), doubly_stochastic, int(connected_components(W, directed=False)[0])
