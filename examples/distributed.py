"""Runs DIAMOND over all devices of one process, or of several processes on one or many machines.

    python examples/distributed.py --cpu-devices 8                        one process, eight CPU devices
    mpirun -n 2 python examples/distributed.py --launched                 two processes, found by Open MPI
    srun --ntasks 2 python examples/distributed.py --launched             likewise by SLURM
    python examples/distributed.py --coordinator HOST:PORT --processes 2 --process 0    by hand: once a process

docs/distributed.md says more.
"""

import argparse

import jax


def main() -> None:
    """Reads the command line, joins the other processes, and runs."""
    parser = argparse.ArgumentParser(description="DIAMOND over several devices and processes.")
    parser.add_argument("--launched", action="store_true", help="by SLURM's srun or Open MPI's mpirun")
    parser.add_argument("--coordinator", help="host:port of process 0, where nothing launches the processes")
    parser.add_argument("--processes", type=int, help="how many, with --coordinator")
    parser.add_argument("--process", type=int, help="which one this is, from 0, with --coordinator")
    parser.add_argument("--cpu-devices", type=int, help="make so many devices of this process' CPU")
    parser.add_argument("--agents", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--checkpoint", help="a folder that all processes see")
    options = parser.parse_args()

    # Before anything touches a device: how many there are, and who else is there.
    if options.cpu_devices:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_num_cpu_devices", options.cpu_devices)
    if options.coordinator:
        jax.distributed.initialize(options.coordinator, options.processes, options.process)
    elif options.launched:
        jax.distributed.initialize()

    # Every process builds the same problem and network, and calls solve in the same way.
    import hypergossip as hg

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
