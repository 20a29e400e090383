"""Cooperative navigation: agents cover landmarks (Lowe et al. 2017; simple_spread_v3 of mpe2)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from hypergossip.support.arguments import choice, real_number, whole_number
from hypergossip.support.pytree import register_pytree

REWARDS = ("mpe2", "openai", "assigned")
WHOLES = ("observations", "compact")

LEFT, RIGHT, DOWN, UP = 1, 2, 3, 4  # 0 means no movement
TIME_STEP = 0.1
DAMPING = 0.25  # the fraction of the velocity that is lost in a step
PUSH = 5.0  # the acceleration of an action
CONTACT_FORCE = 100.0
CONTACT_MARGIN = 0.001  # the width of the soft edge of an agent
REACH = 0.3  # two agents touch if their centres are closer than this, which is twice their radius

Ratio = Any  # a number in [0, 1], which may be traced


class NavigationState(NamedTuple):
    """The state of an episode.

    Attributes:
        position: The positions of the agents, (agents, 2).
        velocity: The velocities of the agents, (agents, 2).
        landmarks: The positions of the landmarks, which do not move, (agents, 2).
        time: The number of steps played.
    """

    position: Float[Array, "agents 2"]
    velocity: Float[Array, "agents 2"]
    landmarks: Float[Array, "agents 2"]
    time: Int[Array, ""]


@register_pytree("agents", "rewards", "horizon", "whole")
@dataclass(frozen=True)
class Navigation:
    """The game of cooperative navigation. The function `navigation` makes it, explains its options and checks them.

    Args:
        agents: The number N of agents and of landmarks.
        rewards: A name in `REWARDS`.
        local_ratio: The local ratio of "mpe2", traced; None for the others.
        horizon: The number of steps of an episode.
        whole: A name in `WHOLES`.
    """

    agents: int
    rewards: str
    local_ratio: Ratio
    horizon: int
    whole: str

    @property
    def actions(self) -> int:
        """The number of actions: stay, left, right, down, up."""
        return 5

    def reset(self, key: Key[Array, ""]) -> NavigationState:
        """Returns agents at rest and landmarks, at uniform positions in [-1, 1] x [-1, 1], drawn by the `key`."""
        places = jax.random.uniform(key, (2, self.agents, 2), minval=-1.0, maxval=1.0)
        return NavigationState(places[0], jnp.zeros_like(places[0]), places[1], jnp.zeros((), jnp.int32))

    def step(
        self, state: NavigationState, actions: Int[Array, "agents"]
    ) -> tuple[NavigationState, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step; only the horizon ends an episode.

        Args:
            state: The current state.
            actions: Every agent's action: 0 stay, 1 left, 2 right, 3 down, 4 up. Any other number means stay.

        Returns:
            The next state, its rewards, False, and whether the horizon is reached.
        """
        along = lambda ways: jnp.asarray(actions[:, None] == np.array(ways, actions.dtype), state.position.dtype)
        push = PUSH * (along([RIGHT, UP]) - along([LEFT, DOWN]))
        # The order is that of mpe2 1.1: agents move at their old velocity, and the forces are those before the move.
        moved = NavigationState(
            position=state.position + TIME_STEP * state.velocity,
            velocity=(1 - DAMPING) * state.velocity + TIME_STEP * (push + contact_forces(state.position)),
            landmarks=state.landmarks,
            time=state.time + 1,
        )
        return moved, self.reward(moved), jnp.zeros((), bool), moved.time >= self.horizon

    def reward(self, state: NavigationState) -> Float[Array, "agents"]:
        """Returns every agent's reward for reaching a `state`."""
        position, landmarks = state.position, state.landmarks
        touching = _distance(_between(position, position)) < REACH
        touched = jnp.sum(touching, axis=1, dtype=position.dtype)  # counts the agent itself
        if self.rewards == "assigned":
            return -_distance(landmarks - position) - (touched - 1)
        uncovered = jnp.sum(jnp.min(_distance(_between(position, landmarks)), axis=0))
        if self.rewards == "openai":
            return jnp.broadcast_to(-self.agents * uncovered - jnp.sum(touched), (self.agents,))
        return -(1 - self.local_ratio) * uncovered - self.local_ratio * (touched - 1)

    def observe(self, state: NavigationState) -> Float[Array, "agents observation"]:
        """Returns every agent's observation of a `state`, 6 N numbers.

        These are its velocity, its position, the landmarks relative to it, the other agents relative to it, in their
        order, and 2 (N - 1) zeros for the communication between agents in mpe2, which this game does not use.
        """
        position, agents = state.position, self.agents
        landmarks = _between(position, state.landmarks).reshape(agents, -1)
        others = _off_diagonal(_between(position, position)).reshape(agents, -1)
        return jnp.concatenate([state.velocity, position, landmarks, others, jnp.zeros_like(others)], axis=1)

    def global_state(self, state: NavigationState) -> Float[Array, "numbers"]:
        """Returns the complete information about a `state`, in the form selected by `whole`."""
        if self.whole == "observations":
            return jnp.ravel(self.observe(state))
        return jnp.concatenate([jnp.ravel(part) for part in (state.position, state.velocity, state.landmarks)])


def contact_forces(position: Float[Array, "agents 2"]) -> Float[Array, "agents 2"]:
    """Returns the contact forces between agents at these positions.

    The force on i is the sum over j of ``100 k log(1 + exp((0.3 - d) / k)) (p_i - p_j) / d``, where d = |p_i - p_j| and
    k = 0.001: a spring of stiffness 100 between agents that overlap. Two agents at the same point exert no force on
    each other, whereas mpe2 computes 0/0.

    Args:
        position: The positions p.
    """
    force = jnp.zeros_like(position)
    # Each agent with the k-th agent after it: on a CPU this is about twice as fast as all pairs at once.
    for k in range(1, position.shape[0]):
        away = position - jnp.roll(position, -k, axis=0)
        distance = _distance(away)
        overlap = CONTACT_MARGIN * _softplus((REACH - distance) / CONTACT_MARGIN)
        strength = CONTACT_FORCE * overlap / jnp.where(distance > 0, distance, 1)
        force = force + strength[:, None] * away
    return force


def _between(start: Float[Array, "n 2"], end: Float[Array, "m 2"]) -> Float[Array, "n m 2"]:
    """Returns the displacement from every start to every end."""
    return end[None, :, :] - start[:, None, :]


def _distance(displacement: Float[Array, "*shape 2"]) -> Float[Array, "*shape"]:
    """Returns the lengths of displacements, with the gradient 0 at 0.

    Lengths below the fourth root of the smallest number (1e-77, and 3e-10 in float32) count as 0, because the
    derivatives of the direction would overflow.
    """
    x, y = displacement[..., 0], displacement[..., 1]
    square = x * x + y * y
    apart = square > float(jnp.finfo(square.dtype).tiny) ** 0.5
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1)), 0)


def _softplus(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Returns log(1 + exp(x)) without overflow."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


def _off_diagonal(square: Float[Array, "n n 2"]) -> Float[Array, "n m 2"]:
    """Returns every row without its diagonal entry, by slices, because gathers are slow on a CPU."""
    n = square.shape[0]
    # Without the first entry, every (n + 1)-th entry in row-major order is on the diagonal.
    return square.reshape(n * n, 2)[1:].reshape(n - 1, n + 1, 2)[:, :-1].reshape(n, n - 1, 2)


def navigation(
    agents: int = 3,
    *,
    rewards: str = "mpe2",
    local_ratio: float | int | None = None,
    horizon: int = 25,
    whole: str = "observations",
) -> Navigation:
    """Cooperative navigation: N agents learn to cover N landmarks without collisions.

    Agents are discs of radius 0.15 in the plane; each stays or accelerates left, right, down or up. The physics are
    those of mpe2's simple_spread_v3: time step 0.1, damping 0.25, acceleration 5, soft contacts (`contact_forces`), no
    walls and no speed limit.

    Let d_il be the distance of agent i to landmark l, and c_i the number of other agents whose centres are closer to
    its own than 0.3, at the positions after a step. The reward of agent i in this step is

    - "mpe2": ``-(1 - rho) sum_l min_j d_jl - rho c_i`` with rho = local_ratio, as in mpe2 and PettingZoo.
    - "openai": ``-N sum_l min_j d_jl - sum_j (c_j + 1)``, the same for all: the sum of the agents' rewards in the
      original environment (openai/multiagent-particle-envs), which also counts a collision of each agent with itself.
    - "assigned": ``-d_ii - c_i``, where landmark i is assigned to agent i.

    The name selects only the rewards; the physics are always those of mpe2.

    Args:
        agents: The number of agents N.
        rewards: "mpe2", "openai" or "assigned".
        local_ratio: rho of "mpe2", between 0 and 1; None uses 0.5.
        horizon: The number of steps of an episode.
        whole: The form of `global_state`: "observations" concatenates all agents' observations, as in mpe2 (6 N^2
            numbers, many of which occur twice), and "compact" contains the positions and velocities of the agents and
            the positions of the landmarks (6 N numbers).

    Raises:
        ValueError: If a name is unknown or a number is invalid.
    """
    rewards, whole = choice("rewards", rewards, REWARDS), choice("whole", whole, WHOLES)
    agents, horizon = whole_number("agents", agents, 1), whole_number("horizon", horizon, 1)
    if rewards != "mpe2":
        if local_ratio is not None:
            raise ValueError(
                f"local_ratio is {local_ratio!r}, which the rewards {rewards!r} do not have; "
                'omit it, or use rewards="mpe2".'
            )
        return Navigation(agents, rewards, None, horizon, whole)
    advice = "give a number between 0 (the common reward) and 1 (own collisions)"
    ratio = 0.5 if local_ratio is None else local_ratio
    ratio = real_number("local_ratio", ratio, advice, lambda given: 0 <= given <= 1)
    return Navigation(agents, rewards, ratio, horizon, whole)
