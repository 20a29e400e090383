"""The form of a game problem, common to all agents: the game, the networks and the numbers of learning."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Upper
from hypergossip.core.schedules import PowerDecay
from hypergossip.core.space import Space
from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.nets import Net
from hypergossip.problems.actor_critic.policies import Policy


@dataclass(frozen=True)
class GameForm:
    """The form of a game problem, common to all agents and static in compiled programs.

    Attributes:
        game: The game.
        actor: The policy, with the network from an agent's input to the distribution of its action.
        critic: The network from a global state to its value.
        reward_model: The network from a global state and all actions (discrete ones one-hot) to the network's mean
            reward. None uses an agent's own reward in its policy gradient.
        sees: The input of an actor, "observation" or "global_state".
        episodes: The number B of episodes of a sample.
        discount: The discount factor of the values, in [0, 1).
        trace: lambda in [0, 1]; the temporal difference k steps later has the weight (discount lambda)^k.
        entropy: The weight of the policy's entropy in f, or its schedule over the rounds.
        normalized: Whether the advantages of a sample are shifted and scaled to mean 0 and variance 1.
        critic_damping: The damping of the matrix that preconditions `lower_gradient`; None does not precondition.
        critic_iterations: The largest number of products with that matrix.
        critic_thinning: That matrix is the mean over every so many steps of the episodes.
        upper_space: The space of x, the actor's parameters.
        lower_space: The space of y, the parameters of the critic and the reward model.
    """

    game: Game
    actor: Policy
    critic: Net
    reward_model: Net | None
    sees: str
    episodes: int
    discount: float
    trace: float
    entropy: float | PowerDecay
    normalized: bool
    critic_damping: float | None
    critic_iterations: int
    critic_thinning: int
    upper_space: Space
    lower_space: Space

    def policy(
        self, x: Upper, inputs: Float[Array, "time episodes *inputs"], allowed: Any = None
    ) -> Float[Array, "time episodes numbers"]:
        """Returns the distributions of the actions for inputs with two leading axes, as `policies` describes them.

        Args:
            x: The actor's parameters.
            inputs: The actor's inputs, (time, episodes, ...).
            allowed: Whether each action is allowed, (time, episodes, actions); None allows all.
        """
        flat = inputs.reshape(-1, *inputs.shape[2:])
        return self.actor.outputs(self.upper_space.unravel(x), flat, allowed).reshape(*inputs.shape[:2], -1)

    def values(self, critic: Any, states: Float[Array, "time episodes *state"]) -> Float[Array, "time episodes"]:
        """Returns the critic's values of `states` with two leading axes."""
        return self.critic(critic, states.reshape(-1, *states.shape[2:])).reshape(states.shape[:2])

    def model(
        self, model: Any, states: Float[Array, "time episodes *state"], actions: Array
    ) -> Float[Array, "time episodes"]:
        """Returns the mean rewards that the model predicts for all agents' `actions` in the `states`."""
        assert self.reward_model is not None
        time, episodes, *each = actions.shape
        flat = states.reshape(time * episodes, -1)
        encoded = self.actor.encoded(actions.reshape(time * episodes, *each), states.dtype)
        return self.reward_model(model, jnp.concatenate([flat, encoded], axis=1)).reshape(time, episodes)
