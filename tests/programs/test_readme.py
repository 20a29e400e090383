"""README's programs run as they stand, in a process of their own: float32, no test switches."""

import math
import re
import subprocess
import sys
from pathlib import Path

from fast_compile import users_environment

README = Path(__file__).parents[2] / "README.md"

TEN_LINES = """
assert result.history["metric"].iloc[-1] < 1e-2 * result.history["metric"].iloc[0]
"""

DIGITS = """
assert result.history["round"].iloc[-1] == 2000
assert result.x["features"].shape == (9, 64, 20) and result.y.shape == (9, 20, 10)
assert result.history["test_accuracy"].iloc[-1] > 0.85
assert result.history["metric"].iloc[-1] < 0.02 * result.history["metric"].iloc[0]
"""


def programs() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def run(program: str, folder: Path) -> str:
    """What a program prints, run in a folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env=users_environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_ten_lines_run_and_print_what_the_page_shows(tmp_path: Path) -> None:
    program = programs()[0]
    assert len(program.splitlines()) == 10
    printed = run(program + TEN_LINES, tmp_path)
    shown = re.findall(r"^```text\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)[0]
    (head, row), (shown_head, shown_row) = (text.splitlines() for text in (printed, shown))
    assert head.split() == shown_head.split()
    # float32 rounds differently from machine to machine.
    pairs = zip(row.split(), shown_row.split(), strict=True)
    assert all(math.isclose(float(ours), float(shown), rel_tol=0.05) for ours, shown in pairs)


def test_the_longer_example_runs_and_learns(tmp_path: Path) -> None:
    run(programs()[1] + DIGITS, tmp_path)
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_the_commands_for_a_clone_are_targets_of_the_makefile() -> None:
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL))
    targets = re.findall(r"^make (\w+)", commands, re.MULTILINE)
    assert targets == ["demo", "test"]
    makefile = (README.parent / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in targets)
