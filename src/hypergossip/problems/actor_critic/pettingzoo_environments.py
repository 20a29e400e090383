"""PettingZoo's parallel environments as our games; parallel.py has the other way."""

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
    """An episode's past, which says where the environment stands, and what is seen there.

    Attributes:
        seed: What the environment was reset with.
        time: Steps played.
        history: (horizon, agents) actions; those from `time` on are 0.
        observations: (agents, ...).
        whole: The global state.
        over: Did the episode end?
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
    """The game of `from_parallel`, which says what it can and what it costs.

    Args:
        agents: How many play.
        actions: How many each of them has.
        horizon: Steps of an episode at most.
        table: The environments at play, `Environments`.
    """

    agents: int
    actions: int
    horizon: int
    table: Any

    @property
    def names(self) -> tuple[str, ...]:
        """What the environment calls its agents, in the order of its `possible_agents`."""
        return tuple(map(str, self.table.names))

    def _ask(self, call: Callable, dtype: Any, more: tuple, *arguments: Any) -> Any:
        """What the table answers: observations, the global state, and more."""
        shape = lambda *size: jax.ShapeDtypeStruct(size, dtype)
        shapes = shape(self.agents, *self.table.observation), shape(*self.table.whole), *more
        if not any(isinstance(argument, Tracer) for argument in arguments):
            # Nothing is compiled, so what the environment raises reaches its user as it is.
            return tuple(map(jnp.asarray, call(dtype, *arguments)))
        return jax.pure_callback(partial(call, dtype), shapes, *arguments, vmap_method="broadcast_all")

    def reset(self, key: Key[Array, ""]) -> ParallelState:
        """Returns the first state of an episode, of the environment seeded by the `key`."""
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
            state: Where the game stands.
            actions: Everybody's.

        Returns:
            The next state, the rewards, whether any agent's episode terminated, and whether it was truncated or the
            horizon is reached.
        """
        dtype = jnp.result_type(float)
        actions = actions.astype(jnp.int32)
        flag = jax.ShapeDtypeStruct((), bool)
        more = jax.ShapeDtypeStruct((self.agents,), dtype), flag, flag
        asked = state.seed, state.time, state.history, actions, state.over
        observations, whole, rewards, terminated, truncated = self._ask(self.table.step, dtype, more, *asked)
        time = state.time + 1
        truncated = truncated | (time >= self.horizon)
        history = jax.lax.dynamic_update_index_in_dim(state.history, actions, state.time, 0)
        over = state.over | terminated | truncated
        moved = ParallelState(state.seed, time, history, observations, whole, over)
        return moved, rewards, terminated, truncated

    def raised(self) -> Exception | None:
        """Returns what an environment raised last, or what was wrong with its answer; None where nothing was."""
        return self.table.failure

    def observe(self, state: ParallelState) -> Float[Array, "agents *observation"]:
        """Returns what every agent sees of a `state`."""
        return state.observations

    def global_state(self, state: ParallelState) -> Float[Array, "*whole"]:
        """Returns the global state."""
        return state.whole


def from_parallel(make: Any, *, horizon: Any, whole: Any = None, live: Any = 64) -> ParallelGame:
    """Returns a PettingZoo parallel environment as a game, played by Python inside compiled programs.

    A state is the seed of its episode and the actions so far, so that the game is a function of arrays as every game
    is: an environment is played forward from its seed to wherever a state stands. Those that are already there are
    kept, `live` of them, so that going on costs one step of the environment, a call from the compiled program, and a
    copy of the history: together 1.2 times a step of mpe2's simple_spread_v3. Going back to an earlier state, or on
    with more episodes than `live`, replays the episode.

    What it asks of the environment: that its seed decides it; that all agents have the same Discrete actions, none of
    them masked, and see a Box of the same shape; that all of them stay to the end; and that it does not use JAX itself,
    which JAX does not promise to work inside a compiled program. It is tried at once: two environments are made, and
    play a few steps from one seed. Nothing can be differentiated through a step, and it runs on the CPU.

    Args:
        make: A function without arguments that makes a new one, for instance
            ``lambda: mpe2.simple_spread_v3.parallel_env(N=3)``.
        horizon: The most steps of an episode, a whole number; an environment may end earlier.
        whole: The global state of an environment, as ``lambda environment: environment.state()``; None: everybody's
            observations, one after the other.
        live: How many environments are kept: at least as many as episodes are played side by side.

    Raises:
        ModuleNotFoundError: If PettingZoo is not installed.
        ValueError: If `make` makes no parallel environment, or the same one in every call; if agents differ in their
            spaces, actions are not Discrete or masked, agents leave early or come late, the seed does not decide the
            environment, or a number makes no sense.
        EnvironmentFailure: If an environment raises an error of its own.
    """
    try:
        horizon, live = whole_number("horizon", horizon, 1), whole_number("live", live, 1)
    except ValueError:
        raise ValueError(
            f"horizon is {horizon!r} and live {live!r}; take at least 1 for both, as whole numbers."
        ) from None
    table = Environments(make, horizon, whole, live)
    return ParallelGame(len(table.names), table.actions, horizon, table)
