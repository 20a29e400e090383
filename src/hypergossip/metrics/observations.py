"""The problem's own observations: functions of one agent's (x, y), averaged over the agents."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from hypergossip.compilation import compiled
from hypergossip.space import Space

Named = tuple[tuple[str, Callable[[Any, Any], Any]], ...]


def observations(observe: Named, upper: Space, lower: Space, x: Any, y: Any) -> dict[str, Any]:
    """Returns every observation's mean over the agents, each (runs,).

    An observation of large arrays should be a `jax.tree_util.Partial` of them: they are given to the compiled program
    then, where those that a function closes over are compiled into it, which takes seconds.

    Args:
        observe: Names and functions of (x, y), the user's pytrees of one agent.
        upper: The space of x.
        lower: The space of y.
        x: (runs, agents, p).
        y: (runs, agents, q).
    """
    functions = {name: function if isinstance(function, Partial) else Partial(function) for name, function in observe}
    leaves, structure = jax.tree.flatten(functions)
    # An array that several observations have is given once, so that what they have in common is computed once.
    once = {id(leaf): leaf for leaf in leaves}
    places = tuple(list(once).index(id(leaf)) for leaf in leaves)
    return _observations(list(once.values()), structure, places, upper, lower, x, y)


@compiled("structure", "places", "upper", "lower")
def _observations(arrays: list, structure: Any, places: tuple, upper: Space, lower: Space, x: Any, y: Any) -> Any:
    observe = jax.tree.unflatten(structure, [arrays[place] for place in places])

    def of_agent(x: Any, y: Any) -> dict[str, Any]:
        trees = upper.unravel(x), lower.unravel(y)
        return {name: jnp.asarray(function(*trees), jnp.result_type(float)) for name, function in observe.items()}

    return jax.tree.map(lambda values: jnp.mean(values, axis=1), jax.vmap(jax.vmap(of_agent))(x, y))
