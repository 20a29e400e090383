"""The truth test: on a process that can be solved, oracles, games and methods are held against sums that are exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.engines.mixing import Dense, enter
from hypergossip.problems.actor_critic.learning import actor_critic
from hypergossip.problems.actor_critic.nets import FullyConnected
from hypergossip.problems.actor_critic.tabular import (
    chain,
    expected_return,
    fixed_point,
    joint_policy,
    networked_process,
    tabular,
)
from hypergossip.problems.actor_critic.tabular_game import TabularGame

AGENTS, STATES, ACTIONS = 6, 5, 2
PROCESS = networked_process(AGENTS, STATES, ACTIONS, seed=1)
RING = hg.networks.ring(AGENTS)


def random_policies(seed=0, agents=AGENTS):
    logits = np.random.default_rng(seed).standard_normal((agents, STATES, ACTIONS))
    return jnp.asarray(logits), jax.nn.softmax(jnp.asarray(logits))


def in_world(problem, function):
    """Calls function(agent's oracles within the world, x, y) of every agent, as an engine would."""
    mixing = Dense(jnp.eye(problem.agents))
    return jax.jit(jax.vmap(lambda oracles, x, y: function(enter(oracles, mixing, 0), x, y)))


def test_the_joint_policy_and_its_chain_are_probabilities():
    joint = joint_policy(random_policies()[1])
    np.testing.assert_allclose(joint.sum(axis=1), 1, rtol=1e-12)
    policies = random_policies()[1]  # the highest digit is agent 0's
    np.testing.assert_allclose(joint[:, 0], jnp.prod(policies[:, :, 0], axis=0), rtol=1e-12)
    np.testing.assert_allclose(joint[:, : joint.shape[1] // 2].sum(axis=1), policies[0, :, 0], rtol=1e-12)
    for horizon in (None, 7):
        np.testing.assert_allclose(chain(PROCESS, joint, horizon).visits.sum(), 1, rtol=1e-12)


def test_with_a_true_critic_and_model_the_policy_gradient_is_the_returns_derivative():
    logits, policies = random_policies()
    problem = tabular(PROCESS)
    values = fixed_point(PROCESS, policies, jnp.eye(STATES))
    y = jnp.concatenate([values, jnp.mean(PROCESS.rewards, axis=0).reshape(-1)])
    x, y = logits.reshape(AGENTS, -1), jnp.broadcast_to(y, (AGENTS, y.size))
    ours = in_world(problem, lambda agent, x, y: agent.upper_gradients(x, y, jax.random.key(0))[0])(
        problem.oracles, x, y
    )
    derivative = jax.grad(lambda logits: expected_return(PROCESS, jax.nn.softmax(logits)))(logits)
    # Visits are probabilities: a factor of 1 - discount; f is minus the return.
    np.testing.assert_allclose(-ours, (1 - 0.9) * derivative.reshape(AGENTS, -1), atol=1e-12)


@pytest.mark.parametrize("features", [None, 3])
def test_the_agents_mean_critic_gradient_vanishes_at_the_fixed_point(features):
    logits, policies = random_policies()
    problem = tabular(PROCESS, features=features)
    point = fixed_point(PROCESS, policies, problem.oracles.features[0])
    y = jnp.concatenate([point, jnp.mean(PROCESS.rewards, axis=0).reshape(-1)])
    gradients = in_world(problem, lambda agent, x, y: agent.lower_gradient(x, y, jax.random.key(0)))(
        problem.oracles, logits.reshape(AGENTS, -1), jnp.broadcast_to(y, (AGENTS, y.size))
    )
    np.testing.assert_allclose(jnp.mean(gradients, axis=0), 0, atol=1e-13)
    assert float(jnp.abs(gradients).max()) > 1e-2  # each alone would go elsewhere


def test_means_over_episodes_of_the_game_are_the_exact_expectations():
    """The game's oracles, over many episodes and mapped over the agents, against the sums: an independent route."""
    process = networked_process(2, STATES, ACTIONS, seed=2)
    horizon, episodes = 8, 4000
    linear = FullyConnected(widths=())
    game = TabularGame(process, horizon)
    sampled = actor_critic(game, actor=linear, critic=linear, reward_model=False, episodes=episodes, discount=0.9)
    exact = tabular(process, horizon=horizon)
    logits, _ = random_policies(3, agents=2)
    values = np.random.default_rng(4).standard_normal(STATES)
    # A linear layer on a one-hot state is a table; the biases are left at 0.
    leaves = lambda weights, outputs: {"hidden": [], "last": {"weights": weights, "bias": jnp.zeros(outputs)}}
    x = jnp.stack([sampled.upper.ravel(leaves(own.T, ACTIONS)) for own in logits])
    y = sampled.lower.ravel({"critic": leaves(jnp.asarray(values)[None], 1)})
    y = jnp.broadcast_to(y, (2, y.size))

    def gradients(agent, x, y):
        key = jax.random.fold_in(jax.random.key(5), agent.seat)
        return agent.upper_gradients(x, y, key)[0], agent.lower_gradient(x, y, key)

    ours_x, ours_y = in_world(sampled, gradients)(sampled.oracles, x, y)
    ours_x = jax.vmap(lambda v: sampled.upper.unravel(v)["last"]["weights"].T.reshape(-1))(ours_x)
    ours_y = jax.vmap(lambda v: sampled.lower.unravel(v)["critic"]["last"]["weights"][0])(ours_y)
    for seat in range(2):
        rewards = process.rewards[seat].reshape(-1)
        theirs = jnp.concatenate([jnp.asarray(values), rewards])
        both = jnp.broadcast_to(theirs, (2, theirs.size))
        exact_x, exact_y = in_world(exact, gradients)(exact.oracles, logits.reshape(2, -1), both)
        scale = 6 / np.sqrt(episodes * horizon)  # rewards to 4, values of a few: well within four standard errors
        np.testing.assert_allclose(ours_x[seat], exact_x[seat], atol=scale)
        np.testing.assert_allclose(ours_y[seat], exact_y[seat, :STATES], atol=scale)
        assert float(jnp.abs(exact_x[seat]).max()) > 2 * scale


def run(algorithm, problem, rounds, measure):
    return hg.solve(algorithm, problem, RING, rounds=rounds, observe_every=rounds, check=False, measure=measure)


def test_policies_held_slam_agrees_on_the_fixed_point_and_dac_stalls_at_its_step():
    problem = tabular(PROCESS, features=3)
    uniform = jnp.full((AGENTS, STATES, ACTIONS), 1 / ACTIONS)
    point = np.asarray(fixed_point(PROCESS, uniform, problem.oracles.features[0]))
    slam = run(hg.Slam(0.0, 0.5, 1.0, 1.0, hg.Direct()), problem, 3000, "lower_consensus_error")
    last = slam.history.iloc[-1]
    assert last["lower_consensus_error"] < 1e-20
    np.testing.assert_allclose(slam.y[:, :3], np.broadcast_to(point, (AGENTS, 3)), atol=1e-9)
    errors = []
    for beta in (0.2, 0.1):
        dac = run(hg.DAC(0.0, beta, hg.Direct()), problem, 3000, "lower_consensus_error")
        errors.append(np.sqrt(dac.history["lower_consensus_error"].iloc[-1]))
    assert errors[1] > 1e-4
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)  # O(beta)


def test_moving_policies_raise_the_return():
    problem = tabular(PROCESS)
    for algorithm in (
        hg.Slam(2.0, 0.5, 1.0, 1.0, hg.Direct()),
        hg.DAC(2.0, 0.5, hg.Direct()),
        hg.MDAC(2.0, 0.5, hg.Direct(), inner_steps=5),
    ):
        returns = run(algorithm, problem, 1000, "return").history["return"]
        assert returns.iloc[-1] > returns.iloc[0] + 2


def test_engines_play_the_same_game():
    game, linear = TabularGame(networked_process(3, STATES, ACTIONS, seed=2), 2), FullyConnected(())
    problem = actor_critic(game, actor=linear, critic=linear, episodes=1, test_episodes=1)
    algorithm, network = hg.Slam(0.1, 0.1, 1.0, 0.5, hg.Direct()), hg.networks.path(3)
    run = lambda rounds, engine: hg.solve(
        algorithm, problem, network, rounds=rounds, engine=engine, check=False, measure=False
    )
    results = [run(5, engine) for engine in (hg.Simulated(), hg.Sharded(devices=2))]
    one = [run(1, engine) for engine in (hg.Simulated(), hg.Debug())]
    for group in (results, one):
        for other in group[1:]:
            for ours, theirs in zip(jax.tree.leaves((group[0].x, group[0].y)), jax.tree.leaves((other.x, other.y))):
                np.testing.assert_allclose(ours, theirs, atol=1e-11)
    moved = [np.abs(leaf - leaf[0]).max() for leaf in jax.tree.leaves(results[0].x)]
    assert max(moved) > 1e-4  # agents with rewards of their own have gone apart


@pytest.fixture(scope="module")
def problem():
    """Three agents with small networks."""
    game = TabularGame(networked_process(3, STATES, ACTIONS, seed=2), 5)
    return actor_critic(game, actor=FullyConnected((4,)), critic=FullyConnected((4,)), episodes=2, test_episodes=3)


def test_several_seeds_in_one_call_are_the_seeds_alone(problem):
    algorithm, network = hg.CAC(0.1, 0.1, hg.Direct()), hg.networks.ring(3)
    options = {"rounds": 4, "check": False, "measure": False}
    together = hg.solve(algorithm, problem, network, seeds=2, **options)
    alone = hg.solve(algorithm, problem, network, seed=1, **options)
    for many, one in zip(jax.tree.leaves(together.x), jax.tree.leaves(alone.x)):
        np.testing.assert_allclose(many[1], one, atol=1e-12)


def test_agents_renumbered_keep_their_seats(problem):
    order, network, algorithm = [2, 0, 1], hg.networks.complete(3), hg.Slam(0.1, 0.1, 1.0, 0.5, hg.Direct())
    options = {"rounds": 4, "check": False, "measure": "return"}
    ours = hg.solve(algorithm, problem, network, **options)
    other = hg.solve(algorithm, problem.relabelled(order), network, **options)
    for one, renumbered in zip(jax.tree.leaves((ours.x, ours.y)), jax.tree.leaves((other.x, other.y))):
        np.testing.assert_allclose(one[np.asarray(order)], renumbered, atol=1e-12)
    assert ours.history["return"].iloc[-1] == pytest.approx(other.history["return"].iloc[-1], abs=1e-12)
