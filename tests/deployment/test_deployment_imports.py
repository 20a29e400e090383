"""What an agent's process loads, and what the commands say if the extra is missing."""

import subprocess
import sys

from plans import PLAN, deployed, written

from calling import call, refused

PROBE = """
import sys
from pathlib import Path
from hypergossip.lab.cli.app import app
print("jax" in sys.modules, "zenoh" in sys.modules)
from hypergossip.lab.deployment.starting import agent_settings
with agent_settings(Path(sys.argv[1])):
    print([name for name in ("pandas", "matplotlib", "networkx", "sklearn", "pyarrow") if name in sys.modules])
"""


def test_the_command_line_loads_nothing_heavy_and_an_agent_nothing_of_reports(tmp_path):
    deployed(tmp_path)
    command = [sys.executable, "-c", PROBE, tmp_path / "out/agent-0/agent.toml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == ["False False", "[]"]


def test_without_the_extra_deploy_is_one_sentence_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.x509", None)
    sentence = refused(call("deploy", written(tmp_path), "--to", tmp_path / "out"))
    assert sentence.endswith("which is not installed: pip install 'hypergossip[peers]'.")
    assert not (tmp_path / "out").exists()


def test_one_of_several_methods_is_chosen_on_the_command_line(tmp_path):
    other = '[methods.other]\nalgorithm = "gtsgd"\nupper_step = 0.1\nlower_step = 0.1\nhypergradient = "exact"\n\n[[ch'
    path = written(tmp_path, PLAN.replace("[[ch", other))
    assert call("deploy", path, "--to", tmp_path / "out", "--method", "other").exit_code == 0
    text = (tmp_path / "out/agent-0/agent.toml").read_text()
    assert "[methods.other]" in text
    assert "[methods.dsgd]" not in text
    assert "no section" not in refused(call("deploy", path, "--to", tmp_path / "new"))
