"""A SLURM of one machine that runs, terminates and resubmits `examples/distributed.py`: `python -m studies.slurm`.

It needs Debian's packages slurmctld, slurmd and slurm-client, and the right to start them. It checks that two steps of
a job at a time do not end each other, that SIGTERM ends a run with a checkpoint and status 143, that the same command
resumes it, and that a task without its partner is refused.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from getpass import getuser
from pathlib import Path

from hypergossip.support.ports import free_ports

ROOT = Path(__file__).parents[1]
PATIENCE = 120  # seconds for each command
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={processors}
PartitionName=main Nodes=ALL Default=YES State=UP
"""


def start(folder: Path) -> None:
    """Starts the controller and the daemon of one node, and waits until the node is idle."""
    (folder / "spool").mkdir()
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin"
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    host = socket.gethostname().partition(".")[0]
    controller, daemon = free_ports(2)
    places = {
        "controller": controller,
        "daemon": daemon,
        "user": getuser(),
        "host": host,
        "folder": folder,
        "processors": os.cpu_count(),
    }
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**places))
    for program in ("slurmctld", "slurmd"):
        subprocess.run([program], check=True, timeout=30)
    until = time.monotonic() + 60
    while subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True).stdout.strip() != "idle":
        if time.monotonic() > until:
            raise SystemExit(f"the node is not idle after 60 seconds:\n{(folder / 'slurmd.log').read_text()[-2000:]}")
        time.sleep(0.5)


def submit(folder: Path, name: str, script: str) -> str:
    """Submits a batch script and returns the number of its job."""
    file = folder / f"{name}.sh"
    file.write_text(f"#!/bin/bash\n{script}\n")
    command = ["sbatch", "--parsable", "--ntasks=4", "--overcommit", f"--output={folder / name}.log", str(file)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def ended(job: str) -> str:
    """Waits for a job and returns its exit code, as status:signal."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, timeout=30).stdout
        if re.search(r"JobState=(COMPLETED|FAILED|CANCELLED|TIMEOUT)", shown):
            return re.findall(r"ExitCode=(\S+)", shown)[0]
        time.sleep(0.5)
    raise SystemExit(f"job {job} did not end within {PATIENCE} seconds.")


def check(what: str, holds: bool, log: str) -> None:
    """Prints what holds, and ends the command otherwise."""
    if not holds:
        raise SystemExit(f"FAILED: {what}\n{log[-3000:]}")
    print(f"holds: {what}", flush=True)


def main() -> None:
    """Runs the checks and stops SLURM."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        program = f"{sys.executable} {ROOT / 'examples' / 'distributed.py'} --launched --cpu-devices 1 --agents 8"
        step = f"srun --ntasks=2 --overlap --kill-on-bad-exit=1 {program}"
        try:
            start(folder)
            job = submit(folder, "steps", f"{step} --rounds 50 & a=$!\n{step} --rounds 50 & b=$!\nwait $a && wait $b")
            status = ended(job)
            log = (folder / "steps.log").read_text()
            both = status == "0:0" and log.count("2 processes") == 2
            check("two steps of one job, at a time, both end well", both, f"{status}\n{log}")

            run = f"{step} --rounds 100000000 --checkpoint {folder / 'run'}"
            rounds = []
            for name in ("first", "again"):
                job = submit(folder, name, f"exec {run}")
                before = time.monotonic()
                time.sleep(20)  # until the run is in its rounds
                subprocess.run(["scancel", "--signal=TERM", job], check=True, timeout=30)
                status, log = ended(job), (folder / f"{name}.log").read_text()
                said = re.findall(r"SIGTERM at round (\d+)", log)
                orderly = len(said) == 1 and "Traceback" not in log
                seconds = time.monotonic() - before
                check(
                    f"{name}: SIGTERM is reported once, at round {said}, {seconds:.0f} s", orderly, f"{status}\n{log}"
                )
                check(f"{name}: the job ends with status 143", status in ("143:0", "0:15"), f"{status}\n{log}")
                rounds.append(int(said[0]))
            check("the job that is submitted again resumes", rounds[1] > rounds[0], str(rounds))

            alone = "SLURM_STEP_NUM_TASKS=2 " + program + " --wait 3"
            job = submit(folder, "alone", f"srun --ntasks=1 env {alone}")
            status, log = ended(job), (folder / "alone.log").read_text()
            check("a missing task is named", "process 1 of 2 did not reach" in log and status == "1:0", log)
        finally:
            for daemon in ("slurmd", "slurmctld"):
                if (file := folder / f"{daemon}.pid").exists():
                    os.kill(int(file.read_text()), 15)
            time.sleep(2)


if __name__ == "__main__":
    main()
