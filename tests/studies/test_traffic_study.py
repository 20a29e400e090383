"""The study of traffic signals: equal numbers of steps, queues in observations, and figures that show the numbers."""

from types import SimpleNamespace
from typing import Any, cast

import networkx
import numpy as np
import pandas as pd
from gymnasium.spaces import Box, Discrete
from studies.traffic import learning
from studies.traffic.__main__ import by_signal, final, page
from studies.traffic.figures import FIXED, animate, curves, maps
from studies.traffic.learning import METHODS, Learned, Task, kept_run, looks_of, means, queues, steps_of_a_round

from hypergossip.figures import style
from hypergossip.problems.actor_critic import TrafficMeasures
from hypergossip.problems.actor_critic.environment_spaces import spaces_of

TASK = Task("cologne3", seconds=600, steps=7_200, looks=3, episodes=2)


def measures(first):
    waited = np.array([first, 2.0])
    return TrafficMeasures(("b", "a"), 10, float(waited.mean()), 3.0, 0.5, waited, waited / 10)


def test_all_methods_play_the_same_number_of_steps():
    assert (TASK.horizon, TASK.options["seconds"]) == (60, 600)
    for method in METHODS.values():
        looks = looks_of(TASK, method)
        assert len(looks) == 4
        assert looks[-1] * steps_of_a_round(TASK, method) == TASK.steps
    assert steps_of_a_round(TASK, METHODS["MDAC"]) == 3 * steps_of_a_round(TASK, METHODS["DAC"])


def test_queues_are_the_last_entries_of_every_signals_own_observation():
    # The phases of a signal, whether it may change, the density of every lane, the queue of every lane, and padding.
    first, second = [1, 0, 1, 0.5, 0.6, 0.2, 0.4], [0, 1, 0, 0.9, 0.8, 0, 0]
    box = {"a": Box(0.0, 1.0, (7,)), "b": Box(0.0, 1.0, (5,))}
    signals = SimpleNamespace(observation_space=box.get, action_space=lambda name: Discrete(2))
    spaces = spaces_of(cast(Any, signals), ["a", "b"], pad=True)
    np.testing.assert_allclose(queues(np.array([[first, second]]), spaces), [[0.3, 0.8]])


def test_measures_are_averaged_and_ordered_by_the_names_of_the_signals():
    both = [measures(4.0), measures(8.0)]
    assert means(both) == {"waiting": 4.0, "queue": 3.0, "outside": 0.5}
    np.testing.assert_allclose(by_signal(both, ["a", "b"]), [2.0, 6.0])


def test_figures_and_the_page_show_the_numbers(tmp_path):
    rows = pd.DataFrame(
        [
            {"method": method, "seed": seed, "steps": steps, "waiting": 9 + seed + steps / 100, "queue": 3.0}
            for method in ("SLAM-AC", "DAC")
            for seed in range(3)
            for steps in (0, 100)
        ]
    )
    graph = networkx.Graph([("a", "b")])
    networkx.set_node_attributes(graph, {"a": 0.0, "b": 5.0}, "x")
    networkx.set_node_attributes(graph, {"a": 0.0, "b": 1.0}, "y")
    with style.look():
        lines = curves(rows, {"waiting": 5.0, "queue": 2.0}).axes[0].get_lines()
        drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in lines}
        np.testing.assert_allclose(drawn["DAC"], [10.0, 11.0])
        np.testing.assert_allclose(drawn[FIXED], [5.0, 5.0])
        shown = maps(graph, {"DAC": np.array([1.0, 3.0]), FIXED: np.array([2.0, 8.0])})
        assert [axes.get_title(loc="left") for axes in shown.axes[:2]] == ["DAC: 2.0 s", "fixed times: 5.0 s"]
        animate(graph, np.array([[0.0, 0.5], [0.2, 0.1]]), 10, tmp_path / "queues.gif")
    assert (tmp_path / "queues.gif").stat().st_size > 1000
    table = final(rows.assign(outside=0.5), {"waiting": 5.0, "queue": 2.0, "outside": 0.25})
    assert list(table["waiting"]) == ["11.0 (10.0, 11.0, 12.0)", "11.0 (10.0, 11.0, 12.0)", "5.0"]
    text = page({"cologne3": table}, {"cologne3": TASK}, 3, 120.0)
    assert "| DAC | 11.0 (10.0, 11.0, 12.0) | 3.0 (3.0, 3.0, 3.0) | 0.5 (0.5, 0.5, 0.5) |" in text
    assert "7,200 environment steps of each method, 3 seeds" in text
    assert "(cologne3/map.png)" in text


def test_a_run_is_kept_and_another_task_learns_again(tmp_path, monkeypatch):
    learned, calls = Learned(pd.DataFrame({"steps": [0, 5], "waiting": [3.0, 1 / 3]}), [measures(4.0)], np.eye(2)), []
    monkeypatch.setattr(learning, "learn", lambda task, *rest: (calls.append(task), learned)[1])
    method, file = METHODS["DAC"], tmp_path / "runs" / "DAC-0.json"
    first, again = (kept_run(TASK, method, 0, file) for _ in range(2))
    assert calls == [TASK]
    pd.testing.assert_frame_equal(first.rows, again.rows)
    np.testing.assert_array_equal(again.queues, learned.queues)
    for kept, value in zip(again.final[0], learned.final[0], strict=True):
        np.testing.assert_array_equal(kept, value)
    assert isinstance(again.final[0].signals, tuple)
    kept_run(TASK._replace(steps=9), method, 0, file)
    kept_run(TASK._replace(steps=9, workers=2), method, 0, file)
    assert len(calls) == 2
    monkeypatch.setitem(learning.LEARNING, "trace", 0.5)
    kept_run(TASK._replace(steps=9), method, 0, file)
    assert len(calls) == 3
