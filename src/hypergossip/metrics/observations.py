"""The problem's own observations: functions of one agent's (x, y), averaged over the agents."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from hypergossip.core.collective import Collective, observed
from hypergossip.core.space import Space
from hypergossip.support.pytree import register_pytree

Named = tuple[tuple[str, Callable[[Any, Any], Any]], ...]


@register_pytree("structure", "places", "upper", "lower")
@dataclass(frozen=True)
class ObservationsProgram:
    """Measures the mean of every observation over the agents; `observing` makes it.

    Attributes:
        arrays: The arrays that the functions hold, each once.
        structure: The structure of the pytree name -> function, without its arrays.
        places: The index of each of its leaves in `arrays`.
        upper: The space of x.
        lower: The space of y.
    """

    arrays: list[Any]
    structure: Any
    places: tuple[int, ...]
    upper: Space
    lower: Space
    precise: ClassVar[bool] = False

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> dict[str, Any]:
        """Returns name -> scalar; this is one agent's program."""
        observe = jax.tree.unflatten(self.structure, [self.arrays[place] for place in self.places])
        trees = self.upper.unravel(x), self.lower.unravel(y)
        own = {name: jnp.asarray(function(*trees), jnp.result_type(float)) for name, function in observe.items()}
        return {name: network.mean(value) for name, value in own.items()}


def observing(observe: Named, upper: Space, lower: Space) -> ObservationsProgram:
    """Returns the program that measures every observation's mean over the agents.

    An observation with large arrays should be a `jax.tree_util.Partial` of them, which are then arguments of the
    compiled program. Arrays that a function closes over are compiled into the program, which takes seconds.

    Args:
        observe: Names and functions of (x, y), one agent's pytrees.
        upper: The space of x.
        lower: The space of y.
    """
    functions = {name: function if isinstance(function, Partial) else Partial(function) for name, function in observe}
    leaves, structure = jax.tree.flatten(functions)
    # An array that several observations hold is passed once, so that their common part is computed once.
    once = {id(leaf): leaf for leaf in leaves}
    places = tuple(list(once).index(id(leaf)) for leaf in leaves)
    return ObservationsProgram(list(once.values()), structure, places, upper, lower)


def observations(observe: Named, upper: Space, lower: Space, x: Any, y: Any) -> dict[str, Any]:
    """Returns every observation's mean over the agents, each (runs,).

    Args:
        observe: As for `observing`.
        upper: The space of x.
        lower: The space of y.
        x: Every agent's x, (runs, agents, p).
        y: Every agent's y, (runs, agents, q).
    """
    return observed(observing(observe, upper, lower), (), x, y)
