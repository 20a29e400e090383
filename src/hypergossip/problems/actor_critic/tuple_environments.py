"""Makes games from gymnasium environments whose agents have a place in tuples, such as lbforaging and rware."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from hypergossip.problems.actor_critic.environment_making import TUPLES, checked_maker
from hypergossip.problems.actor_critic.parallel import Environment, pettingzoo_modules
from hypergossip.problems.actor_critic.pettingzoo_environments import ParallelGame, from_parallel
from hypergossip.support.registry import check_options


@cache
def _environment_class() -> type:
    """Returns the class, which is made at the first call because its base class is PettingZoo's."""
    pettingzoo, _ = pettingzoo_modules()

    class TupleEnvironment(pettingzoo.ParallelEnv):
        """A gymnasium environment with tuples as a PettingZoo parallel environment."""

        def __init__(self, inner: Any) -> None:
            spec = getattr(inner, "spec", None)
            self.inner, self.metadata = inner, {"name": getattr(spec, "id", type(inner.unwrapped).__name__)}
            self.possible_agents = [f"agent_{i}" for i in range(len(inner.action_space.spaces))]
            self.agents: list[str] = []
            self.observation_spaces = dict(zip(self.possible_agents, inner.observation_space.spaces, strict=True))
            self.action_spaces = dict(zip(self.possible_agents, inner.action_space.spaces, strict=True))

        @property
        def unwrapped(self) -> Any:
            return self.inner.unwrapped

        def observation_space(self, agent: str) -> Any:
            return self.observation_spaces[agent]

        def action_space(self, agent: str) -> Any:
            return self.action_spaces[agent]

        def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
            observations, _ = self.inner.reset(seed=seed, options=options)
            self.agents = self.possible_agents[:]
            return self._each(observations), {}

        def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
            taken = tuple(actions[name] for name in self.possible_agents)
            observations, *outcome, _ = self.inner.step(taken)
            rewards, terminations, truncations = (self._each(self._for_all(part)) for part in outcome)
            if all(terminations[name] or truncations[name] for name in self.agents):
                self.agents = []
            return self._each(observations), rewards, terminations, truncations, {}

        def close(self) -> None:
            self.inner.close()

        def _for_all(self, part: Any) -> Any:
            """Returns one value for each agent, if there is one for all."""
            return [part] * len(self.possible_agents) if np.ndim(part) == 0 else part

        def _each(self, values: Any) -> dict:
            return dict(zip(self.possible_agents, values, strict=True))

    return TupleEnvironment


def from_tuples(make: Any, *, horizon: Any, whole: Any = None, **options: Any) -> ParallelGame:
    """Returns a gymnasium environment with several agents as a game; each agent has a place in its tuples.

    Its action and observation spaces are tuples with an entry for each agent, who are named "agent_0", "agent_1" and so
    on. A reward or an end may be a single value for all agents, or have an entry for each.

    Args:
        make: A function without arguments that makes a new environment, for instance
            ``lambda: gymnasium.make("Foraging-8x8-2p-1f-v3", disable_env_checker=True)``.
        horizon: The largest number of steps of an episode, a whole number; an environment may end earlier.
        whole: A function that returns the global state of an environment. None concatenates all agents' observations.
        options: The other options of `from_parallel`, which has the requirements and errors as well.

    Raises:
        TypeError: If there is no such option.
    """
    check_options("from_tuples", options, from_parallel)
    maker = checked_maker(make, TUPLES)
    whole_of = (lambda environment: whole(environment.inner)) if callable(whole) else whole
    return from_parallel(lambda: _wrapped(maker), horizon=horizon, whole=whole_of, **options)


def _wrapped(make: Callable[[], Any]) -> Environment:
    """Returns a new environment as a parallel one."""
    made, spaces = make(), pettingzoo_modules()[1]
    kinds = {name: getattr(made, name, None) for name in ("action_space", "observation_space")}
    for name, space in kinds.items():
        if not isinstance(space, spaces.Tuple):
            given = f"its {name} is {space}" if space is not None and not callable(space) else f"it has no {name}"
            raise ValueError(
                "from_tuples takes a function that makes a gymnasium environment whose spaces are tuples with an entry "
                f"for each agent, but this function makes one of type {type(made).__name__}, and {given}; use "
                "from_parallel for a parallel environment of PettingZoo."
            )
    return _environment_class()(made)
