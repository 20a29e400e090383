"""The interface of a game: pure functions of arrays that play one episode from a reset to its end."""

from typing import Any, Protocol, runtime_checkable

import jax
from jaxtyping import Array, Bool, Float, Int, Key

from hypergossip.support.arguments import described

State = Any  # a NamedTuple of arrays
Actions = Int[Array, "agents"] | Float[Array, "agents coordinates"]


@runtime_checkable
class Game(Protocol):
    """A Markov game with simultaneous moves and discrete or continuous actions.

    Every method is a pure function of arrays that can be jitted, mapped over episodes and differentiated, with finite
    gradients. There is no automatic reset: the successors of a state after the end of an episode have no meaning.

    A game in which actions can be forbidden also has an attribute ``masked = True`` and a method ``allowed(state)``,
    which returns for every agent and action whether the action is allowed, (agents, actions). At least one is.
    Forbidden actions have probability 0 and no part in the gradient. A game whose episodes can end before the horizon
    has an attribute ``ends_early = True``, so that the history contains their mean length.

    A game with continuous actions has an attribute ``continuous = True``, and `actions` is the number of coordinates of
    an action. `step` then takes real numbers, (agents, actions), of any size: what an action beyond the possible ones
    means is up to the game. Units in which actions are of the order of 1 suit the policies. A game with bounds may have
    an attribute `bounds`, a pair of arrays (agents, actions). With masks, `allowed` returns which coordinates are in
    use, of which there may be none; the others are 0.

    Attributes:
        agents: The number of agents.
        actions: The number of actions of each agent, or of coordinates.
        horizon: The number of steps after which an episode is truncated.
    """

    @property
    def agents(self) -> int:
        """The number of agents."""
        ...

    @property
    def actions(self) -> int:
        """The number of actions of each agent, or of coordinates."""
        ...

    @property
    def horizon(self) -> int:
        """The number of steps after which an episode is truncated."""
        ...

    def reset(self, key: Key[Array, ""]) -> State:
        """Returns the first state of an episode; the key determines all random numbers of the episode."""
        ...

    def step(
        self, state: State, actions: Actions
    ) -> tuple[State, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step.

        Args:
            state: The current state.
            actions: Every agent's action, each below `actions` if they are discrete.

        Returns:
            The next state, every agent's reward, whether the game is over (terminated), and whether the horizon is
            reached (truncated).
        """
        ...

    def observe(self, state: State) -> Float[Array, "agents *observation"]:
        """Returns every agent's observation of a state."""
        ...

    def global_state(self, state: State) -> Float[Array, "*state"]:
        """Returns the complete information about a state as one array."""
        ...


def check_game(game: Any) -> None:
    """Raises an error if an argument is not a game.

    Args:
        game: The argument.

    Raises:
        ValueError: If it is a class, or lacks an attribute or a method.
    """
    if isinstance(game, type) or not isinstance(game, Game):
        raise ValueError(
            f"game is {described(game)}; give an instance, such as navigation(3), pursuit() or, of a parallel "
            "environment of PettingZoo, from_parallel(make, horizon=25). A game of your own has agents, actions, "
            "horizon, reset, step, observe and global_state."
        )


def allowed_actions(game: Any, states: State) -> Bool[Array, "episodes agents actions"] | None:
    """Returns whether each action is allowed in each of the `states`, or None if the `game` has no masks."""
    return jax.vmap(game.allowed)(states) if getattr(game, "masked", False) else None


def continuous(game: Any) -> bool:
    """Returns whether the actions of a `game` are continuous."""
    return getattr(game, "continuous", False)
