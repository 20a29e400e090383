"""What is measured of all agents at once: disagreement where a problem has no losses, and its own observations."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.compilation import compiled
from hypergossip.float64 import to_float64
from hypergossip.metrics.lower_solution import average_shared
from hypergossip.space import Space

Named = tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...]


class Disagreement(NamedTuple):
    """What a row of the history measures where there are no losses, each (runs,).

    Attributes:
        consensus_error: sum_i |x_i - xbar|^2 over shared entries.
        lower_consensus_error: sum_i |y_i - ybar|^2 over shared entries.
    """

    consensus_error: Any
    lower_consensus_error: Any


def disagreement(upper: Space, lower: Space, x: Any, y: Any) -> Disagreement:
    """Measures every run's point, in float64 whatever the precision of the run.

    Args:
        upper: The space of x.
        lower: The space of y.
        x: (runs, agents, p).
        y: (runs, agents, q).
    """
    with jax.enable_x64(True):
        return _disagreement(upper, lower, x, y)


@compiled("upper", "lower")
def _disagreement(upper: Space, lower: Space, x: Any, y: Any) -> Disagreement:
    error = lambda space: jax.vmap(lambda v: jnp.sum((v - average_shared(space, v)) ** 2))
    x, y = to_float64((x, y))
    return Disagreement(error(upper)(x), error(lower)(y))


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
