"""The tests compile fast (fast_compile.py) and in float64; a part of them once more, as users' programs are run.

Here are those that the compiler's arithmetic could break: what was stopped and goes on bit for bit, engines that agree,
for a method of each kind of message, sums that are conserved, rates of consensus, and the products that the installed
XLA gets wrong. In float32: the floors that docs/precision.md states, and that agents who agree stay as they are.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fast_compile import FLAGS, users_environment
from laws.table import KINDS

TESTS = Path(__file__).parents[1]
PLACES = ("dense", "sharded")
SYMMETRIES, CONSENSUS = "laws/test_symmetries.py", "laws/test_consensus.py"
PICKED = {
    "float64": [
        "test_compilation.py",
        # DIAMOND's engines agree in test_compilation.py, on the programs that are stopped and resumed there.
        *(f"{SYMMETRIES}::test_engines_agree[{name}-sharded]" for name in KINDS if name != "Diamond"),
        f"{SYMMETRIES}::test_what_is_conserved_sums_to_zero_in_every_round[Diamond-dense]",
        f"{CONSENSUS}::test_gossip_contracts_at_lambda[DSGD-dense-metropolis]",
    ],
    "float32": [
        "laws/test_precision.py",
        *(f"{CONSENSUS}::test_agents_that_agree_stay_as_they_are[DSGD-{place}]" for place in PLACES),
    ],
}


@pytest.mark.parametrize("precision", PICKED)
def test_as_users_run(precision: str) -> None:
    environment = users_environment(precision == "float32")
    assert not set(FLAGS) & set(environment["XLA_FLAGS"].split())
    workers = [name for name in os.environ if name.startswith("PYTEST_XDIST")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", *PICKED[precision]],
        cwd=TESTS,
        env={name: value for name, value in environment.items() if name not in workers},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
