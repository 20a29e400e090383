"""Makes games from PettingZoo's parallel environments; parallel.py makes environments from games."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from hypergossip.problems.actor_critic.environments import Environments
from hypergossip.support.arguments import whole_number
from hypergossip.support.pytree import register_pytree


class ParallelState(NamedTuple):
    """The past of an episode, which determines the state of the environment, and the current observations.

    Attributes:
        seed: The seed of the environment's reset.
        time: The number of steps played.
        history: The actions so far, (horizon, agents), followed by zeros.
        observations: The observations, (agents, ...).
        whole: The global state.
        over: Whether the episode has ended.
    """

    seed: UInt32[Array, ""]
    time: Int[Array, ""]
    history: Int[Array, "horizon agents"]
    observations: Float[Array, "agents *observation"]
    whole: Float[Array, "*whole"]
    over: Bool[Array, ""]


@register_pytree("agents", "actions", "horizon", "table")
@dataclass(frozen=True)
class ParallelGame:
    """The game that `from_parallel` makes, whose documentation explains its requirements and its cost.

    Args:
        agents: The number of agents.
        actions: The number of actions of each agent.
        horizon: The largest number of steps of an episode.
        table: The cache of running environments, `Environments`.
    """

    agents: int
    actions: int
    horizon: int
    table: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The environment's names of its agents, in the order of its `possible_agents`."""
        return tuple(map(str, self.table.names))

    def _ask(self, call: Callable, dtype: Any, more: tuple, *arguments: Any) -> Any:
        """Returns the answer of the cache: observations, the global state, and more."""
        shape = lambda *size: jax.ShapeDtypeStruct(size, dtype)
        shapes = shape(self.agents, *self.table.observation), shape(*self.table.whole), *more
        if not any(isinstance(argument, Tracer) for argument in arguments):
            # This call is not compiled, so exceptions of the environment reach the user unchanged.
            return tuple(map(jnp.asarray, call(dtype, *arguments)))
        return jax.pure_callback(partial(call, dtype), shapes, *arguments, vmap_method="broadcast_all")

    def reset(self, key: Key[Array, ""]) -> ParallelState:
        """Returns the first state of an episode, in an environment whose seed is drawn by the `key`."""
        dtype = jnp.result_type(float)
        seed = jax.random.bits(key, (), jnp.uint32) >> 1
        observations, whole = self._ask(self.table.reset, dtype, (), seed)
        history = jnp.zeros((self.horizon, self.agents), jnp.int32)
        return ParallelState(seed, jnp.zeros((), jnp.int32), history, observations, whole, jnp.zeros((), bool))

    def step(
        self, state: ParallelState, actions: Int[Array, "agents"]
    ) -> tuple[ParallelState, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step.

        Args:
            state: The current state.
            actions: Every agent's action.

        Returns:
            The next state, the rewards, whether any agent's episode terminated, and whether it was truncated or the
            horizon was reached.
        """
        dtype = jnp.result_type(float)
        actions = actions.astype(jnp.int32)
        flag = jax.ShapeDtypeStruct((), bool)
        more = jax.ShapeDtypeStruct((self.agents,), dtype), flag, flag
        arguments = state.seed, state.time, state.history, actions, state.over
        observations, whole, rewards, terminated, truncated = self._ask(self.table.step, dtype, more, *arguments)
        time = state.time + 1
        truncated = truncated | (time >= self.horizon)
        history = jax.lax.dynamic_update_index_in_dim(state.history, actions, state.time, 0)
        over = state.over | terminated | truncated
        moved = ParallelState(state.seed, time, history, observations, whole, over)
        return moved, rewards, terminated, truncated

    def raised(self) -> Exception | None:
        """Returns the last exception of an environment, or of a check of its answers, or None."""
        return self.table.failure

    def observe(self, state: ParallelState) -> Float[Array, "agents *observation"]:
        """Returns every agent's observation of a `state`."""
        return state.observations

    def global_state(self, state: ParallelState) -> Float[Array, "*whole"]:
        """Returns the global state."""
        return state.whole


def from_parallel(make: Any, *, horizon: Any, whole: Any = None, live: Any = 64) -> ParallelGame:
    """Returns a PettingZoo parallel environment as a game; Python plays it inside compiled programs.

    A state is the seed of its episode and the actions so far, so that the game is a function of arrays. An environment
    is played forward from its seed to a given state. Up to `live` environments are kept at their latest states, so that
    the next step costs one step of the environment, a call from the compiled program, and a copy of the history. This
    takes 1.2 times as long as a step of mpe2's simple_spread_v3. A return to an earlier state, or more episodes than
    `live`, replays the episode.

    Requirements: the seed determines the environment; all agents have the same Discrete actions without masks, and
    observe a Box of the same shape; all agents stay until the end; and the environment does not use JAX, because JAX
    does not guarantee that this works inside a compiled program. A test at once plays a few steps in two environments
    with the same seed. A step cannot be differentiated, and it runs on the CPU.

    Args:
        make: A function without arguments that makes a new environment, for instance
            ``lambda: mpe2.simple_spread_v3.parallel_env(N=3)``.
        horizon: The largest number of steps of an episode, a whole number; an environment may end earlier.
        whole: A function that returns the global state of an environment, such as
            ``lambda environment: environment.state()``. None concatenates all agents' observations.
        live: The number of environments to keep, at least the number of episodes that are played side by side.

    Raises:
        ModuleNotFoundError: If PettingZoo is not installed.
        ValueError: If `make` does not make a parallel environment, or returns the same one in every call; if agents
            differ in their spaces, actions are not Discrete or are masked, agents leave early or join late, the seed
            does not determine the environment, or a number is invalid.
        EnvironmentFailure: If an environment raises an error.
    """
    try:
        horizon, live = whole_number("horizon", horizon, 1), whole_number("live", live, 1)
    except ValueError:
        raise ValueError(
            f"horizon is {horizon!r} and live {live!r}; give whole numbers, at least 1, for both."
        ) from None
    table = Environments(make, horizon, whole, live)
    return ParallelGame(len(table.names), table.actions, horizon, table)
