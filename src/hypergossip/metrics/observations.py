"""The problem's own observations: functions of one agent's (x, y), averaged over the agents."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from hypergossip.compilation import compiled
from hypergossip.space import Space

Named = tuple[tuple[str, Callable[[Any, Any], Any]], ...]


@compiled("observe", "upper", "lower")
def observations(observe: Named, upper: Space, lower: Space, x: Any, y: Any) -> dict[str, Any]:
    """Returns every observation's mean over the agents, each (runs,).

    Args:
        observe: Names and functions of (x, y), the user's pytrees of one agent.
        upper: The space of x.
        lower: The space of y.
        x: (runs, agents, p).
        y: (runs, agents, q).
    """

    def of_agent(x: Any, y: Any) -> dict[str, Any]:
        trees = upper.unravel(x), lower.unravel(y)
        return {name: jnp.asarray(function(*trees), jnp.result_type(float)) for name, function in observe}

    return jax.tree.map(lambda values: jnp.mean(values, axis=1), jax.vmap(jax.vmap(of_agent))(x, y))
