"""All agents on one device: `vmap` over the agents, with W as a matrix, a list of neighbours or a list of edges."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from hypergossip.core.algorithm import Cost
from hypergossip.engines.arrays import ArraySession
from hypergossip.engines.engine import Job
from hypergossip.engines.lifting import Placed, initial_states, run_rounds
from hypergossip.engines.mixing import choose
from hypergossip.engines.over_time import is_plain, operator
from hypergossip.engines.teams import divide, divided
from hypergossip.support.compilation import compiled
from hypergossip.support.devices import refuse_several_processes


@dataclass(frozen=True)
class Simulated:
    """Simulates the network on one device.

    Args:
        mixing: "dense", "neighbours" (a padded list), "edges" (for degrees that differ widely), or "auto", which
            selects the fastest form for the graph. A network that is directed or changes has lists of neighbours.
    """

    mixing: str = "auto"

    def open(self, job: Job) -> "SimulatedSession":
        """Puts a problem and its network on JAX's default device and returns the session."""
        problem = job.problem
        refuse_several_processes(problem.oracles, "Simulated", "use engine=Sharded()")
        form = self.mixing if job.channel is None else "neighbours"
        plain = is_plain(job.network)
        mixing = choose(job.network.mixing, form) if plain else operator(job.network, job.channel is not None)
        return SimulatedSession(job, Placed(problem.oracles, problem.identities, mixing))


class SimulatedSession(ArraySession):
    """A job on one device."""

    _of_share: Any = None  # the program that runs a share of the runs; shares have one size

    def start(self, x: Any, y: Any) -> Any:
        """Returns every agent's state before round 0."""
        state = _start(self.job.algorithm, self.job.swept, self.placed, x, y, self.job.keys)
        return self.linked(state)

    def advance(self, state: Any, first: int, last: int) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1; on a CPU, the runs are distributed over the cores."""
        algorithm, keys, swept, channel = self.job.algorithm, self.job.keys, self.job.swept, self.job.channel
        rounds = np.int32(first), np.int32(last)
        teams, one_core = divided(self.placed.oracles, state, keys.size)
        program = _advance_on_one_core if one_core else _advance
        if teams == 1:
            done = program(algorithm, swept, self.placed, self.spaces, state, keys, *rounds, channel)
            return jax.block_until_ready(done)

        def prepare(own: Any, state: Any, keys: Any) -> Any:
            numbers = own if swept else algorithm
            if self._of_share is None:
                lowered = program.lower(numbers, swept, self.placed, self.spaces, state, keys, *rounds, channel)
                self._of_share = lowered.compile()
            return lambda: self._of_share(numbers, self.placed, state, keys, *rounds)

        return jax.block_until_ready(divide((algorithm if swept else (), state, keys), teams, prepare))


_start = compiled("swept")(initial_states)
_advance = compiled("swept", "spaces", "channel")(run_rounds)
_advance_on_one_core = compiled("swept", "spaces", "channel", one_core=True)(run_rounds)
