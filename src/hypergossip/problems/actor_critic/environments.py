"""A cache of running environments, indexed by the seeds and actions of their episodes."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from hypergossip.problems.actor_critic.environment_answers import (
    Answer,
    Form,
    Running,
    failing,
    read_reset,
    read_step,
)
from hypergossip.problems.actor_critic.environment_cache import RunningEnvironments, innermost, pool_of, together
from hypergossip.problems.actor_critic.environment_making import (
    checked_maker,
    checked_whole,
    make_one,
    name_of,
    names_of,
    read_whole,
)
from hypergossip.problems.actor_critic.environment_seed import SEED, Parts, check_seed, shifts
from hypergossip.problems.actor_critic.environment_spaces import has_masks, spaces_of
from hypergossip.problems.actor_critic.parallel import Environment


class Options(NamedTuple):
    """What environments may do, as `from_parallel` documents it.

    Attributes:
        pad: Whether agents may have different spaces.
        leaving: Whether agents may leave before the others.
        time_limit: The environment's own time limit, which it reports as a termination, or None.
    """

    pad: bool
    leaving: bool
    time_limit: int | None


class Known(NamedTuple):
    """What the trial of an environment has found.

    Attributes:
        names: The names of the agents.
        form: The form of the environment's answers.
        whole: The shape of the global state.
        renew: Whether every episode needs a new environment.
        own_process: Whether every environment is a process of its own.
    """

    names: list
    form: Form
    whole: tuple[int, ...]
    renew: bool
    own_process: bool


class Environments:
    """A cache of environments. It has no influence on results, which depend only on the seeds and the actions.

    Attributes:
        names: The names of the agents.
        form: The form of the environment's answers.
        most: The largest number of environments in the cache.
        whole: The shape of the global state.
        failure: The last exception that an environment or a check of its answers raised, or None.
    """

    def __init__(
        self,
        make: Any,
        horizon: int,
        whole: Any,
        most: int,
        options: Options,
        known: Known | None = None,
        workers: int | None = None,
    ) -> None:
        """Makes two environments and checks them.

        Args:
            make: A user's function that makes an environment.
            horizon: The largest number of steps of an episode.
            whole: A user's function that returns the global state of an environment; None uses all observations.
            most: The largest number of environments in the cache.
            options: What the environments may do.
            known: What such a trial has found in another process; None makes and checks two environments.
            workers: How many are stepped at once if they are processes of their own; None for two a core.

        Raises:
            ValueError: If these environments are not supported.
        """
        checked_whole(whole)
        self._make, self._whole, self.most = checked_maker(make), whole, most
        self._running = RunningEnvironments(self._make, most)
        self._lock = threading.Lock()  # the devices of one process call from separate threads
        self.failure: Exception | None = None
        if known is not None:
            self.names, self.form, self.whole, self._running.renew, self._own_process = known
        else:
            try:
                self._try(horizon, options)
            except Exception:
                self._running.close()
                raise
        self._pool = pool_of(workers, most) if self._own_process else None

    @property
    def known(self) -> Known:
        """What the trial has found, for another process."""
        return Known(self.names, self.form, self.whole or (), self._running.renew, self._own_process)

    def _try(self, horizon: int, options: Options) -> None:
        """Reads names and shapes from an environment, and compares it with a second one."""
        first = make_one(self._make)
        self._running.idle.append(first)
        self._own_process = bool(getattr(innermost(first), "own_process", False))
        self.names, self.whole = names_of(first), None
        spaces = spaces_of(first, self.names, options.pad)
        self.form = Form(self.names, spaces, options.leaving, True, options.time_limit)
        with failing(first, SEED, 0):
            answer = first.reset(seed=SEED)
        self.whole = self._global_state(first, read_reset(first, self.form, answer).observations).shape
        masked = options.leaving or spaces.masked or has_masks(answer[1])
        self.form = self.form._replace(masked=masked)
        second = make_one(self._make)
        if innermost(second) is innermost(first):
            raise ValueError(
                f"the function that makes the environment returns the same {name_of(first)} in every call, but several "
                "episodes are played side by side; let it make a new one, as in "
                "lambda: simple_spread_v3.parallel_env(N=3)."
            )
        self._running.idle.append(second)
        episode = partial(self._episode, shifts(len(self.names), horizon))
        self._running.renew = check_seed(first, second, lambda: make_one(self._make), episode)
        self._running.shrink()

    def _episode(self, shifts: list[np.ndarray], environment: Environment) -> Iterator[Parts]:
        """Yields the observations of an episode, in which the shifts choose among the allowed actions."""
        running = Running(environment, set())
        answer, whole = self._begin(running, SEED)
        yield {"observations": answer.observations, "global state": whole, "masks": answer.allowed}
        for time, shift in enumerate(shifts, start=1):
            actions = self.form.spaces.acting.trial(answer.allowed, shift)
            answer, whole = self._play(running, SEED, time, actions)
            over = answer.terminated or answer.truncated
            masks = self.form.spaces.acting.own if over else answer.allowed
            parts = {"observations": answer.observations, "global state": whole, "rewards": answer.rewards}
            yield {**parts, "masks": masks}
            if over:
                return

    def reset(self, dtype: Any, seeds: Any) -> tuple[np.ndarray, ...]:
        """Starts episodes.

        Args:
            dtype: The type of the returned floats.
            seeds: The seeds of the episodes, (...).

        Returns:
            The observations, the global states and, if the game has any, masks.
        """
        return self._together(np.asarray(seeds), dtype, lambda k, seed: self._reset(seed))

    def step(self, dtype: Any, seeds: Any, times: Any, histories: Any, actions: Any, over: Any) -> tuple:
        """Plays a step of episodes.

        Args:
            dtype: The type of the returned floats.
            seeds: The seeds of the episodes, (...).
            times: The number of steps played in each episode, (...).
            histories: Every agent's earlier actions, (..., horizon, agents), with an axis for coordinates if there are
                any; actions that differ in one bit are different actions.
            actions: Every agent's next action, (..., agents), of the same type.
            over: Whether each episode is over, (...).

        Returns:
            Observations, global states, masks if the game has any, rewards, terminated and truncated.
        """
        times, histories, actions, over = map(np.asarray, (times, histories, actions, over))
        play = lambda k, seed: self._nothing() if over[k] else self._step(seed, histories[k][: times[k]], actions[k])
        return self._together(np.asarray(seeds), dtype, play)

    def _together(self, seeds: np.ndarray, dtype: Any, play: Callable[[tuple, int], tuple]) -> tuple[np.ndarray, ...]:
        """Returns the answers of `play` for every index of the batch, with floats of this dtype."""
        with self._lock:
            try:
                calls = [partial(play, k, int(seeds[k])) for k in np.ndindex(seeds.shape)]
                answers = together(self._pool, calls)
            except Exception as error:
                self.failure = error  # a compiled program passes on only its text
                raise
        parts = [np.stack(part).reshape((*seeds.shape, *part[0].shape)) for part in zip(*answers, strict=True)]
        return tuple(part if part.dtype == bool else part.astype(dtype) for part in parts)

    def _reset(self, seed: int) -> tuple:
        environments = self._running
        running = environments.found((seed, b""))
        if running is not None and environments.renew:
            environments.end(running)
            running = None
        running = environments.free() if running is None else running
        with environments.dropping(running):
            answer, whole = self._begin(running, seed)
        environments.keep((seed, b""), running)
        return self._seen(answer, whole)

    def _step(self, seed: int, past: np.ndarray, actions: np.ndarray) -> tuple:
        environments = self._running
        found = environments.found((seed, past.tobytes()))
        running = environments.free() if found is None else found
        with environments.dropping(running):
            if found is None:
                self._restart(running, seed)
                for time, earlier in enumerate(past, start=1):
                    self._advance(running, seed, time, earlier)
            answer, whole = self._play(running, seed, len(past) + 1, actions)
        if answer.terminated or answer.truncated:
            environments.end(running)
        else:
            environments.keep((seed, np.concatenate([past, actions[None]]).tobytes()), running)
        flags = np.array(answer.terminated), np.array(answer.truncated)
        return *self._seen(answer, whole), answer.rewards, *flags

    def _seen(self, answer: Answer, whole: np.ndarray) -> tuple:
        """Returns observations, the global state and, if the game has any, masks."""
        return answer.observations, whole, *((answer.allowed,) if self.form.masked else ())

    def _restart(self, running: Running, seed: int) -> Answer:
        """Resets an environment, and returns its answer."""
        running.gone.clear()
        with failing(running.environment, seed, 0):
            answer = running.environment.reset(seed=seed)
        return read_reset(running.environment, self.form, answer)

    def _advance(self, running: Running, seed: int, time: int, actions: np.ndarray) -> Answer:
        """Plays a step, and returns its answer."""
        with failing(running.environment, seed, time):
            raw = running.environment.step(self._named(running.environment, actions))
        return read_step(running, self.form, raw, time)

    def _begin(self, running: Running, seed: int) -> tuple[Answer, np.ndarray]:
        """Resets an environment; returns its answer and the global state."""
        answer = self._restart(running, seed)
        return answer, self._global_state(running.environment, answer.observations)

    def _play(self, running: Running, seed: int, time: int, actions: np.ndarray) -> tuple[Answer, np.ndarray]:
        """Plays a step; returns its answer and the global state after it."""
        answer = self._advance(running, seed, time, actions)
        return answer, self._global_state(running.environment, answer.observations)

    def _global_state(self, environment: Environment, observations: np.ndarray) -> np.ndarray:
        return observations.ravel() if self._whole is None else read_whole(environment, self._whole, self.whole)

    def _nothing(self) -> tuple:
        """Returns zeros for steps after the end of an episode, which loops of a fixed length compute."""
        agents, no = len(self.names), np.array(False)
        zeros = np.zeros((agents, *self.form.spaces.observation)), np.zeros(self.whole or ())
        masks = (self.form.spaces.acting.own,) if self.form.masked else ()
        return *zeros, *masks, np.zeros(agents), no, no

    def _named(self, environment: Environment, actions: np.ndarray) -> dict:
        """Returns the actions of the agents that the environment has at present, by their names, as it takes them."""
        there = getattr(environment, "agents", self.names)
        each, acting = enumerate(zip(self.names, actions, strict=True)), self.form.spaces.acting
        return {name: acting.handed(i, action) for i, (name, action) in each if name in there}
