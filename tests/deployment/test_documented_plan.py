"""The plan and the program of docs/command_line.md can be deployed, and its agents can start."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from hypergossip.lab.deployment.folder import deploy
from hypergossip.lab.deployment.plan import read_plan
from hypergossip.lab.deployment.starting import agent_settings

PAGE = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Agents on a network\n")[2].partition("\n## ")[0]
PLAN, TASK = re.findall(r"^```toml\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
NAMES = ["paris", "rome", "oslo"]


def deployed(folder, text):
    (folder / "plan.toml").write_text(text)
    deploy(read_plan(folder / "plan.toml"), folder / "out")
    return folder / "out"


def test_the_plan(tmp_path):
    out = deployed(tmp_path, PLAN)
    for row in re.findall(r"^\| `([^`]*)`", SECTION, re.MULTILINE):
        for i in range(3):
            assert (out / row.replace("paris", NAMES[i])).exists(), row
    for name in NAMES:
        with agent_settings(out / name / "agent.toml") as own:
            assert own.name == name
            assert len(own.neighbours) == 2


def test_the_program(tmp_path, monkeypatch):
    (tmp_path / "task.py").write_text(PROGRAM)
    problem, methods = PLAN.index("[network]"), PLAN.index("[methods.dsgd]")
    out = deployed(tmp_path, TASK + PLAN[problem:methods] + PLAN[PLAN.index("[peers]") :])
    np.save(out / "rome/agent1.npy", np.random.default_rng(0).normal(size=(6, 3)))
    alone = shutil.copytree(out / "rome", tmp_path / "machine")  # with nothing but its own folder
    shutil.rmtree(out)
    monkeypatch.chdir(alone)
    with agent_settings(Path("agent.toml")) as own:
        assert own.problem.identities.tolist() == [1]
    (alone / "agent1.npy").unlink()
    with (
        pytest.raises(ValueError, match=r"task\.py, line 12: make\(3\) failed with FileNotFoundError"),
        agent_settings(Path("agent.toml")),
    ):
        pass
