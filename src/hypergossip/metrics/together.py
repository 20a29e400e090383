"""Quantities of all agents at once: the disagreement, if a problem has no losses, and the problem's observations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jax import lax

from hypergossip.core.collective import Collective
from hypergossip.core.readings import Reading
from hypergossip.core.space import Space
from hypergossip.support.compilation import compiled
from hypergossip.support.pytree import register_pytree

Named = tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...]


class Disagreement(NamedTuple):
    """The measured quantities of a row of the history if the problem has no losses, each (runs,).

    Attributes:
        consensus_error: sum_i |x_i - xbar|^2 over shared entries.
        lower_consensus_error: sum_i |y_i - ybar|^2 over shared entries.
    """

    consensus_error: Any
    lower_consensus_error: Any


@register_pytree("names", "upper", "lower")
@dataclass(frozen=True)
class DisagreementProgram:
    """Measures `Disagreement`, in float64.

    Attributes:
        names: The names of the quantities to measure.
        upper: The space of x.
        lower: The space of y.
    """

    names: tuple[str, ...]
    upper: Space
    lower: Space
    precise: ClassVar[bool] = True

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> dict[str, Any]:
        """Returns name -> scalar; this is one agent's program."""
        error = lambda space, v: network.agents * network.mean(jnp.sum((v - network.average_shared(space, v)) ** 2))
        measured = Disagreement(error(self.upper, x), error(self.lower, y))._asdict()
        return {name: measured[name] for name in self.names}


@compiled("named")
def observations_together(named: Named, oracles: Any, x: Any, y: Any) -> dict[str, Any]:
    """Returns every observation of the whole network, each (runs,).

    Args:
        named: Names and functions of (oracles, x, y) of all agents. Readings of the same source compute it once.
        oracles: Every agent's oracles, with leaves (agents, ...).
        x: Every agent's x, (runs, agents, p).
        y: Every agent's y, (runs, agents, q).
    """

    def of_run(point: tuple[Any, Any]) -> dict[str, Any]:
        sources = {function.source for _, function in named if isinstance(function, Reading)}
        results = {source: source(oracles, *point) for source in sources}
        value = lambda f: f.read(results[f.source]) if isinstance(f, Reading) else f(oracles, *point)
        return {name: jnp.asarray(value(function)) for name, function in named}

    return lax.map(of_run, (x, y))
