"""Ten seeds in one call: all through every round together, or divided among the cores; small and large problems.

Processor time is what counts: seeds that fill the cores one by one gain nothing by being mapped, and lose the cache.
`--data-dir` adds DIAMOND's networks for MNIST and CIFAR-10; digits, which come with scikit-learn, are the middle.
A GPU takes all seeds together, so there is nothing to divide.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import hypergossip as hg
from benchmarks.problems import diamond, logistic
from benchmarks.timing import report
from hypergossip.engines import Job, lifting

AGENTS, SEEDS, REPEATS = 9, 10, 3
ROUNDS = {"mnist": 20, "cifar10": 8}  # enough to time


def program(problem: hg.Problem, seeds: int, rounds: int) -> Any:
    """Returns a call that runs so many rounds of so many seeds."""
    network = hg.networks.erdos_renyi(AGENTS, 0.3, seed=0, weights="laplacian")
    session = hg.Simulated().open(Job(diamond(), problem, network, jax.random.split(jax.random.key(0), seeds)))
    everywhere = lambda v: np.broadcast_to(v, (seeds, AGENTS, v.size))
    state = session.start(everywhere(problem.x0), everywhere(problem.y0))
    return lambda: session.advance(state, 0, rounds)


def milliseconds(call: Any, rounds: int) -> tuple[float, float]:
    """Returns processor and wall time a round, the least of the turns."""
    jax.block_until_ready(call())
    turns = []
    for _ in range(REPEATS):
        spent, begun = time.process_time(), time.perf_counter()
        jax.block_until_ready(call())
        turns.append((time.process_time() - spent, time.perf_counter() - begun))
    return tuple(1e3 * min(turn) / rounds for turn in zip(*turns))


def main() -> None:
    """Prints milliseconds a round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seeds", description=__doc__)
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where MNIST and CIFAR-10 are")
    parser.add_argument("--data", nargs="*", default=list(ROUNDS), choices=ROUNDS, help="which of them (both)")
    options = parser.parse_args()
    problems = {"logistic, 22 features": (logistic(AGENTS), 500)}
    problems["digits"] = (hg.problems.meta_learning("digits", AGENTS), 100)
    for name in options.data if options.data_dir else ():
        problem = hg.problems.meta_learning(name, AGENTS, samples=(1000, 1000), data_dir=options.data_dir)
        problems[name] = (problem, ROUNDS[name])
    chosen = lifting.TOGETHER_ENTRIES
    for name, (problem, rounds) in problems.items():
        rows = [("one seed", milliseconds(program(problem, 1, rounds), rounds))]
        ways = {"together": 10**12, "divided": 0}
        for how in ways if jax.default_backend() == "cpu" else ("together",):
            lifting.TOGETHER_ENTRIES = ways[how]
            jax.clear_caches()
            rows.append((f"ten seeds, {how}", milliseconds(program(problem, SEEDS, rounds), rounds)))
        lifting.TOGETHER_ENTRIES = chosen
        alone = rows[0][1]
        text = [(row, f"{c:8.2f} cpu, {w:8.2f} wall  ({c / alone[0]:.1f}, {w / alone[1]:.1f})") for row, (c, w) in rows]
        report(f"{name}: milliseconds a round (times one seed's)", text)


if __name__ == "__main__":
    main()
