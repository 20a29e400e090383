"""Ctrl-C and SIGTERM leave a checkpoint, from which the same call goes on, bit for bit."""

import gc
import os
import signal
import threading
import time
from contextlib import contextmanager
from functools import partial

import pytest
import typer

import hypergossip as hg
from hypergossip.lab.cli.errors import one_sentence_errors
from hypergossip.support.interrupts import Interrupts
from small_problems import small_run

solve = partial(small_run, observe_every=100)


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


class Sends:
    """Sends a signal to this process when it is deleted."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)


@contextmanager
def collected_with(number):
    """A callback of the garbage collector that sends a signal to this process."""

    def collected(phase, _):
        if phase == "start":
            os.kill(os.getpid(), number)

    gc.callbacks.append(collected)
    yield
    gc.callbacks.remove(collected)


def interrupted(number, where):
    if where == "deletion":
        Sends(number)
    else:
        with collected_with(number):
            gc.collect()
    time.sleep(10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["garbage collection", "deletion"])
def test_a_signal_ends_a_command_also_where_python_forgets_exceptions(number, where):
    with pytest.raises(typer.Exit) as ended, one_sentence_errors(debug=False):
        interrupted(number, where)
    assert ended.value.exit_code == 128 + number
