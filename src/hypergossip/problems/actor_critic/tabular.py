"""A networked Markov decision process that is small enough to solve exactly (Zhang et al. 2018), as a problem.

Values, returns, policy gradients and the fixed point of TD, which actor-critic estimates, are finite sums here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Count, Everybody, Lower, Sample, Upper
from hypergossip.core.problem import Problem, Share
from hypergossip.data.seeding import generator
from hypergossip.support.arguments import described, real_number, whole_number
from hypergossip.support.pytree import register_pytree


class Process(NamedTuple):
    """A process in which the joint action of all agents changes one state, and each agent has its own reward.

    A joint action is a number whose highest digit is agent 0's action.

    Attributes:
        transitions: The transition probabilities, (states, joint, states).
        rewards: The rewards, (agents, states, joint).
        start: The probabilities of the first state, (states,).
        discount: The discount factor, in [0, 1).
    """

    transitions: Float[Array, "states joint states"]
    rewards: Float[Array, "agents states joint"]
    start: Float[Array, "states"]
    discount: Any


def check_process(process: Any) -> None:
    """Raises ValueError if an argument is not a `Process`."""
    if not isinstance(process, Process):
        raise ValueError(
            f"process is {described(process)}; give a process, such as networked_process(agents=6), or a Process made "
            "of arrays of yours."
        )


def networked_process(
    agents: int = 6, states: int = 5, actions: int = 2, discount: float = 0.9, seed: int = 0
) -> Process:
    """Draws a process: transitions proportional to uniform numbers, rewards uniform on [0, 4], a uniform start.

    Args:
        agents: The number of agents n.
        states: The number of states.
        actions: The number of actions of each agent; there are actions^agents joint actions.
        discount: The discount factor, in [0, 1).
        seed: The seed of all random numbers.

    Raises:
        ValueError: If a number is invalid.
    """
    agents, states = whole_number("agents", agents, 1), whole_number("states", states, 1)
    actions = whole_number("actions", actions, 1)
    advice = "give a number in [0, 1), so that the values are finite"
    discount = real_number("discount", discount, advice, lambda given: 0 <= given < 1)
    random = generator(seed)
    joint = actions**agents
    transitions = random.random((states, joint, states)) + 1e-5
    rewards = 4 * random.random((agents, states, joint))
    default = jnp.result_type(float)
    return Process(
        jnp.asarray(transitions / transitions.sum(axis=2, keepdims=True), default),
        jnp.asarray(rewards, default),
        jnp.full(states, 1 / states, default),
        jnp.asarray(discount, default),
    )


def joint_policy(policies: Float[Array, "agents states actions"]) -> Float[Array, "states joint"]:
    """Returns the probabilities of the joint actions under the agents' `policies`."""
    joint = jnp.ones((policies.shape[1], 1), policies.dtype)
    for own in policies:
        joint = (joint[:, :, None] * own[:, None, :]).reshape(own.shape[0], -1)
    return joint


class Chain(NamedTuple):
    """The Markov chain of the process under a joint policy.

    Attributes:
        step: The transition probabilities, (states, states).
        visits: The visiting frequencies of the states, which sum to 1, (states,).
    """

    step: Float[Array, "states states"]
    visits: Float[Array, "states"]


def chain(process: Process, joint: Float[Array, "states joint"], horizon: int | None = None) -> Chain:
    """Returns the Markov chain of the process under a joint policy.

    Args:
        process: The process.
        joint: The joint policy.
        horizon: The number of steps from the start over which visits are averaged. With None, all steps count, weighted
            by discount^t, for which the policy gradient theorem holds.
    """
    step = jnp.einsum("sj,sjt->st", joint, process.transitions)
    if horizon is None:
        system = jnp.eye(len(step)) - process.discount * step.T
        return Chain(step, (1 - process.discount) * jnp.linalg.solve(system, process.start))
    visits = [process.start]
    for _ in range(horizon - 1):
        visits.append(visits[-1] @ step)
    return Chain(step, jnp.mean(jnp.stack(visits), axis=0))


def expected_return(process: Process, policies: Float[Array, "agents states actions"]) -> Float[Array, ""]:
    """Returns the discounted return of the mean reward in the `process` under the agents' `policies`."""
    joint = joint_policy(policies)
    rewards = jnp.sum(joint * jnp.mean(process.rewards, axis=0), axis=1)
    step = chain(process, joint).step
    return process.start @ jnp.linalg.solve(jnp.eye(len(step)) - process.discount * step, rewards)


def fixed_point(
    process: Process, policies: Float[Array, "agents states actions"], features: Float[Array, "states q"]
) -> Float[Array, "q"]:
    """Returns TD(0)'s fixed point for the mean reward: features' D ((I - discount P) features y - r) = 0.

    Args:
        process: The process.
        policies: The policies of all agents.
        features: The features of the states.
    """
    joint = joint_policy(policies)
    under = chain(process, joint)
    weighted = features.T * under.visits
    system = weighted @ (features - process.discount * under.step @ features)
    return jnp.linalg.solve(system, weighted @ jnp.sum(joint * jnp.mean(process.rewards, axis=0), axis=1))


@register_pytree("horizon", "everybody")
@dataclass(frozen=True)
class TabularOracles:
    """`Oracles` and `WorldOracles` of one agent of a process, with exact expectations.

    x holds the logits of the agent's softmax policy (states, actions), flattened. y holds the critic's weights (q,) and
    then the reward model's table (states, joint). The agents exchange the distribution of their action in every state.
    The key has no influence.

    Attributes:
        seat: The agent's position, a scalar.
        process: The process, the same for all agents.
        rewards: The agent's rewards, (states, joint).
        features: The features of the states, (states, q), the same for all agents.
        horizon: As for `chain`.
        everybody: The function that collects every agent's array; the engine provides it.
    """

    seat: Any
    process: Process
    rewards: Any
    features: Any
    horizon: int | None
    everybody: Everybody | None = None

    @property
    def agents(self) -> int:
        """The number of agents."""
        return self.process.rewards.shape[0]

    def within(self, everybody: Everybody) -> "TabularOracles":
        """Returns the oracles connected to those of the other agents."""
        return replace(self, everybody=everybody)

    @property
    def full(self) -> "TabularOracles":
        """The same oracles, which are exact."""
        return self

    def samples(self, upper: Count = 0, lower: Count = 0) -> Count:
        """Returns the number of keys: each counts as one sample."""
        return upper + lower

    def upper_loss(self, x: Upper, y: Lower, key: Sample) -> Float[Array, ""]:
        """Returns minus the discounted return of the mean reward."""
        return -expected_return(self.process, self._policies(x))

    def upper_gradients(self, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
        """Returns (minus the expectation of ``(m(s, a) + discount V(s') - V(s)) grad log pi(a_i | s)``, 0)."""
        critic, model = self._split(y)
        policies = self._policies(x)
        joint, values = joint_policy(policies), self.features @ critic
        later = self.process.transitions @ values
        advantages = model + self.process.discount * later - values[:, None]
        weights = chain(self.process, joint, self.horizon).visits[:, None] * joint * advantages
        states, actions = policies.shape[1:]
        digits = weights.reshape(states, *(actions,) * self.agents)
        others = [tuple(k for k in range(1, digits.ndim) if k != i + 1) for i in range(self.agents)]
        by_action = jnp.stack([jnp.sum(digits, axis=axes) for axes in others])[self.seat]
        policy = jax.nn.softmax(x.reshape(states, actions))
        return -(by_action - policy * jnp.sum(by_action, axis=1, keepdims=True)).reshape(-1), jnp.zeros_like(y)

    def policy_gradient(
        self, x: Upper, y: Lower, key: Sample, thinning: int = 1
    ) -> tuple[Upper, Callable[[Upper], Upper]]:
        """Returns minus the policy gradient, and v -> F v with the policy's expected Fisher information.

        The expectation has no steps, so `thinning` changes nothing.
        """
        policies = self._policies(x)
        visits = chain(self.process, joint_policy(policies), self.horizon).visits[:, None]
        policy = jax.nn.softmax(x.reshape(policies.shape[1:]))

        def product(v: Upper) -> Upper:
            weighted = policy * v.reshape(policy.shape)
            return (visits * (weighted - policy * jnp.sum(weighted, axis=1, keepdims=True))).reshape(-1)

        return self.upper_gradients(x, y, key)[0], product

    def lower_gradient(self, x: Upper, y: Lower, key: Sample) -> Lower:
        """Returns TD(0)'s expected semi-gradient on the agent's own rewards, and the reward model's gradient."""
        critic, model = self._split(y)
        joint = joint_policy(self._policies(x))
        under = chain(self.process, joint, self.horizon)
        values = self.features @ critic
        rewards = jnp.sum(joint * self.rewards, axis=1)
        differences = rewards + self.process.discount * under.step @ values - values
        of_model = under.visits[:, None] * joint * (model - self.rewards)
        return jnp.concatenate([-self.features.T @ (under.visits * differences), of_model.reshape(-1)])

    def hessian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Lower]:
        """Returns the derivative of `lower_gradient` in y, a linear map that is not symmetric."""
        return jax.linearize(lambda y: self.lower_gradient(x, y, key), y)[1]

    def jacobian_product(self, x: Upper, y: Lower, key: Sample) -> Callable[[Lower], Upper]:
        """Returns zero, because dx f contains the policy's effect on the values (policy gradient theorem)."""
        return lambda v: jnp.zeros_like(x)

    def project(self, x: Upper) -> Upper:
        """Returns x."""
        return x

    def _split(self, y: Lower) -> tuple[Any, Any]:
        size = self.features.shape[1]
        return y[:size], y[size:].reshape(self.rewards.shape)

    def _policies(self, x: Upper) -> Float[Array, "agents states actions"]:
        states = self.features.shape[0]
        own = jax.nn.softmax(x.reshape(states, -1))
        if self.everybody is None:
            return jnp.broadcast_to(own, (self.agents, *own.shape))
        return self.everybody(own)[jnp.argsort(self.everybody(self.seat))]


def tabular(
    process: Process, *, features: int | None = None, horizon: int | None = None, share: Share = "lower", seed: int = 0
) -> Problem:
    """Makes the actor-critic problem of a process with exact expectations.

    The policies are the upper level; the critic and the reward model are the lower level. Every policy is initially
    uniform, and y starts at 0. The history has the discounted return of the mean reward.

    Args:
        process: The process.
        features: The number q of random normal features of the states. None uses one-hot features, which can represent
            all value functions.
        horizon: As for `chain`.
        share: As for `hypergossip.Problem`; each level is one leaf.
        seed: The seed of the features.

    Raises:
        ValueError: If `process` is not a `Process`, or a number is invalid.
    """
    check_process(process)
    features = None if features is None else whole_number("features", features, 1)
    horizon = None if horizon is None else whole_number("horizon", horizon, 1)
    agents, states, joint = process.rewards.shape
    actions = round(joint ** (1 / agents))
    drawn = np.eye(states) if features is None else generator(seed).standard_normal((states, features))
    for_all = lambda tree: jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (agents, *leaf.shape)), tree)
    oracles = TabularOracles(
        jnp.arange(agents), for_all(process), process.rewards, for_all(jnp.asarray(drawn, process.start.dtype)), horizon
    )

    def returns(oracles: Any, x: Any, y: Any) -> Any:
        one = jax.tree.map(lambda leaf: leaf[0], oracles.process)
        policies = jax.nn.softmax(x[jnp.argsort(oracles.seat)].reshape(agents, states, actions))
        return expected_return(one, policies)

    x0, y0 = np.zeros(states * actions), np.zeros(drawn.shape[1] + states * joint)
    return Problem.from_oracles(oracles, x0=x0, y0=y0, share=share, together={"return": returns}, losses=False)
