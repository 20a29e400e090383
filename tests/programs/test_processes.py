"""Two processes with two devices each, over JAX's distributed runtime on this machine's loopback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engines import processes_run as run
from hypergossip.core.agent_data.packed import PackedOracles
from hypergossip.running import snapshot as checkpoint
from hypergossip.support.ports import free_ports

TESTS = Path(__file__).parents[1]
SOURCE = Path(checkpoint.__file__).parents[2]  # the processes import the library that is tested here
PATIENCE = 240  # seconds until processes that wait for each other are ended


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What two processes leave behind; SIGTERM ends their last two runs."""
    folder = tmp_path_factory.mktemp("processes")
    (port,) = free_ports(1)
    command = [sys.executable, "-W", "error", "-m", "engines.two_processes", str(port)]
    environment = os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{SOURCE}", "JAX_PLATFORMS": "cpu"}
    logs = [folder / f"log.{i}" for i in range(2)]
    processes = []
    try:
        for i, log in enumerate(logs):
            with log.open("w") as file:
                arguments = [*command, str(i), str(folder)]
                processes.append(
                    subprocess.Popen(arguments, cwd=TESTS, env=environment, stdout=file, stderr=subprocess.STDOUT)
                )
        until = time.monotonic() + PATIENCE
        for name, signalled in run.SIGNALLED.items():
            while not all((folder / f"running.{name}.{i}").exists() for i in range(2)) and time.monotonic() < until:
                if any(process.poll() is not None for process in processes):
                    break
                time.sleep(0.05)
            for i in signalled:
                processes[i].send_signal(signal.SIGTERM)
        ended = [process.wait(timeout=60) for process in processes]
        assert ended == [0, 0], "\n".join(log.read_text()[-3000:] for log in logs)
        yield folder
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.parametrize("agents", run.AGENTS)
def test_both_processes_have_the_whole_result(folder: Path, agents: int) -> None:
    alone = run.solve(agents)
    for number in range(2):
        there = np.load(folder / f"result.{agents}.{number}.npz")
        assert np.allclose(there["x"], alone.x, rtol=0, atol=1e-12)
        assert np.allclose(there["y"], alone.y, rtol=0, atol=1e-12)
        assert np.allclose(there["history"], alone.history.drop(columns="seconds"), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("agents", run.AGENTS)
def test_their_checkpoint_goes_on_in_one_process(folder: Path, agents: int, tmp_path: Path) -> None:
    shutil.copytree(folder / f"{agents}", tmp_path, dirs_exist_ok=True)
    on = run.solve(agents, rounds=20, checkpoint=tmp_path)
    whole = run.solve(agents, rounds=20)
    assert on.rounds == 20
    assert len(on.history) == len(whole.history)
    for one, other in zip(on.saved.leaves, whole.saved.leaves, strict=True):
        assert np.allclose(one, other, rtol=0, atol=1e-12)
    assert np.array_equal(on.saved.cost, whole.saved.cost)


@pytest.mark.parametrize("kind", run.SIZES)
def test_each_process_loads_its_own_agents_and_both_have_the_run_of_one(folder: Path, kind: str) -> None:
    problem = run.loaded(kind)
    assert isinstance(problem.oracles, PackedOracles) == (kind == "end to end")
    alone = run.solve_loaded(problem)
    columns = alone.history.drop(columns="seconds").to_numpy()
    for number in range(2):
        with np.load(folder / f"loaded.{kind}.{number}.npz") as theirs:
            assert theirs["asked"].tolist() == list(range(4 * number, 4 * number + 4))
            assert np.allclose(theirs["x"], alone.x, rtol=0, atol=1e-12)
            assert np.allclose(theirs["y"], alone.y, rtol=0, atol=1e-12)
            assert np.allclose(theirs["history"], columns, rtol=1e-9, atol=1e-12, equal_nan=True)
    # The digest of the agents' data does not depend on where they were loaded.
    saved = checkpoint.read(folder / kind).configuration
    assert saved["data"] == alone.saved.configuration["data"]


@pytest.mark.parametrize("kind", run.SIZES)
def test_what_lives_in_another_process_is_refused(folder: Path, kind: str) -> None:
    assert not (folder / f"agent 0, {kind}.0").exists()
    assert (folder / f"agent 0, {kind}.1").read_text() == "agent 0 lives in process 0; make this call there."
    for what, remedy in {"simulated": "Sharded()", "relabelled": "in load", "checked": "fewer agents"}.items():
        for number in range(2):
            told = (folder / f"{what}, {kind}.{number}").read_text()
            assert "were loaded by 2 processes" in told
            assert remedy in told


def test_a_process_whose_data_are_missing_or_unlike_ends_both(folder: Path) -> None:
    assert "process 1 has failed" in (folder / "missing.0").read_text()
    assert "list index out of range" in (folder / "missing.1").read_text()
    for number in range(2):
        assert "different leaves, shapes or types" in (folder / f"unlike data.{number}").read_text()


def test_a_time_stops_both_at_one_round(folder: Path) -> None:
    first, second = (int((folder / f"timed.{i}").read_text()) for i in range(2))
    assert first == second > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("diverged", "of agent 0 is no longer finite"),
        ("unlike", "processes 0 and 1 have made different runs: they differ in seed"),
        ("elsewhere", "processes 0 and 1 see different checkpoints"),
    ],
)
def test_both_refuse_alike(folder: Path, name: str, said: str) -> None:
    first, second = ((folder / f"{name}.{i}").read_text() for i in range(2))
    assert said in first
    assert said in second


def test_rows_are_told_in_the_leading_process_and_its_failure_ends_both(folder: Path) -> None:
    assert [(folder / f"told.{i}").read_text() for i in range(2)] == ["[0, 6]", "[]"]
    assert (folder / "failed.0").read_text() == "the logger is gone"
    assert (folder / "failed.1").read_text().startswith("on_row or stop failed in process 0 at round 6;")


@pytest.mark.parametrize("name", run.SIGNALLED)
def test_a_signal_ends_both_with_a_checkpoint(folder: Path, name: str, tmp_path: Path) -> None:
    first, second = ((folder / f"interrupted.{name}.{i}").read_text() for i in range(2))
    assert first == second
    assert first.startswith("SIGTERM at round ")
    done = checkpoint.read(folder / name).round
    assert f"round {done};" in first
    shutil.copytree(folder / name, tmp_path, dirs_exist_ok=True)
    on = run.solve(run.AGENTS[0], rounds=done + 10, observe_every=50, checkpoint=tmp_path)
    whole = run.solve(run.AGENTS[0], rounds=done + 10, observe_every=50)
    assert np.allclose(on.x, whole.x, rtol=0, atol=1e-12)
