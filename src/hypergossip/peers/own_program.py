"""The compiled programs of an agent that runs by itself: its rounds, its losses, and what its links have added."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.channels.edge_sums import EdgeSums
from hypergossip.channels.stack import Neighbourhood, Stack, read_channel
from hypergossip.core.agent_data.axis import number_of_agents, take_agents
from hypergossip.core.algorithm import WorldOracles
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.messages import messages
from hypergossip.core.preset import generalised
from hypergossip.core.random_keys import STREAMS, run_key
from hypergossip.engines.conserved_sum import effect, term
from hypergossip.engines.links import Linked, initial_links
from hypergossip.peers.agent_settings import AgentSettings
from hypergossip.peers.round_program import CutRound, Transfer, WholeRound, compiled_round
from hypergossip.peers.traced_round import Here, initial_state, traced_round
from hypergossip.support.callables import without_addresses
from hypergossip.support.compilation import compiled


class OwnProgram:
    """The programs of one agent.

    Attributes:
        sizes: The number of entries and the type of each of a round's messages.
        channel: What its messages pass, or None.
        degree: The number of its links.
        digest: A digest of what all agents must have in common, 16 bytes.
    """

    def __init__(self, settings: AgentSettings) -> None:
        """Prepares the programs.

        Args:
            settings: The agent.

        Raises:
            ValueError: If the agent cannot run on a network.
        """
        problem = settings.problem
        self._spaces = (problem.upper, problem.lower)
        position = settings.number if number_of_agents(problem.oracles) > 1 else 0
        oracles = take_agents(problem.oracles, position)
        if isinstance(oracles, WorldOracles):
            raise ValueError(
                "the agents of this game share one world, which no agent of a network has; use hypergossip run."
            )
        self._method = generalised(fitted(settings.algorithm, *self._spaces))
        self._start = problem.x0, problem.y0
        vectors = self._method.vectors
        self._conserving = (*vectors.masses, *vectors.differences)
        sent = messages(self._method, self._spaces, problem.agent_shapes(), *self._start)
        self._messages = tuple(message for message in sent if message.entries)
        self.sizes = tuple((message.entries, message.dtype) for message in self._messages)
        self.channel = _channel(settings.channel, bool(self._conserving))
        self.degree = len(settings.neighbours)
        identity = jnp.asarray(settings.number, jnp.uint32)
        senders = jnp.asarray([one.number for one in settings.neighbours], jnp.uint32)
        self._links = Neighbourhood(identity, senders, jnp.zeros(self.degree))
        self._here = Here(self._method, oracles, run_key(np.uint32(settings.seed)), self._links)
        self._leaves = jax.tree.leaves(self._here)
        self._round: CutRound | WholeRound | None = None
        self._losses = problem.losses
        self._shapes = problem.agent_shapes()
        algorithm = without_addresses(str(settings.algorithm))
        # Not the number of agents: further ones may join, and those that are not their neighbours need not know.
        common = (algorithm, str(self.channel), STREAMS, settings.seed, settings.rounds)
        text = repr((*common, [(entries, str(dtype)) for entries, dtype in self.sizes], *map(str, self._spaces)))
        self.digest = hashlib.sha256(text.encode()).digest()[:16]

    @property
    def weights(self) -> Any:
        """W_ij of the neighbours, (degree,)."""
        return self._links.weights

    def set_weights(self, weights: np.ndarray) -> None:
        """Sets the weights of the links.

        Args:
            weights: W_ij of the neighbours, (degree,).
        """
        self._links = self._links._replace(weights=jnp.asarray(weights))
        self._here = self._here._replace(links=self._links)
        self._leaves = jax.tree.leaves(self._here)

    def begin(self) -> Any:
        """Returns the agent's state before round 0."""
        return self.linked(initial_state(self._here, *self._start))

    def linked(self, agents: Any) -> Any:
        """Returns an agent's state with links that have added nothing.

        Args:
            agents: The state of the method.
        """
        if self.channel is None:
            return agents
        links = initial_links(self.channel, self._messages, self._spaces, (1, 1), self.degree)
        return Linked(agents, jax.tree.map(lambda leaf: jnp.asarray(leaf[0, 0]), links))

    def prepare(self, state: Any) -> None:
        """Compiles a round.

        Args:
            state: The agent's state.
        """
        make = lambda exchange: traced_round(self._spaces, self.channel, self.degree, True, exchange)
        self._round = compiled_round(make, self._here, state, self.sizes, self.degree, dated=True)

    def round(self, number: int, state: Any, transfer: Transfer) -> Any:
        """Returns the state after a round.

        Args:
            number: The number of the round.
            state: The state before it.
            transfer: How it sends and receives.
        """
        assert self._round is not None
        return self._round(self._leaves, number, state, transfer)[0]

    def losses(self, state: Any) -> tuple[float | None, float | None]:
        """Returns f and g of the agent's own data at its own point; None for one that the problem does not have.

        Args:
            state: The agent's state in the method.
        """
        if not self._losses:
            return None, None
        found = (self._loss(self._here, state.x, state.y, name) for name in ("upper_loss", "lower_loss"))
        upper, lower = (None if value is None or not np.isfinite(value) else float(value) for value in found)
        return upper, lower

    @cached_property
    def _loss(self) -> Callable[..., Any]:
        def loss(here: Here, x: Any, y: Any, name: str) -> Any:
            given = getattr(here.oracles.full, name, None)
            return None if given is None else given(x, y, here.key)

        return compiled("name")(loss)

    def without_links(self, state: Any, rows: np.ndarray) -> Any:
        """Returns a state from which all that some links have added is taken out again; they begin anew.

        Args:
            state: The agent's state.
            rows: Which links, (degree,).
        """
        if self.channel is None or not rows.any():
            return state
        return self._without(self._here, state, jnp.asarray(rows))

    @cached_property
    def _without(self) -> Callable[..., Any]:
        channel = self.channel
        assert channel is not None

        def without(here: Here, state: Linked, rows: Any) -> Linked:
            weights = jnp.where(rows, here.links.weights, 0)
            kept = here.algorithm.conserved(state.agents)
            _, flat = term(here.algorithm, self._spaces, channel, self._shapes, state, weights)
            agents = self._less(state.agents, kept, flat) if self._conserving else state.agents
            clear = lambda leaf: jnp.where(rows.reshape(-1, *[1] * (leaf.ndim - 1)), jnp.zeros_like(leaf), leaf)
            links = tuple(link._replace(links=jax.tree.map(clear, link.links)) for link in state.links)
            return Linked(agents, links)

        return compiled()(without)

    def restarted(self, state: Any) -> Any:
        """Returns a state whose term of the conserved sum is zero, and whose links have added nothing.

        Args:
            state: The agent's state.
        """
        agents = jax.tree.map(jnp.asarray, state.agents if self.channel is not None else state)
        if self._conserving:
            kept = self._method.conserved(agents)
            agents = self._less(agents, kept, jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(kept)]))
        return self.linked(agents)

    def term(self, state: Any) -> np.ndarray | None:
        """Returns the agent's term of the sum that the network conserves, what is under way taken out; None: no sum.

        Args:
            state: The agent's state.
        """
        if self.channel is None or not self._conserving:
            return None
        return np.asarray(self._term(self._here, state))

    @cached_property
    def _term(self) -> Callable[..., Any]:
        channel = self.channel
        assert channel is not None

        def of_links(here: Here, state: Linked) -> Any:
            own, added = term(here.algorithm, self._spaces, channel, self._shapes, state, here.links.weights)
            return own - added

        return compiled()(of_links)

    @property
    def conserves(self) -> bool:
        """Whether the network's invariant can be computed: the method conserves a sum, and its messages are plain sums.

        Behind a further stage of the channel, such as a coding, what a link has added is not what was sent.
        """
        return bool(self._conserving) and self.channel is not None and self.channel.stages == (EdgeSums(),)

    def conserved(self, state: Any) -> tuple[np.ndarray, float]:
        """Returns the agent's term of the sum that the network conserves, and the norm of the variables in it.

        Args:
            state: The agent's state.
        """
        kept, variables = self._conserved(self._here, state.agents)
        return np.asarray(kept), float(variables)

    @cached_property
    def _conserved(self) -> Callable[..., Any]:
        def of_agent(here: Here, agents: Any) -> Any:
            flat = lambda tree: jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])
            variables = flat([getattr(agents, name) for name in self._conserving])
            return flat(here.algorithm.conserved(agents)), jnp.linalg.norm(variables)

        return compiled()(of_agent)

    def effect(self, state: Any, added: Sequence[np.ndarray]) -> np.ndarray:
        """Returns by how much the agent's term grows if the averages of its messages do.

        Args:
            state: The agent's state.
            added: For each message of a round, by how much its average grows, (entries,).
        """
        return np.asarray(self._effect(self._here, state.agents, tuple(added)))

    @cached_property
    def _effect(self) -> Callable[..., Any]:
        return compiled()(lambda here, *given: effect(here.algorithm, self._spaces, self._shapes, *given))

    def _less(self, agents: Any, kept: Any, flat: Any) -> Any:
        """Returns the state of the method whose trackers or dual variables are smaller by a flat vector."""
        leaves, changed, begin = jax.tree.leaves(kept), {}, 0
        for name, leaf in zip(self._conserving, leaves, strict=True):
            changed[name] = getattr(agents, name) - flat[begin : begin + leaf.size].reshape(leaf.shape)
            begin += leaf.size
        return agents._replace(**changed)


def _channel(given: Any, sums: bool) -> Stack | None:
    channel = read_channel(given)
    if not sums:
        return channel
    if channel is None:
        return read_channel(EdgeSums())
    if not any(isinstance(part, EdgeSums) for part in channel.stages):
        raise ValueError(
            f"the channel {channel} has no EdgeSums, without which trackers or dual variables never recover from an "
            "agent that fails or a message that is late; put EdgeSums() first, or leave the channel out."
        )
    return channel
