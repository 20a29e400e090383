"""README's programs run as they stand, in a process of their own: float32, no test switches."""

import re
import subprocess
import sys
from pathlib import Path

from fast_compile import users_environment

README = Path(__file__).parents[2] / "README.md"

AFTER = """
import numpy as np

assert result.history["round"].iloc[-1] == 2000
assert result.x["features"].shape == (9, 64, 20) and result.y.shape == (9, 20, 10)
assert result.history["test_accuracy"].iloc[-1] > 0.85
assert result.history["metric"].iloc[-1] < 0.02 * result.history["metric"].iloc[0]
"""


def programs() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_snippet_runs_and_learns(tmp_path: Path) -> None:
    program = programs()[0] + AFTER
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env=users_environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_the_first_commands_are_targets_of_the_makefile() -> None:
    commands = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)[0]
    targets = re.findall(r"^make (\w+)", commands, re.MULTILINE)
    assert targets == ["demo", "test"]
    makefile = (README.parent / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in targets)
