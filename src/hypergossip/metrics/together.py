"""What is measured of all agents at once: disagreement where a problem has no losses, and its own observations."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.compilation import compiled
from hypergossip.metrics.lower_solution import average_shared
from hypergossip.space import Space

Named = tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...]


@compiled("upper", "lower")
def disagreement(upper: Space, lower: Space, x: Any, y: Any) -> dict[str, Any]:
    """Returns the consensus errors of both levels over shared entries, each (runs,).

    Args:
        upper: The space of x.
        lower: The space of y.
        x: (runs, agents, p).
        y: (runs, agents, q).
    """
    error = lambda space: jax.vmap(lambda v: jnp.sum((v - average_shared(space, v)) ** 2))
    return {"consensus_error": error(upper)(x), "lower_consensus_error": error(lower)(y)}


@compiled("named")
def observations_together(named: Named, oracles: Any, x: Any, y: Any) -> dict[str, Any]:
    """Returns every observation of the whole network, each (runs,).

    Args:
        named: Names and functions of (oracles, x, y), of all agents.
        oracles: Every agent's, leaves (agents, ...).
        x: (runs, agents, p).
        y: (runs, agents, q).
    """
    of_run = lambda point: {name: jnp.asarray(function(oracles, *point)) for name, function in named}
    return lax.map(of_run, (x, y))
