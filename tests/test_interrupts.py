"""Ctrl-C and SIGTERM leave a checkpoint, from which the same call goes on, bit for bit."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import hypergossip as hg
from hypergossip import checkpoint
from hypergossip.loop import Interrupts

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


def solve(**options):
    return hg.solve(
        hg.Diamond(0.1, 0.2, 0.3, 0.3, hg.Neumann(5, 4.0)),
        hg.problems.quadratic(3, 2, 2, seed=0, noise=0.1),
        hg.networks.ring(3),
        **({"observe_every": 100, "check": False} | options),
    )


@pytest.fixture(autouse=True)
def _hears_ctrl_c():
    """A shell starts what runs in the background deaf to SIGINT, and its children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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


def ask(number, ends=False):
    """A rule that asks the process to end at round 200, and ends the run there or not."""

    def rule(row):
        if row["round"] == 200:
            os.kill(os.getpid(), number)
        return ends and row["round"] == 200

    return rule


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ends", [False, True])
def test_it_is_heard_when_the_run_ends_there_too_and_handlers_are_given_back(tmp_path, number, ends):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(hg.Interrupted, match=number.name) as error:
        solve(rounds=300, stop=ask(number, ends), checkpoint=tmp_path)
    assert str(tmp_path) in str(error.value)
    assert isinstance(error.value, KeyboardInterrupt)  # so that a script ends as by Ctrl-C
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert solve(rounds=300, checkpoint=tmp_path).rounds == 300


def test_without_a_folder_ctrl_c_ends_the_run_at_once():
    with pytest.raises(KeyboardInterrupt) as error:
        solve(rounds=10**7, stop=ask(signal.SIGINT))
    assert not isinstance(error.value, hg.Interrupted)


def test_a_second_signal_ends_the_process_at_once():
    with Interrupts(True) as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.pending == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_thread_leaves_signals_alone(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(solve(rounds=100, checkpoint=tmp_path).rounds))
    thread.start()
    thread.join()
    assert done == [100]
