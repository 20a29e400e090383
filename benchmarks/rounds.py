"""Rounds a second of whole runs, against another checkout's, in turn: `python -m benchmarks.rounds FOLDER`.

DIAMOND on a9a with 5 and with 100 agents, SLAM on a ring of 10,000 agents, one DIAMOND step of 1 and of 32 agents, and
SLAM-AC on navigation and pursuit.
Each checkout has a process of its own that compiles once and then runs when it is told to, one at a time. The interval
is of the median of the ratios of neighbouring runs, by bootstrap; a folder of data may stand in $HYPERGOSSIP_DATA.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

import numpy as np

from benchmarks.timing import median_ratio, report

PAIRS = 15
REACHED = 0.98  # what the interval of the ratio must reach
# Rounds in one timed run: about half a second.
CASES = {
    "DIAMOND on a9a, 5 agents": 3_000,
    "DIAMOND on a9a, 100 agents": 200,
    "SLAM on a ring of 10,000": 60,
    "one step, 1 agent": 15_000,
    "one step, 32 agents": 800,
    "SLAM-AC on navigation, 5 agents": 200,
    "SLAM-AC on pursuit, 8 agents": 50,
}
PROGRAM = """
import sys, warnings
import numpy as np
import hypergossip as hg
from hypergossip.problems import hyperparameter, quadratic
warnings.simplefilter("ignore")
sys.path.append(sys.argv[2])
from benchmarks.problems import diamond, logistic

def case(name):
    if "a9a" in name:
        agents = 5 if " 5 " in name else 100
        network = hg.networks.erdos_renyi(agents, 0.5, seed=0, weights="laplacian")
        method = hg.Diamond(0.1, 0.15, 0.1, 0.1, hg.Neumann(10, 4.0))
        return method, hyperparameter("a9a", agents, batch_size=32), network
    if "SLAM-AC" in name:
        from hypergossip.problems.actor_critic import cooperative_navigation, pursuit_evasion
        method = hg.Slam(0.1, 0.05, 1.0, 0.5, hg.Direct())
        if "pursuit" in name:
            game = pursuit_evasion(8, horizon=50, reward_model=False, test_episodes=1)
        else:
            game = cooperative_navigation(5, episodes=10, test_episodes=1)
        return method, game, hg.networks.ring(8 if "pursuit" in name else 5)
    if "ring" in name:
        method = hg.Slam(0.05, 0.1, 1.0, 0.5, hg.ConjugateGradient(4, 1e-6))
        return method, quadratic(10_000, 100, 4, noise=0.1, share="both"), hg.networks.ring(10_000)
    agents = 32 if "32" in name else 1
    return diamond(), logistic(agents), hg.networks.ring(agents)

rounds = int(sys.argv[3])
method, problem, network = case(sys.argv[1])
kept = hg.solve(method, problem, network, rounds=2, observe_every=2, check=False, progress=False)
for _ in sys.stdin:
    settings = {"rounds": rounds, "observe_every": rounds, "check": False, "progress": False}
    print(hg.solve(method, problem, network, **settings).history["seconds"].iloc[-1], flush=True)
"""


class Runner:
    """A process with one checkout's library, which runs one case when it is told to."""

    def __init__(self, checkout: Path, name: str, program: str, count: int) -> None:
        """Starts it.

        Args:
            checkout: The folder whose library it takes.
            name: The case, the first argument of the program.
            program: The program, which prints seconds for every line that it reads.
            count: The number of rounds or rows, its third argument.
        """
        here = Path(__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
        arguments = [sys.executable, "-c", program, name, str(here), str(count)]
        self.process = subprocess.Popen(
            arguments, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self) -> float:
        """Returns the seconds that the program prints."""
        told = cast(IO[str], self.process.stdin)
        told.write("once\n")
        told.flush()
        return float(cast(IO[str], self.process.stdout).readline())

    def close(self) -> None:
        """Ends it."""
        self.process.communicate()


def compare(other: Path, name: str) -> tuple[str, str]:
    """Returns a case's row: both medians, and the other's seconds over ours with their interval."""
    runners = [Runner(checkout, name, PROGRAM, CASES[name]) for checkout in (other, Path(__file__).parents[1])]
    for runner in runners:
        runner.run()
    # The first of a pair changes from pair to pair.
    seconds = np.zeros((PAIRS, 2))
    for pair in range(PAIRS):
        for which in (0, 1) if pair % 2 else (1, 0):
            seconds[pair, which] = runners[which].run()
    for runner in runners:
        runner.close()
    ratio, low, high = median_ratio(seconds[:, 0], seconds[:, 1])
    there, here = CASES[name] / np.median(seconds, axis=0)
    verdict = "" if high >= REACHED else f", below {REACHED}"
    return name, f"{there:.4g} -> {here:.4g} rounds/s, ratio {ratio:.3f} [{low:.3f}, {high:.3f}]{verdict}"


def main() -> None:
    """Prints a row a case; those whose names hold the second argument, all if absent."""
    other, wanted = Path(sys.argv[1]).resolve(), "".join(sys.argv[2:3])
    report(
        f"rounds a second, the other checkout's -> ours, and ours / the other's over {PAIRS} pairs, bootstrap 95 %",
        [compare(other, name) for name in CASES if wanted in name],
    )


if __name__ == "__main__":
    main()
