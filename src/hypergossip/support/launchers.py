"""Reads how a process of a job was started: by SLURM's `srun`, by Open MPI's `mpirun`, or with arguments."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_PORT, PORTS = 61_440, 4096  # above the ports that Linux gives to connections
NOT_LAUNCHED = (
    "no launcher has started this process: neither srun (SLURM) nor mpirun (Open MPI) has set its variables; start it "
    'with one of them, or pass coordinator="HOST:PORT", processes= and process=.'
)


@dataclass(frozen=True)
class Launch:
    """One process of a job.

    Args:
        launcher: "SLURM", "Open MPI" or "arguments".
        job: A name that all processes of the job share, and no other job.
        coordinator: HOST:PORT of process 0.
        processes: The number of processes.
        process: The number of this process, from 0.
        local: Its number among those on this host, or None if it is not known.
        several_hosts: Whether there is more than one host, or None if it is not known.
    """

    launcher: str
    job: str
    coordinator: str
    processes: int
    process: int
    local: int | None = None
    several_hosts: bool | None = None

    @property
    def host(self) -> str:
        """The host of process 0."""
        return self.coordinator.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of process 0."""
        return int(self.coordinator.rpartition(":")[2])


def launch_of(
    variables: Mapping[str, str],
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> Launch:
    """Reads how this process was started; arguments come before the launcher's variables.

    Args:
        variables: The environment.
        coordinator: HOST:PORT of process 0, or None for `JAX_COORDINATOR_ADDRESS` or what the launcher says.
        processes: The number of processes, or None for what the launcher says.
        process: The number of this process, or None for what the launcher says.

    Raises:
        ValueError: If something is missing or malformed; the message says what to pass.
    """
    coordinator = coordinator or variables.get("JAX_COORDINATOR_ADDRESS")
    if processes is None and process is None:
        if "OMPI_COMM_WORLD_RANK" in variables:  # before SLURM, whose variables mpirun passes on in a job
            found = _open_mpi(variables, coordinator)
        elif "SLURM_JOB_ID" in variables:
            found = _slurm(variables, coordinator)
        else:
            raise ValueError(NOT_LAUNCHED)
    elif coordinator is None or processes is None or process is None:
        raise ValueError("pass all of coordinator, processes and process, or only what the launcher does not say.")
    else:
        found = Launch("arguments", f"arguments {processes}", coordinator, processes, process)
    if not re.fullmatch(r".+:\d{1,5}", found.coordinator) or not 0 < found.port < 65_536:
        raise ValueError(f'coordinator is {found.coordinator!r}; write "HOST:PORT" with a port from 1 to 65535.')
    if not 0 <= found.process < found.processes:
        raise ValueError(
            f"process is {found.process}, and there are {found.processes} processes; number them from 0 to processes "
            "- 1."
        )
    return found


def _slurm(variables: Mapping[str, str], coordinator: str | None) -> Launch:
    """A task of a step of a SLURM job."""
    if "SLURM_STEP_ID" not in variables or "SLURM_PROCID" not in variables:
        raise ValueError(
            f"this process runs in SLURM job {variables['SLURM_JOB_ID']}, but srun has not started it; write srun "
            "before the command in the batch script."
        )
    job, step = variables["SLURM_JOB_ID"], variables["SLURM_STEP_ID"]
    tasks = int(variables.get("SLURM_STEP_NUM_TASKS") or variables["SLURM_NTASKS"])
    several = int(variables.get("SLURM_STEP_NUM_NODES", 1)) > 1
    _refuse_hidden_gpus(variables)
    # Steps of a job run at a time, so each has a port of its own; a prime between them separates jobs, too.
    port = variables.get("JAX_COORDINATOR_PORT") or FIRST_PORT + (int(job) + 1009 * int(step)) % PORTS
    first = _first_host(variables.get("SLURM_STEP_NODELIST") or variables["SLURM_JOB_NODELIST"])
    address = coordinator or f"{first}:{port}"
    local = int(variables["SLURM_LOCALID"])
    return Launch("SLURM", f"SLURM {job}.{step}", address, tasks, int(variables["SLURM_PROCID"]), local, several)


def _refuse_hidden_gpus(variables: Mapping[str, str]) -> None:
    """Raises ValueError if several tasks of a node see only their own GPUs, which JAX numbers by the node's tasks."""
    by_task = variables.get("SLURM_GPUS_PER_TASK") or "gpu" in variables.get("SLURM_TRES_PER_TASK", "")
    most = max(map(int, re.findall(r"(\d+)(?:\(x\d+\))?", variables.get("SLURM_STEP_TASKS_PER_NODE", "1"))))
    if by_task and most > 1:
        raise ValueError(
            f"with --gpus-per-task each of the {most} tasks of a node sees only its own GPU, but JAX gives task i of a "
            f"node GPU i of those it sees; write --gpus-per-node {most} instead of --gpus-per-task."
        )


def _first_host(hosts: str) -> str:
    """The first of SLURM's list of hosts: node[07-09,12],other gives node07."""
    found = re.match(r"([^\[,]*)(?:\[(\d+)[^\]]*\]([^,\[]*))?", hosts)
    assert found is not None  # the pattern matches any text
    return "".join(part or "" for part in found.groups())


def _open_mpi(variables: Mapping[str, str], coordinator: str | None) -> Launch:
    """A process of mpirun: version 4 gives the host on which mpirun runs, version 5 does not."""
    process, processes, local, here = (
        int(variables[f"OMPI_COMM_WORLD_{name}"]) for name in ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")
    )
    several = here < processes
    uri = variables.get("OMPI_MCA_orte_hnp_uri", "")
    job = variables.get("PMIX_NAMESPACE") or uri.partition(".")[0]
    host = re.search(r"tcp://([^,:]+)|tcp6://\[([^,\]]+)", uri)
    if coordinator is None and several and host is None:
        raise ValueError(
            "Open MPI 5 does not say on which host process 0 runs; pass coordinator=, or mpirun -x "
            "JAX_COORDINATOR_ADDRESS=HOST:PORT with the first host of the job."
        )
    port = variables.get("JAX_COORDINATOR_PORT") or FIRST_PORT + zlib.crc32(job.encode()) % PORTS
    address = "127.0.0.1" if not several or host is None else next(filter(None, host.groups()))
    address = f"[{address}]" if ":" in address else address
    return Launch("Open MPI", f"Open MPI {job}", coordinator or f"{address}:{port}", processes, process, local, several)
