"""A process that is asked to end leaves a checkpoint, from which the same call goes on in another, bit for bit."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from hypergossip.running import snapshot as checkpoint
from test_interrupts import solve

# The signal comes at a row in the middle: nothing here depends on how fast the machine is.
RUN = """
import os, signal, sys
import jax
jax.config.update("jax_enable_x64", True)
import hypergossip as hg

def rule(row):
    if row["round"] == 400:
        os.kill(os.getpid(), int(sys.argv[2]))
    return False

hg.solve(
    hg.Diamond(0.1, 0.2, 0.3, 0.3, hg.Neumann(5, 4.0)),
    hg.problems.quadratic(3, 2, 2, seed=0, noise=0.1),
    hg.networks.ring(3),
    rounds=10**7, observe_every=100, stop=rule, checkpoint=sys.argv[1], check=False,
)
"""


@pytest.fixture(scope="module")
def whole():
    return solve(rounds=700)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_asked_to_end_leaves_a_checkpoint(tmp_path, whole, number):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), str(int(number))], capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    assert f"{number.name} at round" in done.stderr, done.stderr
    at = checkpoint.read(tmp_path).round
    assert 400 < at < 10**7
    on = solve(rounds=max(700, at + 50), checkpoint=tmp_path)
    reference = whole if on.rounds == 700 else solve(rounds=on.rounds)
    for a, b in zip(on.saved.leaves, reference.saved.leaves, strict=True):
        np.testing.assert_array_equal(a, b)
    assert on.history.drop(columns="seconds").equals(reference.history.drop(columns="seconds"))
