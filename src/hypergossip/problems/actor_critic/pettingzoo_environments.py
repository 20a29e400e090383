"""Makes games from PettingZoo's parallel environments; parallel.py makes environments from games."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from hypergossip.problems.actor_critic.environment_workers import EnvironmentWorkers
from hypergossip.problems.actor_critic.environments import Environments, Options
from hypergossip.problems.actor_critic.game import Actions
from hypergossip.support.arguments import flag, whole_number
from hypergossip.support.pytree import register_pytree


class ParallelState(NamedTuple):
    """The past of an episode, which determines the state of the environment, and the current observations.

    Attributes:
        seed: The seed of the environment's reset.
        time: The number of steps played.
        history: The actions so far, (horizon, agents), or (horizon, agents, coordinates), followed by zeros.
        observations: The observations, (agents, ...).
        whole: The global state.
        over: Whether the episode has ended.
        allowed: Whether each action of each agent is allowed, or None if the game has no masks.
    """

    seed: UInt32[Array, ""]
    time: Int[Array, ""]
    history: Int[Array, "horizon agents"] | Float[Array, "horizon agents coordinates"]
    observations: Float[Array, "agents *observation"]
    whole: Float[Array, "*whole"]
    over: Bool[Array, ""]
    allowed: Bool[Array, "agents actions"] | None


@register_pytree("agents", "actions", "horizon", "table")
@dataclass(frozen=True)
class ParallelGame:
    """The game that `from_parallel` or `from_vmas` makes; their documentation explains its requirements and its cost.

    Args:
        agents: The number of agents.
        actions: The number of actions of each agent, or of coordinates.
        horizon: The largest number of steps of an episode.
        table: The cache of running environments: `Environments`, `EnvironmentWorkers` or `BatchedEnvironments`.
    """

    agents: int
    actions: int
    horizon: int
    table: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The environment's names of its agents, in the order of its `possible_agents`."""
        return tuple(map(str, self.table.names))

    @property
    def side_by_side(self) -> int:
        """The number of episodes that can be played side by side without a replay."""
        return self.table.most

    @property
    def masked(self) -> bool:
        """Whether the game has masks of the allowed actions."""
        return self.table.form.masked

    @property
    def continuous(self) -> bool:
        """Whether the actions are continuous: in units of half the width of the agent's Box, around its middle."""
        return self.table.form.spaces.acting.continuous

    @property
    def bounds(self) -> tuple[Any, Any]:
        """The smallest and the largest continuous actions that the environment can get, (agents, actions)."""
        return self.table.form.spaces.acting.bounds

    @property
    def ends_early(self) -> bool:
        """True, because an environment may end an episode at any step."""
        return True

    def _ask(self, call: Callable, dtype: Any, more: tuple, *arguments: Any) -> Any:
        """Returns the answer of the cache: observations, the global state, masks if there are any, and more."""
        shape = lambda *size: jax.ShapeDtypeStruct(size, dtype)
        masks = (jax.ShapeDtypeStruct((self.agents, self.actions), bool),) if self.masked else ()
        shapes = shape(self.agents, *self.table.form.spaces.observation), shape(*self.table.whole), *masks, *more
        if not any(isinstance(argument, Tracer) for argument in arguments):
            # This call is not compiled, so exceptions of the environment reach the user unchanged.
            return tuple(map(jnp.asarray, call(dtype, *arguments)))
        return jax.pure_callback(partial(call, dtype), shapes, *arguments, vmap_method="broadcast_all")

    def reset(self, key: Key[Array, ""]) -> ParallelState:
        """Returns the first state of an episode, in an environment whose seed is drawn by the `key`."""
        dtype = jnp.result_type(float)
        seed = jax.random.bits(key, (), jnp.uint32) >> 1
        observations, whole, *masks = self._ask(self.table.reset, dtype, (), seed)
        shape = (self.horizon, self.agents, *((self.actions,) if self.continuous else ()))
        history = jnp.zeros(shape, dtype if self.continuous else jnp.int32)
        allowed = masks[0] if masks else None
        return ParallelState(seed, jnp.zeros((), jnp.int32), history, observations, whole, jnp.zeros((), bool), allowed)

    def step(
        self, state: ParallelState, actions: Actions
    ) -> tuple[ParallelState, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step.

        Args:
            state: The current state.
            actions: Every agent's action, (agents,), or (agents, coordinates) if continuous. The environment gets
                continuous actions clipped to its Box, but the history has them as they are.

        Returns:
            The next state, the rewards, whether the episode terminated, which it does if it does for any of the agents
            that play to its end, and whether it was truncated or the horizon was reached.
        """
        dtype = jnp.result_type(float)
        actions = actions.astype(state.history.dtype)
        flag = jax.ShapeDtypeStruct((), bool)
        more = jax.ShapeDtypeStruct((self.agents,), dtype), flag, flag
        arguments = state.seed, state.time, state.history, actions, state.over
        seen = self._ask(self.table.step, dtype, more, *arguments)
        observations, whole, *masks, rewards, terminated, truncated = seen
        time = state.time + 1
        truncated = truncated | (time >= self.horizon)
        history = jax.lax.dynamic_update_index_in_dim(state.history, actions, state.time, 0)
        over = state.over | terminated | truncated
        allowed = masks[0] if masks else None
        moved = ParallelState(state.seed, time, history, observations, whole, over, allowed)
        return moved, rewards, terminated, truncated

    def raised(self) -> Exception | None:
        """Returns the last exception of an environment, or of a check of its answers, or None."""
        return self.table.failure

    def observe(self, state: ParallelState) -> Float[Array, "agents *observation"]:
        """Returns every agent's observation of a `state`."""
        return state.observations

    def allowed(self, state: ParallelState) -> Bool[Array, "agents actions"] | None:
        """Returns whether each action of each agent is allowed, or None if the game has no masks."""
        return state.allowed

    def global_state(self, state: ParallelState) -> Float[Array, "*whole"]:
        """Returns the global state."""
        return state.whole


def from_parallel(
    make: Any,
    *,
    horizon: Any,
    whole: Any = None,
    live: Any = 64,
    pad: Any = False,
    leaving: Any = True,
    time_limit: Any = None,
    workers: Any = None,
) -> ParallelGame:
    """Returns a PettingZoo parallel environment as a game; Python plays it inside compiled programs.

    A state is the seed of its episode and the actions so far, so that the game is a function of arrays. An environment
    is played forward from its seed to a given state. Up to `live` environments are kept at their latest states, so that
    the next step costs one step of the environment, a call from the compiled program, and a copy of the history. This
    takes 1.2 times as long as a step of mpe2's simple_spread_v3. A return to an earlier state, or more episodes than
    `live`, replays the episode.

    Requirements: the seed determines the environment; all agents have the same Discrete actions, or the same Box of
    actions with one axis, and observe a Box of the same shape, unless `pad` is true; all agents play from the
    beginning; and the environment does not use JAX, because JAX does not guarantee that this works inside a compiled
    program. A test at once plays a few steps in new and in used environments with the same seed. If only the used ones
    differ, a warning says so, and each episode is played in a new environment. A step cannot be differentiated, and it
    runs on the CPU.

    Masks of the allowed actions, in an agent's info or beside its observation in a Dict (under "action_mask",
    "action_masks", "avail_actions" or "legal_actions"), give forbidden actions the probability 0, and they have no part
    in the gradient.

    Continuous actions are in units of half the width of the Box around its middle, so that -1 and 1 are its bounds; a
    coordinate without two bounds keeps the environment's units. Policies draw them from normal distributions, and they
    are clipped to the Box only when they are handed to the environment.

    An agent leaves if it terminates, is truncated or is no longer in the environment's `agents` while others play on.
    From then on it observes zeros, its reward is 0, and its policy's gradient is 0; it does not come back. The episode
    ends with the last agent.

    Args:
        make: A function without arguments that makes a new environment, for instance
            ``lambda: mpe2.simple_spread_v3.parallel_env(N=3)``.
        horizon: The largest number of steps of an episode, a whole number; an environment may end earlier.
        whole: A function that returns the global state of an environment, such as
            ``lambda environment: environment.state()``. None concatenates all agents' observations.
        live: The number of environments to keep, at least the number of training episodes that are played side by side.
            Test episodes take turns if there are more. All environments are closed when the game is no longer used.
        pad: Whether agents may have different spaces. Zeros then complete the observations (which are flattened first
            if the numbers of their axes differ), and actions of probability 0 the actions, or unused coordinates.
        leaving: Whether agents may leave before the others, and masks may first come in the middle of an episode. False
            refuses both, which saves the masks in the compiled program if the environment has none.
        time_limit: The environment's own limit of steps, if it reports its end there as a termination, as
            lbforaging and rware do. An end at this step is then a truncation, after which the values go on.
        workers: The number of processes in which the environments live. Those of a batch of episodes are then stepped
            in parallel, which helps where a step takes milliseconds. The results are the same. None or 0 plays them in
            this process. A script that uses workers needs ``if __name__ == "__main__":`` around its calls. Environments
            with a true attribute `own_process`, such as those of `traffic_signals`, only pass requests on to a process
            of their own. They stay in this process, and this is the number that are stepped at once; None steps two at
            once for each core.

    Raises:
        ModuleNotFoundError: If PettingZoo is not installed.
        ValueError: If `make` does not make a parallel environment, or returns the same one in every call; if agents
            differ in their spaces without `pad`, some actions are discrete and others continuous, agents join late, or
            leave early without `leaving`, the seed does not determine the environment, or a number is invalid.
        EnvironmentFailure: If an environment raises an error.
    """
    try:
        horizon, live = whole_number("horizon", horizon, 1), whole_number("live", live, 1)
    except ValueError:
        raise ValueError(
            f"horizon is {horizon!r} and live {live!r}; give whole numbers, at least 1, for both."
        ) from None
    pad, leaving = flag("pad", pad), flag("leaving", leaving)
    limit = None if time_limit is None else whole_number("time_limit", time_limit, 1)
    count = None if workers is None else whole_number("workers", workers, 0)
    given = make, horizon, whole, live, Options(pad, leaving, limit)
    table = _table(given, count)
    return ParallelGame(len(table.names), table.form.spaces.acting.actions, horizon, table)


def _table(given: tuple[Any, int, Any, int, Options], workers: int | None) -> Environments | EnvironmentWorkers:
    """Returns the cache of environments, in worker processes where they can step several at once."""
    if not workers:
        return Environments(*given, workers=workers)
    table = EnvironmentWorkers(*given, workers)
    if not table.known.own_process:
        return table
    table.close()
    return Environments(*given, table.known, workers)
