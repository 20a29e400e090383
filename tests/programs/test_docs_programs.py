"""The programs of the site's pages run as they stand, a page in a process of its own, and end where the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def programs(page: str) -> str:
    return "\n".join(re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL))


AFTER = {
    "getting_started.md": """
assert result.history["test_accuracy"].iloc[-1] > 0.93
assert result.history["metric"].iloc[-1] < 0.05 * result.history["metric"].iloc[0]
assert disagreement < 0.2
assert kept.rounds == 400
""",
    "extending.md": "",
    "games.md": """
assert last["lower_consensus_error"] > 1e-3  # DAC's
slam = hg.solve(held["SLAM-AC"], exact, ring, rounds=3000, observe_every=3000).history.iloc[-1]
assert slam["lower_consensus_error"] < 1e-7  # in float32
""",
}


@pytest.mark.parametrize("page", AFTER)
def test_the_programs_run(page: str, tmp_path: Path) -> None:
    program = programs(page) + AFTER[page]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
