"""A ring of 100,000 agents, x of 100 and y of 4 entries: memory, and time per agent and round against 10,000."""

import resource

import hypergossip as hg
from benchmarks.engine_calls import rounds
from benchmarks.timing import alternate, ratio, report
from hypergossip.problems import quadratic

ROUNDS = 5
SIZES = (10_000, 100_000)


def main() -> None:
    """Prints the ratio and the process's largest memory."""
    algorithm = hg.Diamond(0.05, 0.2, 0.5, 0.5, hg.Neumann(10, 4.0))
    programs = {}
    for agents in SIZES:
        problem = quadratic(agents, 100, 4, noise=0.1)
        programs[str(agents)] = rounds(algorithm, problem, hg.networks.ring(agents), ROUNDS)
    seconds = alternate(programs, repeats=5)
    each = {name: s / ROUNDS / int(name) for name, s in seconds.items()}
    result = hg.solve(algorithm, problem, hg.networks.ring(SIZES[1]), rounds=ROUNDS, progress=False)
    report(
        "DIAMOND on a ring, p = 100, q = 4",
        [
            *((f"{int(name):,} agents", f"{s.min() * 1e6:.2f} us per agent and round") for name, s in each.items()),
            ("time per agent, 100,000 / 10,000", f"{ratio(each['100000'], each['10000']):.2f} (at most 1.5)"),
            (f"metric of 100,000 after {ROUNDS} rounds", f"{result.history['metric'].iloc[-1]:.4g}"),
            ("largest memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB (at most 8)"),
        ],
    )


if __name__ == "__main__":
    main()
