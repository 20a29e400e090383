"""The natural policy gradient: the exact Fisher solve, on the tabular process and on episodes of a game."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.actor_critic import FullyConnected, actor_critic, navigation
from hypergossip.problems.actor_critic.tabular import chain, joint_policy, networked_process, tabular

AGENTS, STATES, ACTIONS, DAMPING = 3, 4, 3, 0.01
SIZE = STATES + STATES * ACTIONS**AGENTS
PROCESS = networked_process(AGENTS, STATES, ACTIONS, seed=2)
KEY = jax.random.key(3)


def agent_of(problem, k=0):
    return jax.tree.map(lambda leaf: leaf[k], problem.oracles)


def matrix(product, size):
    return np.stack([np.asarray(product(v)) for v in jnp.eye(size)], axis=1)


def exact_fisher(x):
    """The sum over states and actions of visits pi grad log pi grad log pi', from the definition."""
    policy = np.exp(x - x.max(axis=1, keepdims=True))
    policy /= policy.sum(axis=1, keepdims=True)
    visits = np.asarray(chain(PROCESS, joint_policy(jnp.broadcast_to(policy, (AGENTS, STATES, ACTIONS)))).visits)
    fisher = np.zeros((x.size, x.size))
    for state in range(STATES):
        for action in range(ACTIONS):
            score = np.zeros_like(x)
            score[state] -= policy[state]
            score[state, action] += 1
            fisher += visits[state] * policy[state, action] * np.outer(score, score)
    return fisher


def test_on_the_tabular_process_it_is_the_exact_fisher_solve():
    agent, random = agent_of(tabular(PROCESS)), np.random.default_rng(0)
    policy, y = random.standard_normal((STATES, ACTIONS)), jnp.asarray(random.standard_normal(SIZE))
    x, fisher = jnp.asarray(policy.ravel()), exact_fisher(policy)
    fx = np.asarray(agent.upper_gradients(x, y, KEY)[0])
    np.testing.assert_allclose(matrix(agent.policy_gradient(x, y, KEY)[1], x.size), fisher, atol=1e-14)
    expected = np.linalg.solve(fisher + DAMPING * np.eye(x.size), fx)
    found, cost = hg.NaturalPolicyGradient(50, DAMPING, tolerance=0.0)(agent, x, y, KEY)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    assert (cost.samples, cost.upper_gradients, cost.hessian_products) == (1, 1, 0)
    scaled = np.asarray(hg.NaturalPolicyGradient(50, DAMPING, 0.3, 0.0)(agent, x, y, KEY)[0])
    assert scaled @ (fisher + DAMPING * np.eye(x.size)) @ scaled == pytest.approx(0.3**2)
    few = np.asarray(hg.NaturalPolicyGradient(2, DAMPING, 0.3, 0.0)(agent, x, y, KEY)[0])
    assert few @ (fisher + DAMPING * np.eye(x.size)) @ few == pytest.approx(0.3**2)
    large = hg.NaturalPolicyGradient(50, 1e6, tolerance=0.0)(agent, x, y, KEY)[0]
    np.testing.assert_allclose(1e6 * large, fx, rtol=1e-5)


def small_game(**options):
    net = FullyConnected((3,))
    options = {"actor": net, "critic": net, "reward_model": False, "episodes": 2} | options
    return actor_critic(navigation(2, horizon=3), **options)


@pytest.mark.parametrize("thinning", [1, 2, 3])  # the steps 0, 1, 2; then 0 and 2; then 0
def test_on_episodes_it_is_the_mean_over_the_states_that_were_seen(thinning):
    problem = small_game()
    agent, form = agent_of(problem), problem.oracles.form
    sizes, random = (problem.upper.size, problem.lower.size), np.random.default_rng(1)
    x, y = (jnp.asarray(0.3 * random.standard_normal(size)) for size in sizes)
    fx, product = agent.policy_gradient(x, y, KEY, thinning)
    np.testing.assert_array_equal(fx, agent.upper_gradients(x, y, KEY)[0])
    inputs = agent.play(x, KEY).inputs[::thinning]
    log_policy = form.policy(x, inputs)
    scores = np.asarray(jax.jacobian(lambda x: form.policy(x, inputs))(x)).reshape(-1, x.size)
    weights = np.exp(np.asarray(log_policy)).reshape(-1) / (log_policy.shape[0] * log_policy.shape[1])
    fisher = (scores.T * weights) @ scores
    np.testing.assert_allclose(matrix(product, x.size), fisher, atol=1e-12)
    natural = hg.NaturalPolicyGradient(2 * x.size, damping=1.0, tolerance=1e-12, thinning=thinning)
    found, _ = natural(agent, x, y, KEY)
    np.testing.assert_allclose(found, np.linalg.solve(fisher + np.eye(x.size), fx), rtol=1e-8, atol=1e-12)


def test_no_more_steps_are_skipped_than_an_episode_has():
    agent, natural = agent_of(small_game()), hg.NaturalPolicyGradient(thinning=4)
    with pytest.raises(ValueError, match=r"thinning is 4, but episodes have 3 steps; give at most 3"):
        natural(agent, jnp.zeros(agent.form.upper_space.size), jnp.zeros(agent.form.lower_space.size), KEY)


def test_a_gradient_of_zero_has_no_length():
    agent = agent_of(tabular(PROCESS))
    x, y = jnp.zeros(STATES * ACTIONS), jnp.zeros(SIZE)  # no advantages
    assert not np.any(hg.NaturalPolicyGradient(length=0.3)(agent, x, y, KEY)[0])


def test_normalized_advantages_do_not_depend_on_the_scale_of_the_rewards():
    problem = small_game(normalized_advantages=True)
    agent = agent_of(problem)
    x, y = jnp.asarray(problem.x0), jnp.zeros(problem.lower.size)  # the values are zero, so advantages are rewards
    played = agent.play(x, KEY)
    fx = agent.upper_gradients(x, y, KEY)[0]
    louder = agent._policy_loss(played._replace(rewards=5.0 * played.rewards + 2.0), y)
    np.testing.assert_allclose(jax.grad(louder)(x), fx, rtol=1e-5, atol=1e-12)


def test_slam_learns_with_it_and_losses_are_refused():
    problem = small_game(normalized_advantages=True)
    natural = hg.NaturalPolicyGradient(iterations=5, length=0.1)
    result = hg.solve(hg.Slam(0.5, 0.05, 1.0, 1.0, natural), problem, hg.networks.ring(2), rounds=2)
    assert np.isfinite(result.history["return"]).all()
    with pytest.raises(TypeError, match=r"NaturalPolicyGradient needs oracles with a policy"):
        hg.solve(hg.DSGD(0.1, 0.1, natural), hg.problems.quadratic(2, 2, 2), hg.networks.ring(2), rounds=1)
    for word, value in (("iterations", 0), ("damping", 0.0), ("length", -1.0), ("thinning", 0)):
        wrong = hg.Slam(0.5, 0.05, 1.0, 1.0, hg.NaturalPolicyGradient(**{word: value}))
        with pytest.raises(ValueError, match=f"NaturalPolicyGradient: {word}"):
            hg.solve(wrong, problem, hg.networks.ring(2), rounds=1)
