"""The study of what is learned: its tasks stay within their steps, and it says what was reached."""

from functools import partial

import numpy as np
import pytest
from studies.learned_games import TASKS, Task, main

from studies import learned_games


def test_every_task_has_a_game_for_its_network_and_rounds_enough():
    for task in TASKS.values():
        problem = task.problem()
        assert problem.agents == task.network.agents
        assert task.steps // int(problem.oracles.samples(upper=1, lower=1)) >= 100


@pytest.mark.parametrize(("asked", "code", "word"), [(-100.0, 0, "asked -100: reached"), (0.0, 1, "not reached")])
def test_a_task_that_falls_short_fails(monkeypatch, capsys, asked, code, word):
    small = Task(
        partial(learned_games.cooperative_navigation, 2, widths=(4,), test_episodes=2, critic_damping=0.1),
        learned_games.hg.networks.ring(2),
        *(0.03, 0.5, 300, asked, (2, 1)),
        lambda: {"a script": np.asarray([-1.0, -3.0])},
    )
    monkeypatch.setitem(TASKS, "n3", small)
    assert main(["n3", "--seeds", "2"]) == code
    printed = capsys.readouterr().out
    assert word in printed
    assert "by hand, a script: -2.00" in printed


def test_an_unknown_task_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["n4"])
    assert stopped.value.code == 2
    assert "there is no task n4; choose some of n3, n5, assigned, pursuit." in capsys.readouterr().err
