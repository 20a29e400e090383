"""The scripts of the games: ways around the obstacle, goals that are reached, and evaders that are caught."""

import jax
import numpy as np
from studies.scripted_games import main, own_landmark, pairs_to_the_nearest_evader, returns_of, step_distances

from hypergossip.problems.actor_critic import navigation, pursuit


def test_distances_count_the_steps_around_the_obstacle():
    game = pursuit("paper", width=9, height=9)
    steps, cell = step_distances(game), lambda x, y: x * game.height + y
    columns, rows = game.grid.obstacle
    assert np.array_equal(steps, steps.T)
    assert steps[cell(0, 0), cell(0, 8)] == 8  # along the border
    left, right, row = columns.start - 1, columns.stop, (rows.start + rows.stop - 1) // 2
    around = min(row - rows.start + 1, rows.stop - row)
    assert steps[cell(left, row), cell(right, row)] == right - left + 2 * around
    assert steps[cell(columns.start, rows.start), cell(0, 0)] > 10**5  # within the obstacle


def test_pairs_catch_all_evaders_that_do_not_move():
    game = pursuit("paper", agents=2, evaders=3, freeze_evaders=True, horizon=100, tag_reward=0.0, urgency_reward=0.0)
    returns = returns_of(game, pairs_to_the_nearest_evader(game), 20)
    np.testing.assert_allclose(returns, 3 * game.catch_reward)


def test_an_agent_alone_ends_at_its_landmark():
    game = navigation(1, horizon=60)
    script = own_landmark(game)
    state = game.reset(jax.random.key(1))
    for _ in range(game.horizon):
        state = game.step(state, script(state))[0]
    assert np.linalg.norm(state.position - state.landmarks) < 0.15


def test_the_study_prints_every_script(capsys):
    assert main(["--episodes", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 9
