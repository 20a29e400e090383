"""PettingZoo's parallel environments as our games; parallel.py has the other way."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from hypergossip.problems.actor_critic.parallel import Environment, pettingzoo_modules
from hypergossip.pytree import register_pytree


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


class _Table:
    """Environments at play, found by what was played in them.

    Only a memory: with or without it, an environment stands where the seed and the actions say.
    """

    def __init__(self, make: Callable[[], Environment], whole: Callable[[Environment], Any] | None, most: int) -> None:
        probe = make()
        self.names = list(probe.possible_agents)
        self.first_action, self.actions, self.observation = _spaces(probe, self.names)
        self._make, self._whole, self._most = make, whole, most
        self._live: OrderedDict[tuple[int, bytes], Environment] = OrderedDict()  # the longest unused first
        self._idle = [probe]
        self._lock = threading.Lock()  # the devices of one process call from threads of their own
        observations, _ = probe.reset(seed=0)
        self.whole = self._seen(probe, observations)[1].shape

    def reset(self, dtype: Any, seeds: Any) -> tuple[np.ndarray, ...]:
        """Begins episodes; returns their observations and global states."""
        with self._lock:
            return _stacked(np.asarray(seeds), dtype, lambda k, seed: self._reset(seed))

    def step(self, dtype: Any, seeds: Any, times: Any, histories: Any, actions: Any, over: Any) -> tuple:
        """Plays a step of episodes; returns observations, global states, rewards, terminated and truncated."""
        times, histories, actions, over = map(np.asarray, (times, histories, actions, over))
        play = lambda k, seed: self._nothing() if over[k] else self._step(seed, histories[k][: times[k]], actions[k])
        with self._lock:
            return _stacked(np.asarray(seeds), dtype, play)

    def _reset(self, seed: int) -> tuple:
        environment = self._live.pop((seed, b""), None)
        environment = self._free() if environment is None else environment
        observations, _ = environment.reset(seed=seed)
        self._live[seed, b""] = environment
        return self._seen(environment, observations)

    def _step(self, seed: int, moves: np.ndarray, actions: np.ndarray) -> tuple:
        environment = self._live.pop((seed, moves.tobytes()), None)
        if environment is None:
            environment = self._free()
            environment.reset(seed=seed)
            for past in moves:
                environment.step(self._named(past))
        observations, rewards, terminated, truncated, _ = environment.step(self._named(actions))
        if len(rewards) < len(self.names) or 0 < len(environment.agents) < len(self.names):
            raise ValueError(
                f"agents left while others play on, at step {len(moves) + 1} (still there: {environment.agents}); "
                "from_parallel takes environments whose agents all stay to the end of the episode."
            )
        ended = any(terminated.values()), any(truncated.values())
        if any(ended):
            self._idle.append(environment)
        else:
            self._live[seed, np.concatenate([moves, actions[None]]).tobytes()] = environment
        each = np.array([rewards[name] for name in self.names], float)
        return *self._seen(environment, observations), each, *map(np.array, ended)

    def _nothing(self) -> tuple:
        """What comes after an episode's end; it means nothing, but loops of a fixed length ask for it."""
        agents, no = len(self.names), np.array(False)
        return np.zeros((agents, *self.observation)), np.zeros(self.whole), np.zeros(agents), no, no

    def _seen(self, environment: Environment, observations: dict) -> tuple[np.ndarray, np.ndarray]:
        together = np.stack([np.asarray(observations[name]) for name in self.names])
        return together, together.ravel() if self._whole is None else np.asarray(self._whole(environment))

    def _free(self) -> Environment:
        if self._idle:
            return self._idle.pop()
        return self._make() if len(self._live) < self._most else self._live.popitem(last=False)[1]

    def _named(self, actions: np.ndarray) -> dict:
        return {name: self.first_action + int(action) for name, action in zip(self.names, actions, strict=True)}


def _spaces(environment: Environment, names: list[str]) -> tuple[int, int, tuple[int, ...]]:
    """The first action, the number of actions and an observation's shape, the same for all agents."""
    spaces = pettingzoo_modules()[1]
    acts, sees = (
        [environment.action_space(name) for name in names],
        [environment.observation_space(name) for name in names],
    )
    if not all(isinstance(act, spaces.Discrete) and act == acts[0] for act in acts):
        raise ValueError(
            f"the action spaces are {', '.join(map(str, acts))}; from_parallel takes environments in which all agents "
            "have the same Discrete actions. Many have an option for that, or a wrapper can bring it about."
        )
    if not all(isinstance(see, spaces.Box) and see.shape == sees[0].shape for see in sees):
        raise ValueError(
            f"the observation spaces are {', '.join(map(str, sees))}; from_parallel takes environments in which all "
            "agents see a Box of the same shape. A wrapper can flatten and pad them."
        )
    return int(acts[0].start), int(acts[0].n), sees[0].shape


def _stacked(seeds: np.ndarray, dtype: Any, play: Callable[[tuple, Any], tuple]) -> tuple[np.ndarray, ...]:
    """What `play` answers for every index of the batch, floats in this dtype."""
    answers = [play(k, int(seeds[k])) for k in np.ndindex(seeds.shape)]
    parts = [np.stack(part).reshape((*seeds.shape, *part[0].shape)) for part in zip(*answers, strict=True)]
    return tuple(part if part.dtype == bool else part.astype(dtype) for part in parts)


@register_pytree("agents", "actions", "horizon", "table")
@dataclass(frozen=True)
class ParallelGame:
    """The game of `from_parallel`, which says what it can and what it costs.

    Args:
        agents: How many play.
        actions: How many each of them has.
        horizon: Steps of an episode at most.
        table: The environments at play.
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

    def observe(self, state: ParallelState) -> Float[Array, "agents *observation"]:
        """Returns what every agent sees of a `state`."""
        return state.observations

    def global_state(self, state: ParallelState) -> Float[Array, "*whole"]:
        """Returns the global state."""
        return state.whole


def from_parallel(
    make: Callable[[], Environment],
    *,
    horizon: int,
    whole: Callable[[Environment], Any] | None = None,
    live: int = 64,
) -> ParallelGame:
    """Returns a PettingZoo parallel environment as a game, played by Python inside compiled programs.

    A state is the seed of its episode and the actions so far, so that the game is a function of arrays as every game
    is: an environment is played forward from its seed to wherever a state stands. Those that are already there are
    kept, `live` of them, so that going on costs one step of the environment, a call from the compiled program, and a
    copy of the history: together 1.2 times a step of mpe2's simple_spread_v3. Going back to an earlier state, or on
    with more episodes than `live`, replays the episode.

    What it asks of the environment: that its seed decides it; that all agents have the same Discrete actions and see a
    Box of the same shape; that all of them stay to the end; and that it does not use JAX itself, which JAX does not
    promise to work inside a compiled program. Nothing can be differentiated through a step, and it runs on the CPU.

    Args:
        make: Makes one, for instance ``lambda: mpe2.simple_spread_v3.parallel_env(N=3)``.
        horizon: The most steps of an episode; an environment may end earlier.
        whole: The global state of an environment, as ``lambda environment: environment.state()``; None: everybody's
            observations, one after the other.
        live: How many environments are kept: at least as many as episodes are played side by side.

    Raises:
        ModuleNotFoundError: If PettingZoo is not installed.
        ValueError: If agents differ in their spaces, actions are not Discrete, or a number makes no sense.
    """
    if horizon < 1 or live < 1:
        raise ValueError(f"horizon is {horizon} and live {live}; take at least 1 for both.")
    table = _Table(make, whole, live)
    return ParallelGame(len(table.names), table.actions, horizon, table)
