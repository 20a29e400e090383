"""Cooperative navigation: agents spread over landmarks (Lowe et al. 2017; mpe2's simple_spread_v3)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from hypergossip.support.pytree import register_pytree

REWARDS = ("mpe2", "openai", "assigned")
WHOLES = ("observations", "compact")

LEFT, RIGHT, DOWN, UP = 1, 2, 3, 4  # 0 stays
TIME_STEP = 0.1
DAMPING = 0.25  # of the velocity, lost in a step
PUSH = 5.0  # acceleration of an action
CONTACT_FORCE = 100.0
CONTACT_MARGIN = 0.001  # width of the soft edge of an agent
REACH = 0.3  # two agents touch when their centres are nearer than this: twice their radius

Ratio = Any  # a number in [0, 1], or a traced one


class NavigationState(NamedTuple):
    """Where everything is.

    Attributes:
        position: (agents, 2), of the agents.
        velocity: (agents, 2), of the agents.
        landmarks: (agents, 2), positions; they stay.
        time: Steps played.
    """

    position: Float[Array, "agents 2"]
    velocity: Float[Array, "agents 2"]
    landmarks: Float[Array, "agents 2"]
    time: Int[Array, ""]


@register_pytree("agents", "rewards", "horizon", "whole")
@dataclass(frozen=True)
class Navigation:
    """The game of `navigation`, which says what its numbers mean and checks them.

    Args:
        agents: N, and as many landmarks.
        rewards: A name in `REWARDS`.
        local_ratio: Of "mpe2", traced; None for the others.
        horizon: Steps of an episode.
        whole: A name in `WHOLES`.
    """

    agents: int
    rewards: str
    local_ratio: Ratio
    horizon: int
    whole: str

    @property
    def actions(self) -> int:
        """Stay, left, right, down, up."""
        return 5

    def reset(self, key: Key[Array, ""]) -> NavigationState:
        """Returns agents at rest and landmarks, all uniform on the square [-1, 1] x [-1, 1], drawn by the `key`."""
        places = jax.random.uniform(key, (2, self.agents, 2), minval=-1.0, maxval=1.0)
        return NavigationState(places[0], jnp.zeros_like(places[0]), places[1], jnp.zeros((), jnp.int32))

    def step(
        self, state: NavigationState, actions: Int[Array, "agents"]
    ) -> tuple[NavigationState, Float[Array, "agents"], Bool[Array, ""], Bool[Array, ""]]:
        """Plays one step; nothing ends an episode but the horizon.

        Args:
            state: Where the game stands.
            actions: Everybody's: 0 stay, 1 left, 2 right, 3 down, 4 up. Any other number stays.

        Returns:
            The next state, the rewards there, False, and whether the horizon is reached.
        """
        along = lambda ways: jnp.asarray(actions[:, None] == np.array(ways, actions.dtype), state.position.dtype)
        push = PUSH * (along([RIGHT, UP]) - along([LEFT, DOWN]))
        # The order of mpe2 1.1: agents move at their old velocity, and the forces are those before the move.
        moved = NavigationState(
            position=state.position + TIME_STEP * state.velocity,
            velocity=(1 - DAMPING) * state.velocity + TIME_STEP * (push + contact_forces(state.position)),
            landmarks=state.landmarks,
            time=state.time + 1,
        )
        return moved, self.reward(moved), jnp.zeros((), bool), moved.time >= self.horizon

    def reward(self, state: NavigationState) -> Float[Array, "agents"]:
        """Returns everybody's reward for having come to a `state`."""
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
        """Returns what every agent sees of a `state`, 6 N numbers.

        These are its velocity, its position, the landmarks relative to it, the other agents relative to it, in their
        order, and 2 (N - 1) zeros: what mpe2's agents hear of each other, who are silent.
        """
        position, agents = state.position, self.agents
        landmarks = _between(position, state.landmarks).reshape(agents, -1)
        others = _off_diagonal(_between(position, position)).reshape(agents, -1)
        return jnp.concatenate([state.velocity, position, landmarks, others, jnp.zeros_like(others)], axis=1)

    def global_state(self, state: NavigationState) -> Float[Array, "numbers"]:
        """Returns all there is to know of a `state`, as `whole` says."""
        if self.whole == "observations":
            return jnp.ravel(self.observe(state))
        return jnp.concatenate([jnp.ravel(part) for part in (state.position, state.velocity, state.landmarks)])


def contact_forces(position: Float[Array, "agents 2"]) -> Float[Array, "agents 2"]:
    """Returns the forces that agents at these positions push each other with.

    The force on i is the sum over j of ``100 k log(1 + exp((0.3 - d) / k)) (p_i - p_j) / d``, where d = |p_i - p_j| and
    k = 0.001: a spring of stiffness 100 between agents that overlap. Two agents at one point do not push each other,
    where mpe2 divides 0 by 0.

    Args:
        position: p.
    """
    force = jnp.zeros_like(position)
    # Everybody and the k-th after it: on CPU about twice as fast as all pairs at once.
    for k in range(1, position.shape[0]):
        away = position - jnp.roll(position, -k, axis=0)
        distance = _distance(away)
        overlap = CONTACT_MARGIN * _softplus((REACH - distance) / CONTACT_MARGIN)
        strength = CONTACT_FORCE * overlap / jnp.where(distance > 0, distance, 1)
        force = force + strength[:, None] * away
    return force


def _between(start: Float[Array, "n 2"], end: Float[Array, "m 2"]) -> Float[Array, "n m 2"]:
    """Every end as seen from every start."""
    return end[None, :, :] - start[:, None, :]


def _distance(displacement: Float[Array, "*shape 2"]) -> Float[Array, "*shape"]:
    """The length of displacements, with the gradient 0 at 0.

    What is shorter than the fourth root of the smallest number (1e-77, and 3e-10 in float32) counts as 0: a direction's
    derivatives would overflow.
    """
    x, y = displacement[..., 0], displacement[..., 1]
    square = x * x + y * y
    apart = square > float(jnp.finfo(square.dtype).tiny) ** 0.5
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1)), 0)


def _softplus(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log(1 + exp(x)), without overflow."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


def _off_diagonal(square: Float[Array, "n n 2"]) -> Float[Array, "n m 2"]:
    """Every row without its diagonal entry; slices, since XLA gathers slowly on CPU."""
    n = square.shape[0]
    # Without the first entry, row by row, every n + 1st entry is of the diagonal.
    return square.reshape(n * n, 2)[1:].reshape(n - 1, n + 1, 2)[:, :-1].reshape(n, n - 1, 2)


def navigation(
    agents: int = 3,
    *,
    rewards: str = "mpe2",
    local_ratio: float | int | None = None,
    horizon: int = 25,
    whole: str = "observations",
) -> Navigation:
    """Cooperative navigation: N agents are to cover N landmarks and not to run into each other.

    Agents are discs of radius 0.15 in the plane; each stays or pushes itself left, right, down or up. The physics are
    those of mpe2's simple_spread_v3: time step 0.1, damping 0.25, acceleration 5, soft contacts (`contact_forces`), no
    walls and no greatest speed.

    With d_il the distance of agent i to landmark l and c_i the number of other agents whose centres are nearer to its
    own than 0.3, the reward of agent i in a step is, at the positions after it,

    - "mpe2": ``-(1 - rho) sum_l min_j d_jl - rho c_i``, rho = local_ratio. mpe2's and PettingZoo's.
    - "openai": ``-N sum_l min_j d_jl - sum_j (c_j + 1)``, the same for all: the sum of what the original environment
      (openai/multiagent-particle-envs) gives its agents, each of whom it also counts as colliding with itself.
    - "assigned": ``-d_ii - c_i``: landmark i is agent i's own.

    Only the rewards follow the name; the physics are always mpe2's.

    Args:
        agents: N.
        rewards: "mpe2", "openai" or "assigned".
        local_ratio: rho of "mpe2", between 0 and 1; None: 0.5.
        horizon: Steps of an episode.
        whole: What `global_state` returns: "observations", everybody's one after the other as mpe2's state does (6 N^2
            numbers, many of them twice), or "compact", positions and velocities of the agents and positions of the
            landmarks (6 N).

    Raises:
        ValueError: If a name is unknown or a number makes no sense.
    """
    for name, value, choices in (("rewards", rewards, REWARDS), ("whole", whole, WHOLES)):
        if value not in choices:
            raise ValueError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")
    if agents < 1 or horizon < 1:
        raise ValueError(f"agents is {agents} and horizon {horizon}; take at least one agent and one step.")
    if rewards != "mpe2":
        if local_ratio is not None:
            raise ValueError(
                f"local_ratio is {local_ratio}, which the rewards {rewards!r} do not have; "
                'leave it out, or take rewards="mpe2".'
            )
        return Navigation(agents, rewards, None, horizon, whole)
    ratio = 0.5 if local_ratio is None else float(local_ratio)
    if not 0 <= ratio <= 1:
        raise ValueError(
            f"local_ratio is {local_ratio}; take a number between 0 (the common reward) and 1 (own collisions)."
        )
    return Navigation(agents, rewards, ratio, horizon, whole)
