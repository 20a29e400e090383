"""Makes PettingZoo parallel environments from games; pettingzoo_environments.py makes games from environments."""

from functools import cache
from typing import Any

import jax
import numpy as np

from hypergossip.problems.actor_critic.game import Game, allowed_actions, check_game, continuous
from hypergossip.support.arguments import seed_number
from hypergossip.support.compilation import compiled
from hypergossip.support.extras import require

Environment = Any  # a pettingzoo.ParallelEnv


def pettingzoo_modules() -> tuple[Any, Any]:
    """Returns the modules pettingzoo and gymnasium.spaces.

    Raises:
        MissingExtra: If they are not installed. The extra "games" installs them.
    """
    needs = ("games", "A PettingZoo environment")
    return require("pettingzoo", *needs), require("gymnasium.spaces", *needs)


def _observed(game: Game, state: Any) -> tuple:
    masks = allowed_actions(game, jax.tree.map(lambda leaf: leaf[None], state))
    return game.observe(state), game.global_state(state), () if masks is None else (masks[0],)


@compiled()
def _begin(game: Game, key: Any) -> tuple:
    state = game.reset(key)
    return state, *_observed(game, state)


@compiled()
def _advance(game: Game, state: Any, actions: Any) -> tuple:
    state, *outcome = game.step(state, actions)
    return state, *_observed(game, state), *outcome


def _action_spaces(game: Game) -> list:
    """Returns every agent's action space."""
    spaces = pettingzoo_modules()[1]
    if not continuous(game):
        return [spaces.Discrete(game.actions) for _ in range(game.agents)]
    unbounded = np.full((2, game.agents, game.actions), [[[-np.inf]], [[np.inf]]])
    low, high = (np.asarray(end, np.float32) for end in getattr(game, "bounds", unbounded))
    return [spaces.Box(*ends) for ends in zip(low, high, strict=True)]


@cache
def _environment_class() -> type:
    """Returns the class, which is made at the first call because its base class is PettingZoo's."""
    pettingzoo, spaces = pettingzoo_modules()

    class GameEnvironment(pettingzoo.ParallelEnv):
        """A game as a PettingZoo parallel environment."""

        def __init__(self, game: Game, seed: int) -> None:
            self.game, self.render_mode = game, None
            self.metadata = {"name": type(game).__name__.lower(), "render_modes": [], "is_parallelizable": True}
            self.possible_agents = [f"agent_{i}" for i in range(game.agents)]
            self.agents: list[str] = []
            self._key, self._state = jax.random.key(seed_number(seed)), None
            _, observations, whole, _ = jax.eval_shape(_begin, game, self._key)
            box = lambda like: spaces.Box(-np.inf, np.inf, like.shape, like.dtype)
            one = jax.ShapeDtypeStruct(observations.shape[1:], observations.dtype)
            # PettingZoo seeds every agent's spaces separately, and requires the same object at every call.
            self.observation_spaces = {agent: box(one) for agent in self.possible_agents}
            self.action_spaces = dict(zip(self.possible_agents, _action_spaces(game), strict=True))
            self.state_space = box(whole)

        def observation_space(self, agent: str) -> Any:
            return self.observation_spaces[agent]

        def action_space(self, agent: str) -> Any:
            return self.action_spaces[agent]

        def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
            if seed is not None:
                self._key = jax.random.key(seed_number(seed))
            self._key, key = jax.random.split(self._key)
            self._state, observations, self._whole, masks = _begin(self.game, key)
            self.agents = self.possible_agents[:]
            return self._each(np.array(observations)), self._infos(masks)

        def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
            if self._state is None:
                raise RuntimeError("step was called before the first reset; call reset() to start an episode.")
            if not self.agents:
                return {}, {}, {}, {}, {}  # the episode is over
            chosen = np.array([self._checked(agent, actions) for agent in self.agents])
            self._state, observations, self._whole, masks, *outcome = _advance(self.game, self._state, chosen)
            rewards, terminated, truncated = np.asarray(outcome[0]).tolist(), bool(outcome[1]), bool(outcome[2])
            if terminated or truncated:
                self.agents = []
            each, same = self._each, lambda flag: dict.fromkeys(self.possible_agents, flag)
            infos = self._infos(masks)
            return each(np.array(observations)), each(rewards), same(terminated), same(truncated), infos

        def state(self) -> np.ndarray:
            if self._state is None:
                raise RuntimeError("state was called before the first reset; call reset() to start an episode.")
            return np.array(self._whole)

        def render(self) -> None:
            return None

        def close(self) -> None:
            pass

        def _each(self, values: Any) -> dict:
            return dict(zip(self.possible_agents, values, strict=True))

        def _infos(self, masks: tuple) -> dict:
            """Returns every agent's mask of the allowed actions, as PettingZoo has it, if the game has masks."""
            self._masks = self._each(np.array(masks[0], np.int8)) if masks else {}
            return self._each({"action_mask": self._masks[agent]} if masks else {} for agent in self.possible_agents)

        def _checked(self, agent: str, actions: dict) -> Any:
            space, real = self.action_spaces[agent], continuous(self.game)
            if agent not in actions or not space.contains(actions[agent]):
                kind = f"an array of {space}" if real else f"an integer from 0 to {self.game.actions - 1}"
                raise ValueError(
                    f"the action of {agent} in step is {actions.get(agent)!r}; give an action for every agent in every "
                    f"step, {kind}."
                )
            if not real and agent in self._masks and not self._masks[agent][actions[agent]]:
                raise ValueError(
                    f"the action of {agent} in step is {actions[agent]!r}, which its mask forbids; choose one whose "
                    'entry of "action_mask" in its info is 1.'
                )
            return np.asarray(actions[agent], float) if real else np.int32(actions[agent])

    return GameEnvironment


def as_parallel(game: Game, seed: int = 0) -> Environment:
    """Returns a game as a PettingZoo parallel environment, for libraries that use such environments.

    Its agents are "agent_0" to "agent_{n-1}", and all of them play to the end. `state()` returns the game's global
    state, and an agent's info has its mask under "action_mask" if the game has masks. Every step is one call of a
    compiled program, which takes several hundred times as long as a step inside a compiled program.

    Args:
        game: The game.
        seed: The seed of the episodes if `reset` gets no seed; below 2**32.

    Raises:
        ModuleNotFoundError: If PettingZoo is not installed.
        ValueError: If it is not a game, or the seed is invalid.
    """
    check_game(game)
    return _environment_class()(game, seed)
