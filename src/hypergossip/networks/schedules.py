"""How the links of a graph change from round to round: drawn at random, or several networks in turn.

The draws belong to the network, as its graph does: they are a function of its seed and of the round, the same in every
run, for every method and on every engine. Engines repeat them on their devices (`hypergossip.engines.over_time`).
"""

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
class LinksUp:
    """Every edge is up with a probability, independently of the others and of earlier rounds.

    Attributes:
        probability: the probability, in (0, 1].
        seed: the seed of the draws.
    """

    probability: float
    seed: int
    kind: ClassVar[str] = "links_up"
    description: ClassVar[str] = "each edge up with a probability"

    @property
    def last_up(self) -> int:
        """An edge is up if its random word of 32 bits is at most this number."""
        return max(1, round(self.probability * WORDS)) - 1

    @property
    def key(self) -> UInt[np.ndarray, "2"]:
        """The two words of the seed."""
        return key_of(self.seed)

    def up(self, graph: Network, round: int) -> Bool[np.ndarray, " edges"]:
        """Whether each edge of a graph is up in a round."""
        return edge_words(self.seed, round, *graph.edges.T) <= self.last_up

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
class RandomEdge:
    """One edge a round, whose two agents take the mean of their values (Boyd et al. 2006).

    Attributes:
        seed: the seed of the draws.
    """

    seed: int
    kind: ClassVar[str] = "random_edge"
    description: ClassVar[str] = "one random edge a round"
    last_up: ClassVar[int] = 0

    @property
    def key(self) -> UInt[np.ndarray, "2"]:
        """The two words of the seed."""
        return key_of(self.seed)

    def partners(self, graph: Network, round: int) -> Int[np.ndarray, " agents"]:
        """The agent with which each agent averages in a round, or itself."""
        partners = np.arange(graph.agents)
        if len(graph.edges):
            i, j = graph.edges[edge_index(round_word(self.seed, round), len(graph.edges))]
            partners[[i, j]] = j, i
        return partners

    def mixing(self, graph: Network, round: int) -> csr_array:
        """W of a round."""
        return _of_partners(self.partners(graph, round))

    def second_moment(self, graph: Network) -> csr_array:
        """The mean of W'W = W over the draws: I - L / (2 edges)."""
        share = 0.5 / max(1, len(graph.edges))
        return _symmetric(graph.agents, graph.edges, np.full(len(graph.edges), share))

    def least(self, graph: Network) -> float:
        """The smallest eigenvalue of every round's W, a projection."""
        return 0.0


@dataclass(frozen=True)
class RandomMatchings:
    """Random pairs of neighbours, as many as fit, each of which takes the mean of its values.

    The edges are taken in random order, each unless one of its agents already has a partner.

    Attributes:
        seed: the seed of the draws.
    """

    seed: int
    kind: ClassVar[str] = "random_matchings"
    description: ClassVar[str] = "a random matching a round"
    last_up: ClassVar[int] = 0

    @property
    def key(self) -> UInt[np.ndarray, "2"]:
        """The two words of the seed."""
        return key_of(self.seed)

    def partners(self, graph: Network, round: int) -> Int[np.ndarray, " agents"]:
        """The agent with which each agent averages in a round, or itself."""
        partners = np.arange(graph.agents)
        edges = graph.edges
        for i, j in edges[np.argsort(edge_words(self.seed, round, *edges.T), kind="stable")]:
            if partners[i] == i and partners[j] == j:
                partners[[i, j]] = j, i
        return partners

    def mixing(self, graph: Network, round: int) -> csr_array:
        """W of a round."""
        return _of_partners(self.partners(graph, round))

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

    def least(self, graph: Network) -> float:
        """The smallest eigenvalue of every round's W, a projection."""
        return 0.0


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


def edge_index(word: int, edges: int) -> int:
    """The index of the edge that a random word draws.

    Args:
        word: the word of 32 bits.
        edges: the number of edges.
    """
    return word % edges


def round_word(seed: int, round: int) -> int:
    """The random word of a round, of 32 bits.

    Args:
        seed: the seed of the draws.
        round: the round.
    """
    return int(_words_of_round(seed, round)[0][0])


def edge_words(seed: int, round: int, first: Int[np.ndarray, " edges"], second: Int[np.ndarray, " edges"]) -> Any:
    """The random words of edges in a round, uint32, (edges,).

    Args:
        seed: the seed of the draws.
        round: the round.
        first: the smaller number of each edge's agents.
        second: the larger number.
    """
    key = tuple(words[0] for words in _words_of_round(seed, round))
    return threefry_words(key, first.astype(np.uint32), second.astype(np.uint32))[0]


def _words_of_round(seed: int, round: int) -> Any:
    return threefry_words(key_of(seed), np.full(1, round, np.uint32), np.zeros(1, np.uint32))


def key_of(seed: int) -> UInt[np.ndarray, "2"]:
    """The two words of a seed below 2^64.

    Args:
        seed: the seed.
    """
    return np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint64).astype(np.uint32)


def _entries(matrix: csr_array, edges: Int[np.ndarray, "edges 2"]) -> Float[np.ndarray, " edges"]:
    entries = matrix[edges[:, 0], edges[:, 1]]
    return entries.toarray().ravel() if issparse(entries) else np.asarray(entries, np.float64)


def _of_partners(partners: Int[np.ndarray, " agents"]) -> csr_array:
    here = np.flatnonzero(partners > np.arange(len(partners)))
    return _symmetric(len(partners), np.stack([here, partners[here]], axis=1), np.full(len(here), 0.5))


def _symmetric(agents: int, edges: Int[np.ndarray, "edges 2"], weights: Float[np.ndarray, " edges"]) -> csr_array:
    """The symmetric matrix with these weights on the edges, whose rows sum to one."""
    here, there = np.concatenate([edges, edges[:, ::-1]]).T
    between = csr_array((np.tile(weights, 2), (here, there)), shape=(agents, agents))
    own = np.arange(agents)
    mixing = between + csr_array((1.0 - between.sum(axis=1), (own, own)), shape=(agents, agents))
    mixing = csr_array(mixing)
    mixing.sort_indices()
    return mixing
