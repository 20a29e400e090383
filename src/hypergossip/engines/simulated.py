"""All agents on one device: `vmap` over the agents, W as a dense product or as a list of neighbours."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.algorithm import Algorithm, Cost
from hypergossip.compilation import compiled
from hypergossip.engines.lifting import Placed, Spaces, initial_states, one_after_another, run_rounds
from hypergossip.engines.mixing import choose
from hypergossip.engines.teams import cores, divide


@dataclass(frozen=True)
class Simulated:
    """Simulates the network on one device.

    Args:
        mixing: "dense", "neighbours" (a padded list), "edges" (for unlike degrees), or "auto": the
            cheapest for the graph.
    """

    mixing: str = "auto"

    def place(self, problem: Any, network: Any) -> Placed:
        """Puts a problem on its network; both on JAX's default device."""
        return Placed(problem.oracles, problem.identities, choose(network.mixing, self.mixing))

    def start(self, algorithm: Algorithm, swept: bool, placed: Placed, x: Any, y: Any, keys: Any) -> Any:
        """Returns every agent's state before round 0."""
        return _start(algorithm, swept, placed, x, y, keys)

    def restore(self, placed: Placed, state: Any) -> Any:
        """Puts a state of host arrays on the device."""
        return jax.tree.map(jnp.asarray, state)

    def advance(
        self,
        algorithm: Algorithm,
        swept: bool,
        placed: Placed,
        spaces: Spaces,
        state: Any,
        keys: Any,
        first: int,
        last: int,
    ) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1; large runs divide a processor's cores among themselves."""
        rounds = np.int32(first), np.int32(last)
        teams = min(keys.size, cores()) if one_after_another(state, keys.size) else 1
        if teams == 1:
            return _advance(algorithm, swept, placed, spaces, state, keys, *rounds)

        def prepare(own: Any, state: Any, keys: Any) -> Any:
            numbers = own if swept else algorithm
            executable = _advance.lower(numbers, swept, placed, spaces, state, keys, *rounds).compile()
            return lambda: executable(numbers, placed, state, keys, *rounds)

        return divide((algorithm if swept else (), state, keys), teams, prepare)

    def fetch(self, tree: Any) -> Any:
        """Returns a tree of device arrays as host arrays."""
        return jax.tree.map(np.asarray, tree)

    @property
    def leads(self) -> bool:
        """Always: there is one process."""
        return True

    def tell(self, *numbers: float | int) -> np.ndarray:
        """Returns the numbers, (1, numbers): there is one process."""
        return np.asarray([numbers], np.float64)


_start = compiled("swept")(initial_states)
_advance = compiled("swept", "spaces")(run_rounds)
