"""Gaussian policies: closed forms, quadrature, and the exact Fisher information, on a game in JAX."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.actor_critic import FullyConnected, actor_critic, as_parallel, navigation
from hypergossip.problems.actor_critic.oracles import GameOracles
from hypergossip.problems.actor_critic.policies import Categorical, Gaussian
from hypergossip.problems.actor_critic.presets import sharing
from hypergossip.problems.actor_critic.rollout import rollout
from hypergossip.support.pytree import register_pytree

KEY, AGENTS, SIZE = jax.random.key(3), 2, 2
TARGET, CURVATURE = np.array([0.7, -0.4]), np.array([[2.0, 0.6], [0.6, 1.0]])
LINEAR = FullyConnected((), last_scale=0.5)


class Place(NamedTuple):
    place: jax.Array
    time: jax.Array


@register_pytree("horizon", "random", "agents", "actions", "continuous")
@dataclass(frozen=True)
class Quadratic:
    """Every agent's reward is -(a - TARGET)' CURVATURE (a - TARGET); the agents observe where they are."""

    horizon: int = 1
    random: bool = False
    agents: int = AGENTS
    actions: int = SIZE
    continuous: bool = True

    def reset(self, key):
        drawn = jax.random.normal(key, (self.agents, 3))
        return Place(drawn if self.random else jnp.ones((self.agents, 3)), jnp.zeros((), int))

    def step(self, state, actions):
        away = actions - TARGET
        rewards = -jnp.einsum("ai,ij,aj->a", away, CURVATURE, away)
        after = Place(state.place.at[:, :2].add(0.1 * actions), state.time + 1)
        return after, rewards, jnp.zeros((), bool), after.time >= self.horizon

    def observe(self, state):
        return state.place

    def global_state(self, state):
        return state.place.ravel()


def problem_of(game=None, **options):
    options = {"actor": LINEAR, "critic": FullyConnected((3,)), "reward_model": False, "episodes": 2} | options
    return actor_critic(game or Quadratic(), **{"test_episodes": 2} | options)


def quadrature(policy, nodes=5):
    """The nodes and weights of the expectation over the actions of one distribution, exact up to degree 9."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    grid = np.stack(np.meshgrid(points, points, indexing="ij"), -1).reshape(-1, SIZE)
    means, spreads = np.split(np.asarray(policy), 2)
    return jnp.asarray(means + np.exp(spreads) * grid), np.outer(weights, weights).ravel()


def exact_loss(x, problem, inputs):
    """Minus the expected reward of one step: a closed form in the mean and the standard deviation."""
    policy = problem.upper.unravel(x)
    away = LINEAR(policy["mean"], inputs[None])[0] - TARGET
    return away @ CURVATURE @ away + jnp.sum(jnp.diag(CURVATURE) * jnp.exp(2 * policy["log_std"]))


def test_the_score_function_gives_the_gradient_of_the_closed_form():
    """Once through quadrature, exactly, and once from episodes, within 4.5 standard errors of each entry."""
    problem = problem_of(episodes=512)
    form, inputs = problem.oracles.form, jnp.ones(3)
    x = problem.x0 + 0.2 * jax.random.normal(KEY, problem.x0.shape)
    exact = np.asarray(jax.grad(exact_loss)(x, problem, inputs))

    actions, weights = quadrature(form.policy(x, inputs[None, None])[0, 0])
    away = np.asarray(actions) - TARGET
    rewards = -np.einsum("ni,ij,nj->n", away, CURVATURE, away)
    distribution = lambda x: form.policy(x, jnp.broadcast_to(inputs, (1, len(actions), 3)))[0]
    surrogate = lambda x: -jnp.sum(weights * rewards * form.actor.log_probability(distribution(x), actions))
    np.testing.assert_allclose(jax.grad(surrogate)(x), exact, rtol=1e-11, atol=1e-12)

    y = jnp.zeros(problem.lower.size)  # no values, so advantages are rewards
    estimates = jax.jit(jax.vmap(lambda key: problem.agent(1).upper_gradients(x, y, key)[0]))
    drawn = np.asarray(estimates(jax.random.split(KEY, 128)))
    error = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
    assert np.all(np.abs(drawn.mean(axis=0) - exact) < 4.5 * error)
    assert np.all(4.5 * error < 0.1 * np.linalg.norm(exact))  # so that a wrong deviation would be seen


def test_densities_and_entropies_are_those_of_the_normal_distribution():
    policy = jnp.array([0.3, -1.2, 0.5, -0.7])
    kind = Gaussian(LINEAR, SIZE)
    actions, weights = quadrature(policy)
    means, deviations = np.array([0.3, -1.2]), np.exp([0.5, -0.7])
    density = np.exp(-(((np.asarray(actions) - means) / deviations) ** 2) / 2) / (np.sqrt(2 * np.pi) * deviations)
    every = kind.log_probability(jnp.broadcast_to(policy, (len(actions), 4)), actions)
    np.testing.assert_allclose(every, np.log(density).sum(axis=1), rtol=1e-12)
    assert float(kind.entropy(policy)) == pytest.approx(-float(weights @ every), rel=1e-12)
    drawn = np.asarray(kind.draw(KEY, jnp.broadcast_to(policy, (20_000, 4)), None))
    np.testing.assert_allclose(drawn.mean(axis=0), means, atol=5 * deviations.max() / np.sqrt(20_000))
    np.testing.assert_allclose(drawn.std(axis=0), deviations, rtol=5 / np.sqrt(40_000))


def test_the_entropys_gradient_is_its_weight_for_every_log_deviation():
    plain, bonus = problem_of(), problem_of(entropy=0.3)
    gradient = lambda problem: problem.agent(0).upper_gradients(plain.x0, plain.y0, KEY)[0]
    more = bonus.upper.unravel(jax.jit(lambda: gradient(bonus) - gradient(plain))())
    np.testing.assert_allclose(more["log_std"], [-0.3, -0.3], rtol=1e-9)
    assert not any(np.abs(leaf).max() > 1e-12 for leaf in jax.tree.leaves(more["mean"]))


def test_products_are_those_of_the_exact_fisher_information():
    net = FullyConnected((3,))
    problem = problem_of(Quadratic(3, random=True), actor=net, initial_std=0.8)
    agent, form = problem.agent(0), problem.oracles.form
    x = problem.x0 + 0.4 * jax.random.normal(KEY, problem.x0.shape)

    @jax.jit
    def computed(x):
        fx, product = agent.policy_gradient(x, problem.y0, KEY)
        plain, inputs = agent.upper_gradients(x, problem.y0, KEY)[0], agent.play(x, KEY).inputs.reshape(-1, 3)
        return fx, plain, inputs, jax.vmap(product)(jnp.eye(x.size)).T

    fx, plain, inputs, found = computed(x)
    np.testing.assert_allclose(fx, plain, rtol=1e-12)
    nodes = [quadrature(policy) for policy in form.policy(x, inputs[None])[0]]
    actions, weights = jnp.stack([one for one, _ in nodes]), nodes[0][1]  # (steps, nodes, coordinates), (nodes,)
    densities = lambda x: form.actor.log_probability(
        jnp.repeat(form.policy(x, inputs[None]), len(weights), 0).swapaxes(0, 1), actions
    )
    score = np.asarray(jax.jit(jax.jacobian(densities))(x))
    fisher = np.einsum("n,snp,snq->pq", weights, score, score) / len(inputs)
    np.testing.assert_allclose(found, fisher, atol=1e-8 * np.abs(fisher).max())
    natural = jax.jit(lambda x: hg.NaturalPolicyGradient(200, 0.1, tolerance=0.0)(agent, x, problem.y0, KEY)[0])(x)
    np.testing.assert_allclose(natural, np.linalg.solve(fisher + 0.1 * np.eye(x.size), fx), rtol=1e-8, atol=1e-10)


def test_together_the_agents_play_the_same_episodes_each_with_its_own_policy():
    problem, seats = problem_of(Quadratic(2)), jnp.arange(AGENTS)
    form, x = problem.oracles.form, problem.x0 + 0.5 * jax.random.normal(KEY, (AGENTS, problem.x0.size))

    def one(seat, x, key):
        everybody = lambda own: jax.lax.all_gather(own, "agents")
        agent = GameOracles(seat, form).within(everybody)
        return agent.play(x, key), form.policy(x, agent.play(x, key).inputs)

    keys = jax.random.split(KEY, AGENTS)
    played, policies = jax.jit(jax.vmap(one, axis_name="agents"))(seats, x, keys)
    jax.tree.map(lambda leaf: np.testing.assert_array_equal(leaf[0], leaf[1]), played.seen)
    for seat in range(AGENTS):
        np.testing.assert_array_equal(played.actions[seat], played.seen.actions[0, :, :, seat])
        for time in (0, 1):
            key = jax.random.fold_in(jax.random.split(keys[seat])[1], time)
            drawn = form.actor.draw(key, policies[seat, time], None)
            np.testing.assert_allclose(played.actions[seat, time], drawn, rtol=1e-12)


def test_the_natural_gradient_learns():
    problem = problem_of(episodes=32, test_episodes=64)
    slam = hg.Slam(0.5, 0.05, 1.0, 1.0, hg.NaturalPolicyGradient(iterations=5, length=0.2))
    returns = hg.solve(slam, problem, hg.networks.complete(2), rounds=60, observe_every=60, check=False).history[
        "return"
    ]
    assert returns.iloc[-1] > returns.iloc[0] / 3  # it is negative


def test_an_episode_is_replayed():
    problem = problem_of(Quadratic(4, random=True))
    x = jnp.stack([problem.x0, problem.x0 + 1])
    seen = jax.jit(lambda x: problem.together["return"].play(problem.oracles, x))(x)
    watched = rollout(problem, jax.vmap(problem.upper.unravel)(x), 1)
    np.testing.assert_allclose(watched.actions, seen.actions[:, 1], rtol=1e-12)
    assert watched.actions.shape == (4, AGENTS, SIZE)
    np.testing.assert_allclose(watched.states.place.reshape(5, -1), seen.states[:, 1], rtol=1e-12)


def test_a_game_with_continuous_actions_is_an_environment():
    environment = as_parallel(Quadratic(2))
    environment.reset(seed=1)
    actions = {name: np.array([0.7, 0.4], np.float32) for name in environment.possible_agents}
    rewards = environment.step(actions)[1]
    assert rewards["agent_0"] == pytest.approx(-(0.8**2), rel=1e-6)
    with pytest.raises(ValueError, match=r"the action of agent_1 in step .*; give .* an array of Box\(-inf, inf"):
        environment.step(actions | {"agent_1": np.zeros(3, np.float32)})


def test_parameters_and_their_names():
    problem = problem_of(
        initial_std=0.25,
        share={"upper": sharing(LINEAR, Quadratic(), "observation", ("log_std",))["upper"], "lower": True},
    )
    tree = problem.upper.unravel(problem.x0)
    np.testing.assert_allclose(tree["log_std"], [np.log(0.25)] * 2, rtol=1e-6)
    np.testing.assert_allclose(problem_of().upper.unravel(problem_of().x0)["log_std"], [np.log(0.5)] * 2, rtol=1e-6)
    assert problem.upper.shared_size == SIZE
    last = sharing(LINEAR, Quadratic(), "observation", ("last",))["upper"]
    assert last == {"log_std": False, "mean": {"hidden": [], "last": True}}
    assert isinstance(problem_of(navigation(2)).oracles.form.actor, Categorical)
    for wrong in (0, -1.0, True, float("inf"), float("nan"), 10**400):
        with pytest.raises(ValueError, match=r"initial_std is .*; give a positive number, such as 0.5"):
            problem_of(initial_std=wrong)
    with pytest.raises(ValueError, match=r"initial_std is 0.5, but the actions of this game are discrete"):
        problem_of(navigation(2), initial_std=0.5)
    with pytest.raises(ValueError, match="the actor has no layer 'first'; it has last, log_std"):
        sharing(LINEAR, Quadratic(), "observation", ("first",))
