"""A cache of batches of environments, in which one call plays a step of all episodes of a batch."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from hypergossip.problems.actor_critic.environment_answers import Form, at, failing
from hypergossip.problems.actor_critic.environment_making import name_of
from hypergossip.problems.actor_critic.environment_seed import SEED, shifts
from hypergossip.problems.actor_critic.environment_spaces import spaces_of


@runtime_checkable
class Batch(Protocol):
    """Environments of one kind that are reset and stepped together, one for each episode.

    Attributes:
        metadata: A dict with the "name" of the environment.
        names: The names of the agents, in order.
    """

    metadata: Any
    names: Any

    def action_space(self, agent: Any) -> Any:
        """Returns an agent's action space in one environment."""
        ...

    def observation_space(self, agent: Any) -> Any:
        """Returns an agent's observation space in one environment."""
        ...

    def reset(self, seeds: list[int]) -> list[np.ndarray]:
        """Starts an episode for each of the `seeds`; returns every agent's observations, (episodes, ...)."""
        ...

    def step(self, actions: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Plays a step.

        Args:
            actions: Every agent's actions as the environments take them, (episodes, ...).

        Returns:
            Every agent's observations, the rewards (episodes, agents), and whether each episode is over, (episodes,).
        """
        ...


class Seen(NamedTuple):
    """What a batch shows after a reset or a step.

    Attributes:
        observations: The padded observations, (episodes, agents, ...).
        rewards: The rewards, (episodes, agents).
        over: Whether each episode is over, (episodes,).
    """

    observations: np.ndarray
    rewards: np.ndarray
    over: np.ndarray


class BatchedEnvironments:
    """The part of `Environments` for batches. Episodes that advance together are one batch from their reset on.

    Attributes:
        names: The names of the agents.
        form: The form of the environments' answers.
        most: The largest number of episodes of a batch.
        whole: The shape of the global state, which is all observations.
        failure: The last exception that an environment or a check of its answers raised, or None.
    """

    def __init__(self, make: Callable[[int], Batch], horizon: int, most: int, kept: int, pad: bool) -> None:
        """Makes batches of one and of two environments and compares them.

        Args:
            make: A function that makes a batch of a number of environments.
            horizon: The largest number of steps of an episode.
            most: The largest number of episodes of a batch.
            kept: The number of batches to keep.
            pad: Whether agents may have different spaces.

        Raises:
            ValueError: If their spaces do not fit, or an episode's seed does not determine it.
        """
        self._make, self.most, self._kept = make, most, kept
        self._live: OrderedDict[tuple[bytes, bytes], Batch] = OrderedDict()  # the least recently used first
        self._lock = threading.Lock()  # the devices of one process call from separate threads
        self.failure: Exception | None = None
        first = make(1)
        self.names = list(first.names)
        spaces = spaces_of(first, self.names, pad)
        self.form = Form(self.names, spaces, False, spaces.masked, None)
        self.whole = (len(self.names) * int(np.prod(spaces.observation)),)
        self._check_seed(first, shifts(len(self.names), horizon))

    def _check_seed(self, first: Batch, chosen: list[np.ndarray]) -> None:
        """Raises ValueError unless an episode is the same alone, beside another one, and in a used batch."""
        pair, own = self._make(2), self.form.spaces.acting.own
        actions = [self.form.spaces.acting.trial(own, shift) for shift in chosen]

        def episode(batch: Batch, seeds: list[int]) -> list[Seen]:
            at = seeds.index(SEED)
            steps = (self._step(batch, seeds, time, np.stack([each] * len(seeds))) for time, each in enumerate(actions))
            trail = [self._reset(batch, seeds), *steps]
            return [Seen(*(part[at] for part in seen)) for seen in trail]

        alone = episode(first, [SEED])
        for batch, seeds in ((pair, [SEED + 1, SEED]), (pair, [SEED, SEED + 2]), (first, [SEED])):
            for time, (one, other) in enumerate(zip(alone, episode(batch, seeds), strict=True)):
                if not all(map(_nearly_equal, one, other)):
                    raise ValueError(
                        f"the seed of an episode of {name_of(first)} does not determine it: played beside another "
                        f"episode, or in environments that were used before, it differs at step {time}. It probably "
                        "draws random numbers in its steps or keeps state over a reset; choose another scenario, or an "
                        "option that makes it deterministic."
                    )

    def reset(self, dtype: Any, seeds: Any) -> tuple[np.ndarray, ...]:
        """Starts episodes.

        Args:
            dtype: The type of the returned floats.
            seeds: The seeds of the episodes, (...).

        Returns:
            The observations, the global states and, if agents have unequal actions, masks.
        """
        seeds = np.asarray(seeds)
        each = seeds.reshape(-1)
        seen = self._guarded(lambda: self._started(each)[1])
        return self._answer(seen, seeds.shape, dtype)

    def step(self, dtype: Any, seeds: Any, times: Any, histories: Any, actions: Any, over: Any) -> tuple:
        """Plays a step of episodes.

        Args:
            dtype: The type of the returned floats.
            seeds: The seeds of the episodes, (...).
            times: The number of steps played in each episode, (...).
            histories: Every agent's earlier actions, (..., horizon, agents), with an axis for coordinates if any.
            actions: Every agent's next action, (..., agents), of the same type.
            over: Whether each episode is over, (...).

        Returns:
            Observations, global states, masks if the game has any, rewards, terminated and truncated.
        """
        seeds, times, histories, actions, over = map(np.asarray, (seeds, times, histories, actions, over))
        shape, lead = seeds.shape, seeds.ndim
        flat = lambda array: array.reshape(-1, *array.shape[lead:])
        seen = self._guarded(lambda: self._advanced(*map(flat, (seeds, times, histories, actions, over))))
        ended = seen.over.reshape(shape)
        rewards = seen.rewards.reshape(*shape, -1).astype(dtype)
        return *self._answer(seen, shape, dtype), rewards, ended, np.zeros_like(ended)

    def _guarded(self, play: Callable[[], Seen]) -> Seen:
        """Returns the result of a function that plays, one at a time, and notes its exception."""
        with self._lock:
            try:
                return play()
            except Exception as error:
                self.failure = error  # a compiled program passes on only its text
                raise

    def _advanced(self, seeds: Any, times: Any, histories: Any, actions: Any, over: Any) -> Seen:
        """Returns the answers for all episodes, zeros for those that are over; each time is a batch of its own."""
        episodes, agents = len(seeds), len(self.names)
        observations = np.zeros((episodes, agents, *self.form.spaces.observation))
        seen = Seen(observations, np.zeros((episodes, agents)), np.zeros(episodes, bool))
        for time in np.unique(times[~over]):
            chosen = np.flatnonzero(times == time)  # also those that are over, so that the batch remains the same
            part = self._next(seeds[chosen], histories[chosen, :time], actions[chosen])
            alive = ~over[chosen]
            for whole, new in zip(seen, part, strict=True):
                whole[chosen[alive]] = new[alive]
        return seen

    def _next(self, seeds: np.ndarray, past: np.ndarray, actions: np.ndarray) -> Seen:
        """Plays a step of one batch, after a replay if it is not kept at this state."""
        batch = self._live.pop((seeds.tobytes(), past.tobytes()), None)
        if batch is None:
            batch, _ = self._started(seeds)
            self._live.popitem()
            for time in range(past.shape[1]):
                self._step(batch, seeds, time, past[:, time])
        seen = self._step(batch, seeds, past.shape[1], actions)
        self._keep(seeds, np.concatenate([past, actions[:, None]], axis=1), batch)
        return seen

    def _started(self, seeds: np.ndarray) -> tuple[Batch, Seen]:
        """Resets a batch, if possible one that is kept, and keeps it."""
        size = seeds.tobytes()
        known = next((key for key, batch in self._live.items() if key[0] == size), None)
        if known is None and len(self._live) >= self._kept:
            known = next((key for key in self._live if len(key[0]) == len(size)), None)  # the oldest of this size
        batch = self._make(len(seeds)) if known is None else self._live.pop(known)
        seen = self._reset(batch, seeds.tolist())
        self._keep(seeds, np.zeros((len(seeds), 0)), batch)
        return batch, seen

    def _keep(self, seeds: np.ndarray, past: np.ndarray, batch: Batch) -> None:
        self._live[seeds.tobytes(), past.tobytes()] = batch
        while len(self._live) > self._kept:
            _close(self._live.popitem(last=False)[1])

    def _reset(self, batch: Batch, seeds: Any) -> Seen:
        with failing(batch, int(seeds[0]), 0):
            observations = batch.reset(seeds)
        agents = len(self.names)
        seen = Seen(self._padded(observations), np.zeros((len(seeds), agents)), np.zeros(len(seeds), bool))
        return self._finite(batch, seen, seeds, 0)

    def _step(self, batch: Batch, seeds: Any, time: int, actions: np.ndarray) -> Seen:
        acting = self.form.spaces.acting
        handed = [acting.handed_together(i, actions[:, i]) for i in range(len(self.names))]
        with failing(batch, int(seeds[0]), time + 1):
            observations, rewards, over = batch.step(handed)
        seen = Seen(self._padded(observations), np.asarray(rewards, float), np.asarray(over, bool))
        return self._finite(batch, seen, seeds, time + 1)

    def _finite(self, batch: Batch, seen: Seen, seeds: Any, time: int) -> Seen:
        """Returns the answer, or raises ValueError if a number in it is not finite."""
        for what, values in (("observation", seen.observations), ("reward", seen.rewards)):
            if (wrong := np.argwhere(~np.isfinite(values))).size:
                episode, agent = wrong[0][:2]
                raise ValueError(
                    f"the {what} of agent {self.names[agent]!r} of {name_of(batch)} {at(time)} of the episode with "
                    f"seed {int(seeds[episode])} contains {values[tuple(wrong[0])]}; return finite numbers."
                )
        return seen

    def _padded(self, observations: list[np.ndarray]) -> np.ndarray:
        """Returns the observations of all agents in one array, (episodes, agents, ...)."""
        return np.stack([[self.form.spaces.padded(one) for one in each] for each in observations], axis=1).astype(float)

    def _answer(self, seen: Seen, shape: tuple, dtype: Any) -> tuple[np.ndarray, ...]:
        """Returns observations, global states and masks, with the axes of the batch."""
        observations = seen.observations.astype(dtype)
        own = self.form.spaces.acting.own
        masks = (np.broadcast_to(own, (*shape, *own.shape)),) if self.form.masked else ()
        whole = observations.reshape(*shape, *self.whole)
        return observations.reshape(*shape, *observations.shape[1:]), whole, *masks


def _nearly_equal(one: Any, other: Any) -> bool:
    """Returns whether two arrays are equal up to the round-off of single precision after several steps."""
    return np.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def _close(batch: Any) -> None:
    """Closes a batch that is no longer used."""
    with suppress(Exception):
        batch.close()
