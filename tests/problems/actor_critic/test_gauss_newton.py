"""The Gauss-Newton direction of the critic: against dense matrices, and against least-squares policy evaluation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.actor_critic import FullyConnected, actor_critic, cooperative_navigation, navigation
from hypergossip.problems.actor_critic.gauss_newton import gauss_newton
from hypergossip.problems.actor_critic.learning import checked_damping

KEY = jax.random.key(3)
DAMPING = 0.05


def small_game(critic, **options):
    options = {"actor": FullyConnected((3,)), "critic": critic, "episodes": 2, "trace": 0.8} | options
    return actor_critic(navigation(2, horizon=3, whole="compact"), **options)


def point_of(problem):
    random = np.random.default_rng(1)
    sizes = problem.upper.size, problem.lower.size
    return (jnp.asarray(0.3 * random.standard_normal(size)) for size in sizes)


def agent_of(problem):
    return jax.tree.map(lambda leaf: leaf[0], problem.oracles)


@pytest.mark.parametrize(("model", "thinning"), [(False, 1), (FullyConnected((4,)), 1), (FullyConnected((4,)), 2)])
def test_it_is_the_exact_solve_with_the_mean_outer_product(model, thinning):
    own = {"critic_damping": DAMPING, "critic_iterations": 10, "critic_thinning": thinning}
    plain, better = (agent_of(small_game(FullyConnected((3,)), reward_model=model, **more)) for more in ({}, own))
    x, y = point_of(small_game(FullyConnected((3,)), reward_model=model))
    gradient, seen = plain.lower_gradient(x, y, KEY), plain.play(x, KEY).seen
    unravel, steps, actions = plain.form.lower_space.unravel, seen.states[:-1:thinning], seen.actions[::thinning]
    outputs = [lambda y: plain.form.values(unravel(y)["critic"], steps)]
    if model:
        outputs.append(lambda y: plain.form.model(unravel(y)["reward_model"], steps, actions))
    rows = [np.asarray(jax.jacobian(output)(y)).reshape(-1, y.size) for output in outputs]
    matrix = sum(row.T @ row for row in rows) / rows[0].shape[0] + DAMPING * np.eye(y.size)
    expected = np.linalg.solve(matrix, gradient)
    np.testing.assert_allclose(better.lower_gradient(x, y, KEY), expected, rtol=1e-4, atol=1e-4)


def test_a_full_step_of_a_linear_critic_is_least_squares_policy_evaluation():
    problem = small_game(FullyConnected(()), reward_model=False)
    agent, (x, y) = agent_of(problem), point_of(problem)
    played, form = agent.play(x, KEY), agent.form
    seen = played.seen
    values = lambda y: form.values(form.lower_space.unravel(y)["critic"], seen.states[:-1])
    targets = values(y) + agent._differences(form.lower_space.unravel(y)["critic"], seen, played.rewards)
    direction = gauss_newton(lambda y: values(y)[..., None], y, agent.lower_gradient(x, y, KEY), seen.alive, 1e-9, 200)
    features = np.asarray(jax.jacobian(values)(y)).reshape(-1, y.size)
    fitted = features @ np.linalg.lstsq(features, np.asarray(targets).ravel(), rcond=None)[0]
    np.testing.assert_allclose(np.ravel(values(y - direction)), fitted, atol=1e-5)


def test_a_large_damping_gives_the_gradient_and_the_hessian_product_is_the_derivative():
    net = FullyConnected((3,))
    x, y = point_of(small_game(net))
    plain, large = (agent_of(small_game(net, critic_damping=d)) for d in (None, 1e7))
    np.testing.assert_allclose(
        1e7 * large.lower_gradient(x, y, KEY), plain.lower_gradient(x, y, KEY), rtol=1e-4, atol=1e-6
    )
    agent, v = agent_of(small_game(net, critic_damping=1.0)), jnp.ones_like(y)
    shift = 1e-6
    ahead, behind = (agent.lower_gradient(x, y + sign * shift * v, KEY) for sign in (1, -1))
    np.testing.assert_allclose(
        agent.hessian_product(x, y, KEY)(v), (ahead - behind) / (2 * shift), rtol=1e-3, atol=1e-3
    )


def test_slam_runs_with_it_and_the_damping_is_checked():
    problem = cooperative_navigation(agents=2, widths=(8,), reward_model=False, critic_damping=0.1, test_episodes=2)
    slam = hg.Slam(0.05, 0.5, 1.0, hg.InverseStep(0.5), hg.Direct())
    history = hg.solve(slam, problem, hg.networks.ring(2), rounds=20, observe_every=20).history
    assert np.isfinite(history["return"]).all()
    assert checked_damping(1) == 1.0
    for wrong in (0, -1.0, True, float("inf")):
        with pytest.raises(ValueError, match=r"critic_damping is .*; give a positive number"):
            cooperative_navigation(agents=2, critic_damping=wrong)
    for option in ({"critic_iterations": 5}, {"critic_thinning": 2}):
        with pytest.raises(ValueError, match="critic_damping=None does not take; give critic_damping"):
            cooperative_navigation(agents=2, **option)
    wanted = {"critic_iterations": ", at least 1", "critic_thinning": " from 1 to 25"}  # episodes have 25 steps
    wrong = [*itertools.product(wanted, (0, True)), ("critic_thinning", 26)]
    for name, value in wrong:
        with pytest.raises(ValueError, match=rf"{name} is {value}; give a whole number{wanted[name]}"):
            cooperative_navigation(agents=2, **{name: value})
