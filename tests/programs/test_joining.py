"""Processes that join: what the launcher says, and sentences about what is missing before JAX starts."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import jax
import pytest

from hypergossip.support import joining
from hypergossip.support.launchers import Launch, launch_of
from hypergossip.support.ports import free_ports
from hypergossip.support.rendezvous import meet

STEP = {
    "SLURM_JOB_ID": "70",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "16",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_TASKS_PER_NODE": "8(x2)",
    "SLURM_STEP_NODELIST": "node[07-08]",
    "SLURM_PROCID": "9",
    "SLURM_LOCALID": "1",
}
MPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "PMIX_NAMESPACE": "prterun-host-77@1",
}


def test_a_task_of_slurm_and_steps_of_a_job_with_ports_of_their_own():
    first, second = launch_of(STEP), launch_of(STEP | {"SLURM_STEP_ID": "1"})
    assert (first.host, first.process, first.processes, first.local) == ("node07", 9, 16, 1)
    assert first.several_hosts
    assert first.port != second.port
    assert first.job != second.job
    assert launch_of(STEP | {"JAX_COORDINATOR_PORT": "5555"}).port == 5555


def test_open_mpi_5_on_one_host_and_the_address_that_it_needs_on_several():
    launch = launch_of(STEP | MPI)
    assert (launch.host, launch.process, launch.processes, launch.local) == ("127.0.0.1", 1, 2, 1)
    with pytest.raises(ValueError, match="does not say on which host process 0 runs"):
        launch_of(MPI | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1"})
    four = MPI | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1", "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.1.0.1:3"}
    assert launch_of(four).host == "10.96.0.1"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "no launcher has started this process"),
        ({"SLURM_JOB_ID": "70", "SLURM_PROCID": "0"}, "write srun before the command"),
        (STEP | {"SLURM_GPUS_PER_TASK": "1"}, "write --gpus-per-node 8 instead of --gpus-per-task"),
        (STEP | {"JAX_COORDINATOR_ADDRESS": "node07"}, 'write "HOST:PORT"'),
    ],
)
def test_refused_in_a_sentence(variables, said):
    with pytest.raises(ValueError, match=said):
        launch_of(variables)


def in_threads(launches: list[Launch], refusals: list[str | None]) -> list[str]:
    found = [""] * len(launches)

    def one(i: int) -> None:
        try:
            meet(launches[i], refusals[i], 2.0)
        except RuntimeError as error:
            found[i] = str(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(launches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return found


def test_processes_meet_and_a_missing_one_or_a_refusal_reaches_all():
    def job(count: int) -> list[Launch]:
        address = f"127.0.0.1:{free_ports(1)[0]}"
        return [Launch("arguments", "job", address, count, i) for i in range(count)]

    assert in_threads(job(3), [None] * 3) == ["", "", ""]
    missing = in_threads(job(4)[:2], [None] * 2)
    assert missing[0] == missing[1]
    assert missing[0].startswith("processes 2, 3 of 4 did not reach process 0")
    refused = in_threads(job(2), [None, "no name"])
    assert refused == ["process 1 on arguments cannot start: no name"] * 2
    assert in_threads(job(2)[1:], [None])[0].startswith("process 0 of 2 did not answer")


def test_a_port_that_is_taken():
    with socket.create_server(("", 0)) as other:
        launch = Launch("arguments", "job", f"127.0.0.1:{other.getsockname()[1]}", 2, 0)
        with pytest.raises(RuntimeError, match="another program"):
            meet(launch, None, 1.0)


@pytest.mark.parametrize(("address", "said"), [("127.0.1.1", "resolves to 127.0.1.1"), (None, "does not resolve")])
def test_a_name_that_other_hosts_cannot_use(monkeypatch, address, said):
    own = {socket.gethostname(): [address] if address else []}
    monkeypatch.setattr(joining, "_addresses", lambda host: own.get(host, ["10.0.0.1"]))
    fault = joining._fault_of_own_name(launch_of(STEP))
    assert fault
    assert said in fault
    before = jax.config.jax_platforms
    try:
        jax.config.update("jax_platforms", "cuda,cpu")  # GPUs reach each other by addresses
        assert joining._fault_of_own_name(launch_of(STEP)) is None
    finally:
        jax.config.update("jax_platforms", before)
    assert joining._fault_of_own_name(launch_of(MPI)) is None  # one host


def test_sigterm_ends_a_process_that_has_joined():
    """Outside of `solve` and without a checkpoint; JAX's own service would ignore the signal."""
    program = f"""
import os, signal, time
import hypergossip as hg
hg.join_processes("127.0.0.1:{free_ports(1)[0]}", 1, 0)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(3)
"""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(Path(joining.__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == -signal.SIGTERM, ended.stderr
