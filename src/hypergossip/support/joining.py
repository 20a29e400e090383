"""Joins the processes of a job for `jax.distributed`, and refuses in a sentence what would fail or hang later."""

import ipaddress
import os
import socket
from pathlib import Path

import jax

from hypergossip.support.launchers import Launch, launch_of
from hypergossip.support.rendezvous import meet

GPU_FILES = "/dev/nvidiactl", "/dev/kfd"  # the drivers of NVIDIA and AMD


def join_processes(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    *,
    wait: float = 120.0,
    heartbeat_timeout: int = 30,
) -> None:
    """Joins this process to the others of its job, for `engine=Sharded()`; call it before JAX touches a device.

    Under SLURM's `srun` and Open MPI's `mpirun`, versions 4 and 5, no argument is needed. All processes must call it.
    It calls `jax.distributed.initialize`, but first waits for all processes, so that a missing one is named. SIGTERM
    keeps its meaning: outside of `solve`, and without a checkpoint, it ends the process. On other clusters, such as
    Cloud TPU, call `jax.distributed.initialize` yourself.

    Args:
        coordinator: HOST:PORT of process 0; None for `JAX_COORDINATOR_ADDRESS`, or what the launcher says. The port can
            be set by `JAX_COORDINATOR_PORT`, and otherwise differs between the steps of a SLURM job.
        processes: The number of processes, where no launcher says it.
        process: The number of this process, from 0, where no launcher says it.
        wait: The most seconds to wait for the other processes.
        heartbeat_timeout: After so many seconds without a heartbeat of a process, the others end.

    Raises:
        ValueError: If no launcher is found and arguments are missing, or under `srun --gpus-per-task` with several
            tasks on a node.
        RuntimeError: If a process is missing after `wait` seconds, the port is taken, or other hosts cannot resolve the
            name of a host.
    """
    launch = launch_of(os.environ, coordinator, processes, process)
    if launch.processes > 1:
        if coordinator_fault := _fault_of_coordinator(launch):
            raise RuntimeError(coordinator_fault)
        meet(launch, _fault_of_own_name(launch), wait)
    devices = None if launch.local is None or os.environ.get("JAX_LOCAL_DEVICE_IDS") else [launch.local]
    # JAX's preemption service takes SIGTERM for itself, and then the signal would end nothing outside of `solve`.
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        launch.coordinator,
        launch.processes,
        launch.process,
        local_device_ids=devices,
        cluster_detection_method="deactivate",
        initialization_timeout=max(int(wait), 1),
        heartbeat_timeout_seconds=heartbeat_timeout,
    )


def _fault_of_coordinator(launch: Launch) -> str | None:
    """Why the address of process 0 cannot serve the others, if so."""
    addresses = _addresses(launch.host)
    if not addresses:
        return f"the name {launch.host} of process 0's host does not resolve; pass its address as coordinator=."
    if launch.several_hosts and launch.process > 0 and _all_loopback(addresses):
        return (
            f"the name {launch.host} of process 0's host resolves to {addresses[0]} here, which is this host itself; "
            "pass the address of process 0's host in the network as coordinator=, or correct /etc/hosts."
        )
    return None


def _fault_of_own_name(launch: Launch) -> str | None:
    """Why the others could not reach this host by its own name, if so; processes with GPUs do not use the name."""
    several = launch.several_hosts
    if several is None:
        several = not _all_loopback(_addresses(launch.host))
    if not several or not _on_cpu():
        return None
    name = socket.gethostname()
    addresses = _addresses(name)
    if addresses and not _all_loopback(addresses[:1]):
        return None
    found = f"resolves to {addresses[0]}, which is each host itself" if addresses else "does not resolve"
    return (
        f"the host's own name {name} {found}, and CPU processes of several hosts give each other this name; map it to "
        "the host's address in the network, in /etc/hosts (Debian and Ubuntu write 127.0.1.1 there)."
    )


def _addresses(host: str) -> list[str]:
    """The addresses of a host, or none if its name does not resolve."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(entry[4][0]) for entry in found]


def _all_loopback(addresses: list[str]) -> bool:
    """Whether all addresses are of the host that uses them."""
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses)


def _on_cpu() -> bool:
    """Whether JAX will run on the CPU, as far as can be said before it starts."""
    platforms = jax.config.jax_platforms  # pyright: ignore[reportAttributeAccessIssue]
    return platforms == "cpu" if platforms else not any(Path(file).exists() for file in GPU_FILES)
