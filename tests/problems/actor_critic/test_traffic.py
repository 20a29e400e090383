"""Traffic signals with SUMO; test_traffic_without_sumo.py tests what needs no simulator."""

from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from studies.traffic.learning import METHODS, Task, kept_run

import hypergossip as hg
from hypergossip.problems.actor_critic import (
    from_parallel,
    parallel_game,
    traffic_graph,
    traffic_measures,
    traffic_signals,
)
from hypergossip.problems.actor_critic.rollout import rollout

if find_spec("sumo_rl") is None:  # importing it needs SUMO_HOME, which the library sets only for its simulators
    pytest.skip("the extra traffic is not installed", allow_module_level=True)
SECONDS, DECISIONS = 60, 12


def grid(**options):
    return traffic_signals("grid4x4", seconds=SECONDS, **options)


def played(game, episodes):
    """All states, and the outcomes of a batch of episodes, with other actions in every step."""
    states = jax.vmap(game.reset)(jax.random.split(jax.random.key(0), episodes))
    outcomes = []
    for time in range(DECISIONS):
        actions = (time // 2 + jnp.arange(episodes * game.agents).reshape(episodes, game.agents)) % game.actions
        states, *outcome = jax.vmap(game.step)(states, actions)
        outcomes.append(outcome)
    return states, jax.tree.map(lambda *leaves: np.stack(leaves), *outcomes)


def test_two_workers_play_sixteen_signals_as_one_process_does():
    games = [from_parallel(grid, horizon=2 * DECISIONS, live=2, workers=workers) for workers in (0, 2)]
    assert (games[0].agents, games[0].actions) == (16, 8)
    serial, parallel = (played(game, 2) for game in games)
    jax.tree.map(np.testing.assert_array_equal, serial, parallel)
    _, (rewards, terminated, truncated) = serial
    assert np.any(rewards != 0)
    assert not np.any(terminated)
    np.testing.assert_array_equal(truncated[:, 0], np.arange(DECISIONS) == DECISIONS - 1)  # before the horizon


@pytest.fixture(scope="module")
def cologne():
    """Unequal signals, as a configuration file names them."""
    options = {"net": "cologne3", "seconds": 40, "decision": 10, "yellow": 3, "reward": "queue"}
    small = {"widths": (4,), "episodes": 1, "test_episodes": 1, "reward_model": False}
    name = "hypergossip.problems.actor_critic:traffic_signals"
    return parallel_game(game=name, options=options, horizon=4, pad=True, live=1, **small), options


def test_unequal_signals_learn_over_their_roads(cologne):
    problem, options = cologne
    network = hg.networks.from_networkx(traffic_graph("cologne3"))
    assert set(problem.names) == set(network.names)
    slam = hg.Slam(0.1, 0.05, 1.0, 0.5, hg.Direct())
    result = hg.solve(slam, problem, network, rounds=1, progress=False)
    assert np.all(np.isfinite(result.history["return"]))
    policies = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), problem.upper.unravel(problem.x0))
    episode = rollout(problem, policies)
    measures = traffic_measures(episode.actions, seed=episode.states.seed, **options)
    assert measures.signals == problem.names
    # The rewards count the vehicles before the signals at the end of every decision, and SUMO in every second.
    np.testing.assert_allclose(measures.signal_queue.sum(), -episode.rewards.sum(axis=1).mean(), rtol=0.5)


def test_fixed_times_are_measured():
    measures = traffic_measures(net="cologne3", seconds=120, seed=5)
    again, other = (traffic_measures(net="cologne3", seconds=120, seed=seed) for seed in (5, 6))
    assert measures.vehicles > 60  # from the second on at which the traffic begins
    np.testing.assert_allclose(measures.waiting * measures.vehicles, measures.queue * 121, rtol=0.02)
    assert 0 < measures.signal_queue.sum() <= measures.queue * 1.001
    jax.tree.map(np.testing.assert_array_equal, measures[1:], again[1:])
    assert measures.queue != other.queue
    first = traffic_measures(np.zeros((24, 3), int), net="cologne3", seconds=120, seed=5)
    assert first.vehicles > 60
    assert first.queue > measures.queue  # one direction is red for two minutes
    sentence = r"the shape \(24, 2\) and the type int64; give one integer for each of the 24 decisions and 3 signals"
    with pytest.raises(ValueError, match=sentence):
        traffic_measures(np.zeros((24, 2), int), net="cologne3", seconds=120)
    for wrong in (99, -1):
        actions = np.zeros((24, 3), int)
        actions[3, 1] = wrong
        with pytest.raises(
            ValueError, match=rf"action {wrong} of decision 3 does not exist for signal .* from 0 to \d"
        ):
            traffic_measures(actions, net="cologne3", seconds=120)
    for seed in (-1, 2.5, "a", None, 2**40, [1, 2]):
        with pytest.raises(ValueError, match="seed is"):
            traffic_measures(net="cologne3", seconds=120, seed=seed)


def test_files_that_sumo_cannot_read(tmp_path):
    for name in ("a.net.xml", "a.rou.xml"):
        (tmp_path / name).write_text("<net>")
    with pytest.raises(RuntimeError, match=r"see whether SUMO reads them: sumo -n \S*a.net.xml -r \S*a.rou.xml"):
        traffic_signals(str(tmp_path / "a.net.xml"), str(tmp_path / "a.rou.xml"))


def test_the_study_learns_measures_and_keeps(tmp_path):
    task = Task("cologne3", seconds=60, decision=10, steps=72, looks=1, episodes=1, tests=1, widths=(4,))
    for name in ("SLAM-AC", "MDAC"):
        first, again = (kept_run(task, METHODS[name], 0, tmp_path / f"{name}.json", str) for _ in range(2))
        assert list(first.rows["steps"]) == [0, 72]
        assert (first.queues.shape, first.queues.max() <= 1) == ((6, 3), True)
        np.testing.assert_array_equal(first.rows, again.rows)
        assert again.final[0].signals == first.final[0].signals
