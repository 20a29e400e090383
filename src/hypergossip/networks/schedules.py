"""How the links of a graph change from round to round: drawn at random, or several networks in turn.

The draws belong to the network, as its graph does: they are a function of its seed and of the round, the same in every
run, for every method and on every engine. Engines repeat them on their devices (`hypergossip.engines.over_time`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int, UInt
from scipy.sparse import csr_array, eye_array, issparse

from hypergossip.networks.network import Network
from hypergossip.networks.spectrum import largest_eigenvalue
from hypergossip.support.threefry import threefry_words

WORDS = 2.0**32
# Of an edge in the matchings from which a mean is estimated, and the most edges in them, a few seconds.
TIMES, EDGES_DRAWN = 400, 2_000_000


@dataclass(frozen=True)
class Drawn:
    """Links that are drawn in every round.

    Attributes:
        seed: the seed of the draws, below 2^64.
    """

    seed: int

    @property
    def key(self) -> UInt[np.ndarray, "2"]:
        """The two words of the seed."""
        return np.array([self.seed >> 32, self.seed & 0xFFFFFFFF], np.uint64).astype(np.uint32)

    def round_words(self, round: int) -> Any:
        """The two random words of a round, each (1,) in uint32."""
        return threefry_words(self.key, np.full(1, round, np.uint32), np.zeros(1, np.uint32))

    def edge_words(self, graph: Network, round: int) -> Any:
        """The random word of each edge i < j of a graph in a round, uint32, (edges,)."""
        key = tuple(words[0] for words in self.round_words(round))
        return threefry_words(key, *graph.edges.T.astype(np.uint32))[0]


@dataclass(frozen=True)
class LinksUp(Drawn):
    """Every edge is up with a probability, independently of the others and of earlier rounds.

    Attributes:
        seed: the seed of the draws.
        probability: the probability, in (0, 1].
    """

    probability: float
    kind: ClassVar[str] = "links_up"
    description: ClassVar[str] = "each edge up with a probability"

    @property
    def last_up(self) -> int:
        """An edge is up if its random word of 32 bits is at most this number."""
        return max(1, round(self.probability * WORDS)) - 1

    def up(self, graph: Network, round: int) -> Bool[np.ndarray, " edges"]:
        """Whether each edge of a graph is up in a round."""
        return self.edge_words(graph, round) <= self.last_up

    def mixing(self, graph: Network, round: int) -> csr_array:
        """W of a round: the weights of the edges that are up, and what is left for an agent's own value."""
        edges = graph.edges[self.up(graph, round)]
        return _symmetric(graph.agents, edges, _entries(graph.mixing, edges))

    def second_moment(self, graph: Network) -> csr_array:
        """The mean of W'W over the draws: with W = I - sum_e u_e w_e L_e, L_e^2 = 2 L_e and the mean p of u_e."""
        p, laplacian = self.probability, csr_array(eye_array(graph.agents) - graph.mixing)
        mean = csr_array(eye_array(graph.agents) - p * laplacian)
        squares = _entries(graph.mixing, graph.edges) ** 2
        squares = csr_array(eye_array(graph.agents) - _symmetric(graph.agents, graph.edges, squares))
        return csr_array(mean @ mean + 2 * p * (1 - p) * squares)

    def least(self, graph: Network) -> float:
        """A lower bound of the eigenvalues of every round's W.

        W falls with every further edge of positive weight that is up, and grows with those of negative weight.
        """
        weights = _entries(graph.mixing, graph.edges)
        if weights.min(initial=0.0) >= 0:
            return graph.smallest_eigenvalue
        least = _symmetric(graph.agents, graph.edges[weights > 0], weights[weights > 0])
        return 1.0 - largest_eigenvalue(csr_array(eye_array(graph.agents) - least))


@dataclass(frozen=True)
class RandomPairs(Drawn, ABC):
    """Pairs of neighbours, each of which takes the mean of its values; every other agent keeps its own."""

    last_up: ClassVar[int] = 0
    kind: ClassVar[str]
    description: ClassVar[str]

    @abstractmethod
    def partners(self, graph: Network, round: int) -> Int[np.ndarray, " agents"]:
        """The agent with which each agent averages in a round, or itself."""

    @abstractmethod
    def second_moment(self, graph: Network) -> csr_array | None:
        """The mean of W'W = W over the draws, or None if it takes too long to estimate."""

    def mixing(self, graph: Network, round: int) -> csr_array:
        """W of a round."""
        partners = self.partners(graph, round)
        here = np.flatnonzero(partners > np.arange(graph.agents))
        return _symmetric(graph.agents, np.stack([here, partners[here]], axis=1), np.full(len(here), 0.5))

    def least(self, graph: Network) -> float:
        """The smallest eigenvalue of every round's W, a projection."""
        return 0.0


class RandomEdge(RandomPairs):
    """One edge a round, whose two agents take the mean of their values (Boyd et al. 2006)."""

    kind: ClassVar[str] = "random_edge"
    description: ClassVar[str] = "one random edge a round"

    def partners(self, graph: Network, round: int) -> Int[np.ndarray, " agents"]:
        """The agent with which each agent averages in a round, or itself."""
        partners = np.arange(graph.agents)
        if len(graph.edges):
            i, j = graph.edges[int(self.round_words(round)[0][0]) % len(graph.edges)]
            partners[[i, j]] = j, i
        return partners

    def second_moment(self, graph: Network) -> csr_array:
        """The mean of W'W = W over the draws: I - L / (2 edges)."""
        share = 0.5 / max(1, len(graph.edges))
        return _symmetric(graph.agents, graph.edges, np.full(len(graph.edges), share))


class RandomMatchings(RandomPairs):
    """Random pairs of neighbours, as many as fit, each of which takes the mean of its values.

    The edges are taken in random order, each unless one of its agents already has a partner.
    """

    kind: ClassVar[str] = "random_matchings"
    description: ClassVar[str] = "a random matching a round"

    def partners(self, graph: Network, round: int) -> Int[np.ndarray, " agents"]:
        """The agent with which each agent averages in a round, or itself."""
        partners = np.arange(graph.agents)
        for i, j in graph.edges[np.argsort(self.edge_words(graph, round), kind="stable")]:
            if partners[i] == i and partners[j] == j:
                partners[[i, j]] = j, i
        return partners

    def second_moment(self, graph: Network) -> csr_array | None:
        """The mean of W'W = W, estimated from as many rounds as it takes until every edge has been in 400 matchings.

        None if that takes too long.
        """
        if not len(graph.edges):
            return csr_array(eye_array(graph.agents))
        times, rounds = np.zeros(len(graph.edges), np.int64), 0
        while times.min() < TIMES:
            if rounds * len(graph.edges) > EDGES_DRAWN:
                return None
            partners = self.partners(graph, rounds)
            times += partners[graph.edges[:, 0]] == graph.edges[:, 1]
            rounds += 1
        return _symmetric(graph.agents, graph.edges, 0.5 * times / rounds)


@dataclass(frozen=True, eq=False)
class InTurn:
    """Several networks of the same agents, one a round, again from the first after the last.

    Attributes:
        networks: the networks.
    """

    networks: tuple[Network, ...]
    kind: ClassVar[str] = "in_turn"

    @property
    def description(self) -> str:
        """What changes, in a few words."""
        return f"{len(self.networks)} networks in turn"


def _entries(matrix: csr_array, edges: Int[np.ndarray, "edges 2"]) -> Float[np.ndarray, " edges"]:
    entries = matrix[edges[:, 0], edges[:, 1]]
    return entries.toarray().ravel() if issparse(entries) else np.asarray(entries, np.float64)


def _symmetric(agents: int, edges: Int[np.ndarray, "edges 2"], weights: Float[np.ndarray, " edges"]) -> csr_array:
    """The symmetric matrix with these weights on the edges, whose rows sum to one."""
    here, there = np.concatenate([edges, edges[:, ::-1]]).T
    between = csr_array((np.tile(weights, 2), (here, there)), shape=(agents, agents))
    own = np.arange(agents)
    mixing = between + csr_array((1.0 - between.sum(axis=1), (own, own)), shape=(agents, agents))
    mixing = csr_array(mixing)
    mixing.sort_indices()
    return mixing
