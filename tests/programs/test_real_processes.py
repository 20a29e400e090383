"""The installed command in processes of its own: pipes, exit codes, signals and kills."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import hypergossip as hg
from hypergossip.running.snapshot import read
from small_experiment import EXPERIMENT

COMMAND = [sys.executable, "-m", "hypergossip"]
ENVIRONMENT = {**os.environ, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu", "COLUMNS": "60"}
# Rounds enough to be interrupted wherever the machine stands, in two methods of which the first ends soon.
LONG = ("--rounds", "100000000", "--checkpoint-every", "0.1", "--observe-every", "500")
SECONDS = 90


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "small.toml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="module", autouse=True)
def kept_programs(tmp_path_factory):
    """What one process has compiled serves those after it."""
    folder = tmp_path_factory.mktemp("programs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENVIRONMENT, "JAX_COMPILATION_CACHE_DIR", str(folder))
        patch.setitem(ENVIRONMENT, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


def start(*arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def wait_for(path, process):
    limit = time.monotonic() + SECONDS
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_piped_list_is_plain_and_a_refusal_is_one_line(tmp_path):
    listing, refusal = start("list"), start("resume", tmp_path)
    out, _ = listing.communicate(timeout=SECONDS)
    assert listing.returncode == 0
    assert "\x1b" not in out
    lines = out.splitlines()
    assert all(len(line.split("\t")) == 3 for line in lines)
    assert max(map(len, lines)) > 60  # nothing is wrapped to the terminal's width
    _, told = refusal.communicate(timeout=SECONDS)
    assert refusal.returncode == 2
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_checkpoint_and_a_sentence(experiment, tmp_path, number, code):
    folder = tmp_path / "out"
    process = start("compare", "--config", experiment, "--out", folder, *LONG)
    wait_for(folder / "methods" / "D-SGD" / "checkpoint.npz", process)
    process.send_signal(number)
    _, told = process.communicate(timeout=SECONDS)
    assert process.returncode == code, told
    assert told.splitlines()[-1].startswith(f"hypergossip: {number.name}: D-SGD was interrupted at round ")
    assert f"hypergossip resume {folder}" in told
    assert "Traceback" not in told
    assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"
    assert pd.read_parquet(folder / "history.parquet")["round"].max() >= 0


def test_a_kill_costs_nothing_that_was_written_and_resume_is_bit_for_bit(experiment, tmp_path):
    folder = tmp_path / "out"
    process = start("compare", "--config", experiment, "--out", folder, *LONG)
    checkpoint = folder / "methods" / "D-SGD" / "checkpoint.npz"
    wait_for(checkpoint, process)
    process.kill()
    process.communicate(timeout=SECONDS)
    done = read(checkpoint.parent).round
    assert 0 < done < 100_000_000
    rounds = (done // 500 + 2) * 500
    # The run was begun for more rounds than anybody waits for; its configuration is the user's to change.
    text = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(text.replace("rounds = 100000000", f"rounds = {rounds}"))
    resumed = start("resume", folder)
    _, told = resumed.communicate(timeout=SECONDS)
    assert resumed.returncode == 0, told
    pieces = hg.load(checkpoint.parent)
    whole = hg.solve(
        hg.DSGD(0.1, hg.PowerDecay(0.2, 1.0, 1 / 3), hg.Exact()),
        hg.problems.quadratic(3, noise=0.1),
        hg.networks.ring(3),
        rounds=rounds,
        seeds=2,
        observe_every=500,
        check=False,
        measure=False,
    )
    np.testing.assert_array_equal(pieces.x, whole.x)
    assert set(pd.read_parquet(folder / "history.parquet")["method"]) == {"D-SGD", "tracking"}
