"""A cache of running environments, indexed by the seeds and actions of their episodes."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from hypergossip.problems.actor_critic.environment_answers import Answer, Form, failing, read_reset, read_step
from hypergossip.problems.actor_critic.environment_making import (
    checked_maker,
    checked_whole,
    make_one,
    name_of,
    names_of,
    read_whole,
)
from hypergossip.problems.actor_critic.environment_seed import SEED, Parts, check_seed, moves
from hypergossip.problems.actor_critic.environment_spaces import spaces_of
from hypergossip.problems.actor_critic.parallel import Environment


class Environments:
    """A cache of environments. It has no influence on results, which depend only on the seeds and the actions.

    Attributes:
        names: The names of the agents.
        first_action: The number of the environment's first action.
        actions: The number of actions.
        observation: The shape of an observation.
        whole: The shape of the global state.
        failure: The last exception that an environment or a check of its answers raised, or None.
    """

    def __init__(self, make: Any, horizon: int, whole: Any, most: int) -> None:
        """Makes two environments and checks them.

        Args:
            make: A user's function that makes an environment.
            horizon: The largest number of steps of an episode.
            whole: A user's function that returns the global state of an environment; None uses all observations.
            most: The largest number of environments in the cache.

        Raises:
            ValueError: If `from_parallel` does not support these environments.
        """
        checked_whole(whole)
        self._make, self._whole, self._most = checked_maker(make), whole, most
        self._live: OrderedDict[tuple[int, bytes], Environment] = OrderedDict()  # the least recently used first
        self._idle: list[Environment] = []
        self._lock = threading.Lock()  # the devices of one process call from separate threads
        self.failure: Exception | None = None
        close = weakref.finalize(self, _close, self._live, self._idle)
        try:
            self._try(horizon)
        except Exception:
            close()
            raise

    def _try(self, horizon: int) -> None:
        """Reads names and shapes from an environment, and compares it with a second one."""
        first = make_one(self._make)
        self._idle.append(first)
        self.names = names_of(first)
        self.first_action, self.actions, self.observation = spaces_of(first, self.names)
        self._form, self.whole = Form(self.names, self.observation), None
        self.whole = self._begin(first, SEED)[1].shape
        second = make_one(self._make)
        if _innermost(second) is _innermost(first):
            raise ValueError(
                f"the function that makes the environment returns the same {name_of(first)} in every call, but several "
                "episodes are played side by side; let it make a new one, as in "
                "lambda: simple_spread_v3.parallel_env(N=3)."
            )
        self._idle.append(second)
        check_seed(first, second, partial(self._episode, moves(len(self.names), self.actions, horizon)))
        if len(self._idle) > self._most:
            _close({}, [self._idle.pop()])

    def _episode(self, moves: list[np.ndarray], environment: Environment) -> Iterator[Parts]:
        """Yields the observations of an episode with these actions."""
        observations, whole = self._begin(environment, SEED)
        yield {"observations": observations, "global state": whole}
        for time, actions in enumerate(moves, start=1):
            answer, whole = self._play(environment, SEED, time, actions)
            yield {"observations": answer.observations, "global state": whole, "rewards": answer.rewards}
            if answer.terminated or answer.truncated:
                return

    def reset(self, dtype: Any, seeds: Any) -> tuple[np.ndarray, ...]:
        """Starts episodes.

        Args:
            dtype: The type of the returned floats.
            seeds: The seeds of the episodes, (...).

        Returns:
            The observations and the global states.
        """
        return self._together(np.asarray(seeds), dtype, lambda k, seed: self._reset(seed))

    def step(self, dtype: Any, seeds: Any, times: Any, histories: Any, actions: Any, over: Any) -> tuple:
        """Plays a step of episodes.

        Args:
            dtype: The type of the returned floats.
            seeds: The seeds of the episodes, (...).
            times: The number of steps played in each episode, (...).
            histories: Every agent's earlier actions, (..., horizon, agents).
            actions: Every agent's next action, (..., agents).
            over: Whether each episode is over, (...).

        Returns:
            Observations, global states, rewards, terminated and truncated.
        """
        times, histories, actions, over = map(np.asarray, (times, histories, actions, over))
        play = lambda k, seed: self._nothing() if over[k] else self._step(seed, histories[k][: times[k]], actions[k])
        return self._together(np.asarray(seeds), dtype, play)

    def _together(self, seeds: np.ndarray, dtype: Any, play: Callable[[tuple, int], tuple]) -> tuple[np.ndarray, ...]:
        """Returns the answers of `play` for every index of the batch, with floats of this dtype."""
        with self._lock:
            try:
                answers = [play(k, int(seeds[k])) for k in np.ndindex(seeds.shape)]
            except Exception as error:
                self.failure = error  # a compiled program passes on only its text
                raise
        parts = [np.stack(part).reshape((*seeds.shape, *part[0].shape)) for part in zip(*answers, strict=True)]
        return tuple(part if part.dtype == bool else part.astype(dtype) for part in parts)

    def _reset(self, seed: int) -> tuple:
        environment = self._live.pop((seed, b""), None)
        environment = self._free() if environment is None else environment
        seen = self._begin(environment, seed)
        self._live[seed, b""] = environment
        return seen

    def _step(self, seed: int, past: np.ndarray, actions: np.ndarray) -> tuple:
        environment = self._live.pop((seed, past.tobytes()), None)
        if environment is None:
            environment = self._free()
            with failing(environment, seed, 0):
                environment.reset(seed=seed)
            for time, earlier in enumerate(past, start=1):
                with failing(environment, seed, time):
                    environment.step(self._named(earlier))
        answer, whole = self._play(environment, seed, len(past) + 1, actions)
        if answer.terminated or answer.truncated:
            self._idle.append(environment)
        else:
            self._live[seed, np.concatenate([past, actions[None]]).tobytes()] = environment
        flags = np.array(answer.terminated), np.array(answer.truncated)
        return answer.observations, whole, answer.rewards, *flags

    def _begin(self, environment: Environment, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Resets an environment; returns every agent's observation and the global state."""
        with failing(environment, seed, 0):
            answer = environment.reset(seed=seed)
        observations = read_reset(environment, self._form, answer)
        return observations, self._global_state(environment, observations)

    def _play(self, environment: Environment, seed: int, time: int, actions: np.ndarray) -> tuple[Answer, np.ndarray]:
        """Plays a step; returns its answer and the global state after it."""
        with failing(environment, seed, time):
            raw = environment.step(self._named(actions))
        answer = read_step(environment, self._form, raw, time)
        return answer, self._global_state(environment, answer.observations)

    def _global_state(self, environment: Environment, observations: np.ndarray) -> np.ndarray:
        return observations.ravel() if self._whole is None else read_whole(environment, self._whole, self.whole)

    def _nothing(self) -> tuple:
        """Returns zeros for steps after the end of an episode, which loops of a fixed length compute."""
        agents, no = len(self.names), np.array(False)
        return np.zeros((agents, *self.observation)), np.zeros(self.whole or ()), np.zeros(agents), no, no

    def _free(self) -> Environment:
        if self._idle:
            return self._idle.pop()
        return make_one(self._make) if len(self._live) < self._most else self._live.popitem(last=False)[1]

    def _named(self, actions: np.ndarray) -> dict:
        return {name: self.first_action + int(action) for name, action in zip(self.names, actions, strict=True)}


def _innermost(environment: Environment) -> Environment:
    """Returns the environment without its wrappers."""
    return getattr(environment, "unwrapped", environment)


def _close(live: Any, idle: list) -> None:
    """Closes environments that are no longer used."""
    for environment in (*live.values(), *idle):
        with suppress(Exception):
            environment.close()
    live.clear()
    idle.clear()
