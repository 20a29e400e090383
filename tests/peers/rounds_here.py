"""The rounds of agents as their processes run them, cut at the messages, but all in this process, without a network."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.channels.stack import Neighbourhood, read_channel
from hypergossip.core.preset import generalised
from hypergossip.core.random_keys import run_key
from hypergossip.engines import Simulated
from hypergossip.engines.engine import Job
from hypergossip.engines.links import neighbourhoods
from hypergossip.engines.lockstep import lockstep
from hypergossip.engines.mixing import neighbour_lists
from hypergossip.peers.round_program import CutRound, Transfer, WholeRound
from hypergossip.peers.traced_round import Here, traced_round
from hypergossip.running.preflight import sent_in_a_round


class RoundsHere:
    """A job, its agents, and their compiled rounds."""

    def __init__(self, algorithm: Any, problem: Any, network: Any, channel: Any = None, dated: bool = False) -> None:
        self.algorithm, key = generalised(algorithm), run_key(0)
        given = () if channel is None else (read_channel(channel), sent_in_a_round(self.algorithm, problem))
        self.session = Simulated().open(Job(self.algorithm, problem, network, key[None], False, *given))
        points = [jnp.broadcast_to(v, (1, problem.agents, v.size)) for v in (problem.x0, problem.y0)]
        self.start = self.session.start(*points)
        lists = neighbour_lists(network.mixing)
        links = neighbourhoods(lists, problem.identities)
        self.neighbours = np.asarray(lists.indices.T)
        self.degree, self.dated = self.neighbours.shape[1], dated
        self.here = [
            Here(self.algorithm, take(problem.oracles, i), key, Neighbourhood(*take(tuple(links), i)))
            for i in range(problem.agents)
        ]
        self.make = lambda exchange: traced_round(
            self.session.spaces, None if channel is None else given[0], self.degree, dated, exchange
        )

    def cut(self) -> CutRound:
        """The round cut at its messages; what it compiles serves all agents."""
        return CutRound(self.make(None), self.here[0], self.state(0))

    def whole(self) -> WholeRound:
        """The round of one agent as one program that calls back."""
        return WholeRound(self.make, self.here[0], self.degree, self.dated)

    def state(self, i: int) -> Any:
        """The state of an agent before round 0."""
        return jax.tree.map(lambda leaf: leaf[0, i], self.start)

    def run(self, program: Callable[[], Any], rounds: int) -> tuple[Any, Any]:
        """The agents' states and costs after so many rounds; `program` makes the round of one agent."""

        def agent(i: int) -> Callable[[Any], Any]:
            def runs(exchange: Any) -> Any:
                own, state, costs, sent = program(), self.state(i), [], {}

                def collect(place: int) -> tuple[np.ndarray, ...]:
                    everywhere = exchange((place, *sent.pop(place)))
                    assert {given[0] for given in everywhere} == {place}
                    theirs = np.stack([everywhere[j][1] for j in self.neighbours[i]])
                    if not self.dated:
                        return (theirs,)
                    mine = np.broadcast_to(everywhere[i][2], theirs.shape)
                    return theirs, np.array(mine), np.ones(self.degree, bool)

                def send(place: int, vector: np.ndarray, own: np.ndarray) -> None:
                    sent[place] = vector, own

                for round in range(rounds):
                    state, cost = own(jax.tree.leaves(self.here[i]), round, state, Transfer(send, collect))
                    costs.append(cost)
                return state, jax.tree.map(lambda *c: np.sum([np.asarray(v) for v in c]), *costs)

            return runs

        programs = [agent(i) for i in range(len(self.here))]
        done = lockstep(programs, lambda requests: [requests] * len(requests))
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *done)

    def simulated(self, rounds: int) -> tuple[Any, Any]:
        """The same on `Simulated`."""
        state, costs = self.session.advance(self.start, 0, rounds)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[0], (state, costs))


def take(tree: Any, i: int) -> Any:
    """One agent's leaves, which are arrays."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[i], tree)


def agree(one: Any, other: Any, apart: float = 1e-11) -> None:
    """States and costs of two runs are the same, up to rounding."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_allclose(a, b, rtol=apart, atol=apart)
