"""Runs DIAMOND over all devices of one process, or of several processes on one or many machines.

    python examples/distributed.py --cpu-devices 8                        one process, eight CPU devices
    mpirun -n 2 python examples/distributed.py --launched                 two processes, found by Open MPI
    srun --ntasks 2 python examples/distributed.py --launched             likewise by SLURM
    python examples/distributed.py --coordinator HOST:PORT --processes 2 --process 0    by hand: once a process

After SIGTERM or Ctrl-C with --checkpoint, it ends with status 143 or 130 once the checkpoint is written.
docs/distributed.md says more.
"""

import argparse
import os
import sys
import traceback

import jax

import hypergossip as hg


def main() -> None:
    """Reads the command line, joins the other processes, and runs."""
    parser = argparse.ArgumentParser(description="DIAMOND over several devices and processes.")
    parser.add_argument("--launched", action="store_true", help="by SLURM's srun or Open MPI's mpirun")
    parser.add_argument("--coordinator", help="host:port of process 0, where nothing launches the processes")
    parser.add_argument("--processes", type=int, help="how many, with --coordinator")
    parser.add_argument("--process", type=int, help="which one this is, from 0, with --coordinator")
    parser.add_argument("--cpu-devices", type=int, help="make so many devices of this process' CPU")
    parser.add_argument("--wait", type=float, default=120.0, help="most seconds to wait for the other processes")
    parser.add_argument("--agents", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--checkpoint", help="a folder that all processes see")
    options = parser.parse_args()

    # Before anything touches a device: how many there are, and who else is there.
    if options.cpu_devices:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_num_cpu_devices", options.cpu_devices)
    if options.coordinator or options.launched:
        try:
            hg.join_processes(options.coordinator, options.processes, options.process, wait=options.wait)
        except (ValueError, RuntimeError) as error:
            sys.exit(f"distributed.py: {error}")
    try:
        run(options)
    except hg.Interrupted as stop:  # all processes stop at the same round
        if jax.process_index() == 0:
            print(f"distributed.py: {stop}", file=sys.stderr, flush=True)
        sys.exit(128 + stop.signal)
    except Exception:
        # An ordinary end would wait for processes that wait for this one; the launcher ends them.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def run(options: argparse.Namespace) -> None:
    """Runs in every process: each builds the same problem and network, and calls solve in the same way."""
    problem = hg.problems.quadratic(options.agents, 50, 20, noise=0.1)
    network = hg.networks.ring(options.agents)
    algorithm = hg.Diamond(
        upper_step=0.05,
        lower_step=0.2,
        upper_momentum=0.3,
        lower_momentum=0.3,
        hypergradient=hg.Neumann(terms=10, lipschitz=4.0),
    )
    result = hg.solve(
        algorithm, problem, network, rounds=options.rounds, engine=hg.Sharded(), checkpoint=options.checkpoint
    )
    if jax.process_index() == 0:
        print(f"{jax.process_count()} processes, {jax.device_count()} devices, {options.agents} agents")
        columns = ["round", "seconds", "stationarity", "consensus_error", "lower_error", "metric", "bytes_sent"]
        print(result.history[columns].iloc[:: max(1, len(result.history) // 5)].to_string(index=False))


if __name__ == "__main__":
    main()
