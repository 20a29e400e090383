"""A network whose links change from round to round, and the facts that hold for all its rounds."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array, eye_array

from hypergossip.networks.build import whole
from hypergossip.networks.faults import NO_GAP
from hypergossip.networks.network import Network
from hypergossip.networks.schedules import InTurn, LinksUp, RandomPairs
from hypergossip.networks.spectrum import algebraic_connectivity, second_magnitude

Schedule = LinksUp | RandomPairs | InTurn


@dataclass(frozen=True, eq=False)
class NetworkOverTime:
    """A network whose links change from round to round.

    Its facts are those that hold in every round, apart from `connected`, which is that of all rounds together.

    Attributes:
        graph: the network of all edges that some round has; its weights are those of a round in which all are up.
        schedule: how the links change.
        name: its name, such as "links_up(ring(8), 0.9)".
        drawn_on: the graph in the numbering in which links are drawn, if agents were renumbered.
        order: the agents' numbers in that numbering, or None.
    """

    graph: Network
    schedule: Schedule
    name: str
    drawn_on: Network | None = None
    order: tuple[int, ...] | None = None

    def at(self, round: int) -> Network:
        """The network of a round.

        Args:
            round: the round, from 0.

        Raises:
            ValueError: it is negative, or beyond the last round of a run.
        """
        round = whole(round, "round", least=0)
        if round >= 2**31:
            raise ValueError(f"A round is a number below 2**31; got {round}.")
        if isinstance(self.schedule, InTurn):
            return self.schedule.networks[round % len(self.schedule.networks)]
        graph = self.graph if self.drawn_on is None else self.drawn_on
        here = replace(graph, mixing=self.schedule.mixing(graph, round), name=f"{self.name}, round {round}")
        return here if self.order is None else here.relabelled(self.order).named(self.names)

    @property
    def numbers(self) -> Int[np.ndarray, " agents"]:
        """The agents' numbers in the numbering in which links are drawn."""
        return np.arange(self.graph.agents) if self.order is None else np.asarray(self.order)

    @property
    def drawn_edges(self) -> Int[np.ndarray, "edges 2"]:
        """The edges in the order in which they are drawn."""
        if self.drawn_on is None:
            return self.graph.edges
        return np.argsort(self.numbers)[self.drawn_on.edges]

    @property
    def agents(self) -> int:
        """The number of agents, n."""
        return self.graph.agents

    @property
    def names(self) -> tuple[Hashable, ...] | None:
        """The agents' names, or None."""
        return self.graph.names

    @property
    def weights(self) -> str:
        """The name of the weights."""
        return " and ".join(sorted({network.weights for network in self._phases}))

    @property
    def seed(self) -> int | None:
        """The seed of the draws, or None if nothing is drawn."""
        return getattr(self.schedule, "seed", None)

    @property
    def edges(self) -> Int[np.ndarray, "edges 2"]:
        """The edges of all rounds together, as `Network.edges`."""
        return self.graph.edges

    @property
    def degrees(self) -> Int[np.ndarray, " agents"]:
        """The number of agents to which each agent sends in some round."""
        return self.graph.degrees

    @property
    def density(self) -> float:
        """The share of ordered pairs that are neighbours in some round."""
        return self.graph.density

    @cached_property
    def _phases(self) -> tuple[Network, ...]:
        """The different networks of the rounds; one with all edges where they are drawn."""
        return self.schedule.networks if isinstance(self.schedule, InTurn) else (self.graph,)

    @property
    def symmetric(self) -> bool:
        """Whether the weights of every round are symmetric."""
        return all(network.symmetric for network in self._phases)

    @property
    def doubly_stochastic(self) -> bool:
        """Whether the columns of every round's weights sum to one, as the rows do."""
        return all(network.doubly_stochastic for network in self._phases)

    @property
    def pushes(self) -> bool:
        """Whether every round has weights whose columns sum to one."""
        return all(network.pushes for network in self._phases)

    @property
    def one_matrix(self) -> bool:
        """Whether one matrix a round serves all messages."""
        return all(network.one_matrix for network in self._phases)

    @property
    def directed(self) -> bool:
        """Whether some round's graph is directed."""
        return any(network.directed for network in self._phases)

    @property
    def connected(self) -> bool:
        """Whether the graph of all rounds together is connected."""
        return self.graph.connected

    @cached_property
    def averages(self) -> bool:
        """Whether the rounds make all agents agree.

        This needs no eigenvalues where weights are not negative and every agent gives weight to its own value.
        """
        if not self.connected:
            return False
        if isinstance(self.schedule, RandomPairs) or self.agents == 1:
            return True
        if isinstance(self.schedule, LinksUp) and self.schedule.probability < 1 and self.graph.mixing.data.min() >= 0:
            return True  # with some probability an edge is down, and its agents have its weight
        if all(one.mixing.data.min() >= 0 and one.mixing.diagonal().min() > 0 for one in self._phases):
            return True
        return not self.lambda_ >= 1.0 - NO_GAP

    def fault(self, fact: str) -> str | None:
        """Why a fact does not hold, in words that name the agents at fault, or None if it holds.

        Args:
            fact: As for `Network.fault`.
        """
        if fact == "connected":
            return self.graph.fault(fact)
        if fact == "averages":
            return None if self.averages else f"the rounds together ({self.name}) have lambda = 1"
        return next((fault for network in self._phases if (fault := network.fault(fact)) is not None), None)

    @property
    def digested(self) -> tuple[Any, ...]:
        """What identifies the network: arrays, and the schedule in words."""
        changes = f"{type(self.schedule).__name__} {self.seed} {getattr(self.schedule, 'probability', None)}"
        own = [part for network in self._phases for part in network.digested]
        return (*own, np.frombuffer(changes.encode(), np.uint8), *(() if self.order is None else (self.numbers,)))

    @cached_property
    def lambda_(self) -> float:
        """The factor by which a round shrinks the agents' disagreement, a mean over many rounds.

        For networks in turn it is the geometric mean: the second largest eigenvalue in magnitude of the product of all
        turns, to the power 1 / turns. For drawn links it is the square root of the second largest eigenvalue of the
        mean of W'W, the factor of the root mean square; for random matchings that mean is estimated. NaN if it could
        not be found, as for many agents whose eigenvalues lie close together.
        """
        if self.agents == 1:
            return 0.0
        if not self.connected:
            return 1.0
        if isinstance(self.schedule, InTurn):
            product = second_magnitude([network.mixing for network in self.schedule.networks])
            # An exact average has round-off alone, whose root would be far from zero.
            return 0.0 if product < NO_GAP else float(product ** (1 / len(self.schedule.networks)))
        moment = self.schedule.second_moment(self.graph)
        if moment is None:
            return float("nan")
        square = 1.0 - algebraic_connectivity(csr_array(eye_array(self.agents) - moment))
        return float(np.sqrt(max(0.0, square)))

    @property
    def spectral_gap(self) -> float:
        """1 - lambda_."""
        return 1.0 - self.lambda_

    @cached_property
    def smallest_eigenvalue(self) -> float:
        """A lower bound of the eigenvalues of every round's W, or of (W + W') / 2 where W is not symmetric."""
        if isinstance(self.schedule, InTurn):
            return min(network.smallest_eigenvalue for network in self.schedule.networks)
        return self.schedule.least(self.graph)

    def relabelled(self, order: Sequence[int] | Int[np.ndarray, " agents"]) -> "NetworkOverTime":
        """The same network, with the same links in every round, with its agents renumbered.

        Args:
            order: a permutation, shape (agents,): the new agent k is the old agent order[k].

        Raises:
            ValueError: `order` is not a permutation of the agents.
        """
        schedule = self.schedule
        if isinstance(schedule, InTurn):
            schedule = InTurn(tuple(network.relabelled(order) for network in schedule.networks))
            return replace(self, graph=self.graph.relabelled(order), schedule=schedule)
        graph = self.graph.relabelled(order)
        drawn_on = self.graph if self.drawn_on is None else self.drawn_on
        numbers = self.numbers[np.asarray(order)]
        return replace(self, graph=graph, drawn_on=drawn_on, order=tuple(numbers.tolist()))

    def named(self, names: tuple[Hashable, ...] | None) -> "NetworkOverTime":
        """The same network with other names of the agents, or without names.

        Args:
            names: the agents' names, in agents' order, or None.
        """
        schedule = self.schedule
        if isinstance(schedule, InTurn):
            schedule = InTurn(tuple(network.named(names) for network in schedule.networks))
        return replace(self, graph=self.graph.named(names), schedule=schedule)

    def to_networkx(self) -> Any:
        """The `networkx` graph of all edges, as `Network.to_networkx`."""
        return self.graph.to_networkx()


AnyNetwork = Network | NetworkOverTime
