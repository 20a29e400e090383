"""What is watched is what the return was measured on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.actor_critic import cooperative_navigation, pursuit_evasion
from hypergossip.problems.actor_critic.rollout import episodes_of, is_game, rollout


def trees(problem, scale=1.0):
    """A different policy for every agent, as the user has them."""
    random = np.random.default_rng(0)
    x = problem.x0 + scale * random.standard_normal((problem.agents, problem.upper.size))
    return jax.vmap(problem.upper.unravel)(jnp.asarray(x)), jnp.asarray(x)


@pytest.mark.parametrize(
    "problem",
    [
        cooperative_navigation(2, widths=(4,), reward_model=False, episodes=1, test_episodes=3),
        pursuit_evasion(
            3, evaders=2, horizon=12, channels=(2,), width=4, episodes=1, test_episodes=3, sees="global_state"
        ),
    ],
    ids=["navigation", "pursuit"],
)
def test_the_states_and_rewards_are_those_of_the_evaluation(problem):
    tree, x = trees(problem)
    returns = problem.together["return"]
    seen = returns.play(problem.oracles, x)
    watched = [rollout(problem, tree, episode) for episode in range(episodes_of(problem))]
    game = problem.oracles.form.game
    for episode, one in enumerate(watched):
        steps = int(seen.alive[:, episode].sum())
        assert len(one.actions) == len(one.rewards) == steps
        assert all(len(leaf) == steps + 1 for leaf in jax.tree.leaves(one.states))
        if "key" not in one.states._fields:
            whole = jax.vmap(game.global_state)(jax.tree.map(jnp.asarray, one.states))
            np.testing.assert_allclose(whole, seen.states[: steps + 1, episode], rtol=1e-12)
        np.testing.assert_array_equal(one.actions, seen.actions[:steps, episode])
        np.testing.assert_array_equal(one.states.time, np.arange(steps + 1))
    mean = np.mean([one.returns[-1] for one in watched])
    np.testing.assert_allclose(mean, returns(problem.oracles, x, None), rtol=1e-12)
    assert any((one.actions != watched[0].actions).any() for one in watched[1:])


def test_other_numbers_than_every_agents_policy_are_refused():
    problem = cooperative_navigation(2, widths=(4,), reward_model=False, episodes=1, test_episodes=3)
    tree, _ = trees(problem)
    several = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), tree)
    with pytest.raises(ValueError, match="policies of several seeds, so give those of one"):
        rollout(problem, several)
    for wrong in (
        None,
        problem.x0,
        jax.tree.map(lambda leaf: leaf[0], tree),
        jax.tree.map(lambda leaf: leaf[:1], tree),
    ):
        with pytest.raises(ValueError, match=r"the policies of 2 agents .*; give x of a hypergossip\.Result"):
            rollout(problem, wrong)
    with pytest.raises(ValueError, match="not finite, as after a run that diverged"):
        rollout(problem, jax.tree.map(lambda leaf: leaf * np.nan, tree))


def test_what_cannot_be_watched():
    problem = cooperative_navigation(2, widths=(4,), reward_model=False, episodes=1, test_episodes=3)
    assert is_game(problem)
    with pytest.raises(ValueError, match="mean over 3 test episodes"):
        rollout(problem, None, 3)
    other = hg.problems.quadratic(3)
    assert not is_game(other)
    assert episodes_of(other) == 0
    with pytest.raises(ValueError, match="not a game"):
        rollout(other, None)
