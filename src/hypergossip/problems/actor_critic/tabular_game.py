"""A networked Markov decision process as a game, to compare estimates from episodes with exact expectations."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from hypergossip.problems.actor_critic.tabular import Process, check_process
from hypergossip.support.arguments import whole_number


class Visit(NamedTuple):
    """The state of an episode.

    Attributes:
        state: The number of the process's state.
        time: The number of steps played.
        key: The key that draws the next states.
    """

    state: Int[Array, ""]
    time: Int[Array, ""]
    key: Key[Array, ""]


@dataclass(frozen=True, eq=False)
class TabularGame:
    """A process as a `Game` in which every agent observes the one-hot state. Two games are equal only if identical.

    Attributes:
        process: The process.
        horizon: The number of steps of an episode.

    Raises:
        ValueError: If `process` is not a `Process`, or the horizon is not a whole number, at least 1.
    """

    process: Process
    horizon: int

    def __post_init__(self) -> None:
        check_process(self.process)
        object.__setattr__(self, "horizon", whole_number("horizon", self.horizon, 1))

    @property
    def agents(self) -> int:
        """The number of agents."""
        return self.process.rewards.shape[0]

    @property
    def actions(self) -> int:
        """The number of actions of each agent."""
        return round(self.process.rewards.shape[2] ** (1 / self.agents))

    def reset(self, key: Key[Array, ""]) -> Visit:
        """Returns a first state, drawn by the `key`."""
        start_key, play_key = jax.random.split(key)
        first = jax.random.categorical(start_key, jnp.log(self.process.start)).astype(jnp.int32)
        return Visit(first, jnp.zeros((), jnp.int32), play_key)

    def step(
        self, state: Visit, actions: Int[Array, "agents"]
    ) -> tuple[Visit, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step from `state` with every agent's `actions`; only the horizon ends an episode."""
        powers = self.actions ** np.arange(self.agents)[::-1]
        joint = jnp.sum(actions * powers)
        rewards = self.process.rewards[:, state.state, joint]
        odds = jnp.log(self.process.transitions[state.state, joint])
        after = jax.random.categorical(jax.random.fold_in(state.key, state.time), odds).astype(jnp.int32)
        time = state.time + 1
        return Visit(after, time, state.key), rewards, jnp.zeros((), bool), time >= self.horizon

    def observe(self, state: Visit) -> Float[Array, "agents states"]:
        """Returns the one-hot `state` for every agent."""
        return jnp.broadcast_to(self.global_state(state), (self.agents, self.process.start.size))

    def global_state(self, state: Visit) -> Float[Array, "states"]:
        """Returns the one-hot `state`."""
        return jax.nn.one_hot(state.state, self.process.start.size, dtype=self.process.start.dtype)
