"""Makes games from the scenarios of VMAS, which plays the steps of many episodes in one call of PyTorch."""

import importlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from hypergossip.problems.actor_critic.batched_environments import BatchedEnvironments
from hypergossip.problems.actor_critic.parallel import pettingzoo_modules
from hypergossip.problems.actor_critic.pettingzoo_environments import ParallelGame
from hypergossip.support.arguments import described, flag, whole_number
from hypergossip.support.extras import MissingExtra

OURS = ("num_envs", "seed", "max_steps", "dict_spaces", "multidiscrete_actions", "grad_enabled", "scenario")


class VmasBatch:
    """Environments of one scenario, one for each episode, which VMAS steps together; see `Batch`.

    Attributes:
        metadata: A dict with the "name" of the environment.
        names: The names of the agents.
    """

    def __init__(self, scenario: Any, options: Mapping[str, Any], episodes: int) -> None:
        """Makes the environments.

        Args:
            scenario: The name of a scenario, or a scenario of the user's.
            options: The other arguments of ``vmas.make_env``.
            episodes: Their number.
        """
        self._torch, vmas = vmas_modules()
        name = scenario if isinstance(scenario, str) else type(scenario).__name__
        self.metadata = {"name": f"vmas/{name}"}
        self._inner = vmas.make_env(scenario=scenario, num_envs=episodes, **options)
        self._seed = 0
        self.names = [agent.name for agent in self._inner.agents]

    def action_space(self, agent: Any) -> Any:
        """Returns the action space of an `agent`."""
        return _converted(self._inner.action_space[self.names.index(agent)])

    def observation_space(self, agent: Any) -> Any:
        """Returns the observation space of an `agent`."""
        return _converted(self._inner.observation_space[self.names.index(agent)])

    def reset(self, seeds: list[int]) -> list[np.ndarray]:
        """Starts an episode for each of the `seeds`; returns every agent's observations, (episodes, ...)."""
        for k, seed in enumerate(seeds):
            self._inner.seed(seed)  # VMAS draws from a random state of its own, which torch.manual_seed leaves alone
            self._inner.reset_at(k, return_observations=False)
        (seen,) = self._inner.get_from_scenario(True, False, False, False)
        self._seed = seeds[0]
        return list(map(_array, seen))

    def step(self, actions: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Plays a step.

        Args:
            actions: Every agent's actions, (episodes, coordinates), or (episodes,) if discrete.

        Returns:
            Every agent's observations, the rewards (episodes, agents), and whether each episode is over, (episodes,).
        """
        device = self._inner.device
        given = [self._torch.as_tensor(each, device=device).reshape(len(each), -1) for each in actions]
        self._seed = (self._seed + 1) % 2**31  # a replay of the same batch repeats what is drawn in a step, if anything
        self._inner.seed(self._seed)
        seen, rewards, over, _ = self._inner.step(given)
        return list(map(_array, seen)), np.stack(list(map(_array, rewards)), axis=1), _array(over)


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _converted(space: Any) -> Any:
    """Returns a space of the package gym, which VMAS uses, as one of gymnasium; others as they are."""
    spaces, kind = pettingzoo_modules()[1], type(space).__name__
    if kind == "Discrete":
        return spaces.Discrete(int(space.n))
    return spaces.Box(space.low, space.high, space.shape, space.dtype.type) if kind == "Box" else space


def vmas_modules() -> tuple[Any, Any]:
    """Returns the modules torch and vmas.

    Raises:
        MissingExtra: If they are not installed; no extra installs them, because of their size.
    """
    try:
        return importlib.import_module("torch"), importlib.import_module("vmas")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"a scenario of VMAS needs {error.name}, which is not installed: pip install vmas.", name=error.name
        ) from error


def from_vmas(
    scenario: Any, *, horizon: Any, options: Any = None, pad: bool = False, side_by_side: Any = 1024, live: Any = 4
) -> ParallelGame:
    """Returns a scenario of VMAS as a game, in which one call of PyTorch plays a step of all episodes side by side.

    It is like a game of `from_parallel`, with continuous or discrete actions. Episodes that advance together are a
    batch; a step of a batch takes little longer than that of a single episode. Every episode begins from its own seed,
    and so does not depend on the others. A test at once plays an episode alone, beside others and in a used batch, and
    refuses a scenario where they differ, as those that draw random numbers in their steps do. An episode is over where
    the scenario is done; its agents stay until then. The global state is all agents' observations.

    Args:
        scenario: The name of a scenario, such as "balance", or a scenario of yours.
        horizon: The largest number of steps of an episode, a whole number.
        options: The other arguments of ``vmas.make_env``, such as ``{"n_agents": 3, "continuous_actions": False}``.
            The number of environments, their seed and `max_steps` are set by the game.
        pad: Whether agents may have different spaces, as for `from_parallel`.
        side_by_side: The largest number of episodes of a batch; more test episodes take turns.
        live: The number of batches to keep.

    Raises:
        MissingExtra: If VMAS or PettingZoo is not installed.
        ValueError: If the spaces of the agents do not fit, the seed of an episode does not determine it, or an option
            or a number is invalid.
        EnvironmentFailure: If the scenario raises an error.
    """
    horizon = whole_number("horizon", horizon, 1)
    most, kept = whole_number("side_by_side", side_by_side, 1), whole_number("live", live, 1)
    if options is not None and not isinstance(options, Mapping):
        raise ValueError(f"options is {options!r}; give a dict of the scenario's arguments, such as {{'n_agents': 3}}.")
    if not isinstance(scenario, str) and (isinstance(scenario, type) or not hasattr(scenario, "make_world")):
        raise ValueError(
            f'scenario is {described(scenario)}; give the name of a scenario of VMAS, such as "balance", or an '
            "instance of a class of yours that derives from vmas.simulator.scenario.BaseScenario."
        )
    pad, given = flag("pad", pad), dict(options or {})
    if wrong := [name for name in OURS if name in given]:
        raise ValueError(f"options has {wrong[0]}, which the game sets; omit it, and use horizon for a limit of steps.")
    table = BatchedEnvironments(partial(VmasBatch, scenario, given), horizon, most, kept, pad)
    return ParallelGame(len(table.names), table.form.spaces.acting.actions, horizon, table)
