"""What a game is: arrays in and out, one episode from a reset to its end."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float, Int, Key

State = Any  # a NamedTuple of arrays


@runtime_checkable
class Game(Protocol):
    """A Markov game of simultaneous moves with discrete actions.

    Every method is a pure function of arrays, to be jitted, mapped over episodes and differentiated: its gradients are
    finite. Nothing resets itself: after the end of an episode a state's successors mean nothing.

    Attributes:
        agents: How many play.
        actions: How many actions each of them has.
        horizon: Steps after which an episode is truncated.
    """

    @property
    def agents(self) -> int:
        """How many play."""
        ...

    @property
    def actions(self) -> int:
        """How many actions each of them has."""
        ...

    @property
    def horizon(self) -> int:
        """Steps after which an episode is truncated."""
        ...

    def reset(self, key: Key[Array, ""]) -> State:
        """Returns the first state of an episode, drawn by the key; whatever is random later is drawn by it, too."""
        ...

    def step(
        self, state: State, actions: Int[Array, "agents"]
    ) -> tuple[State, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step.

        Args:
            state: Where the game stands.
            actions: Everybody's, each below `actions`.

        Returns:
            The next state, every agent's reward, whether the game is over (terminated), and whether the horizon is
            reached (truncated).
        """
        ...

    def observe(self, state: State) -> Float[Array, "agents *observation"]:
        """Returns what every agent sees of a state."""
        ...

    def global_state(self, state: State) -> Float[Array, "*state"]:
        """Returns all there is to know of a state, as one array."""
        ...
