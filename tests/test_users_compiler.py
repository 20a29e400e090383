"""The tests compile hastily (haste.py); a part of them once more, as the programs of users are compiled.

Here are those that the compiler's arithmetic could break: what was stopped and goes on bit for bit, engines that agree,
for a method of each kind of message, and the products that the installed XLA gets wrong.
"""

import os
import subprocess
import sys
from pathlib import Path

from haste import FLAG, users_environment
from laws.table import KINDS

TESTS = Path(__file__).parent
PLACES = ("dense", "sharded")
PICKED = [
    "test_compilation.py",
    *(f"laws/test_resume.py::test_stopped_and_resumed_is_never_stopped[{place}-Diamond]" for place in PLACES),
    *(f"laws/test_symmetries.py::test_engines_agree[{name}-sharded]" for name in KINDS),
]


def test_with_the_compiler_of_users() -> None:
    environment = users_environment()
    assert FLAG not in environment["XLA_FLAGS"]
    workers = [name for name in os.environ if name.startswith("PYTEST_XDIST")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", *PICKED],
        cwd=TESTS,
        env={name: value for name, value in environment.items() if name not in workers},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
