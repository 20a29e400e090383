"""A million agents on a ring: `python -m benchmarks.million_agents [P [AGENTS]]`, with x of P = 10 and y of 4 entries.

Seconds until the end of the first round, with all compilation and a row before it; seconds of a round and of a row;
wall-clock time over processor time, which is 0.5 if two cores are busy; the largest memory.
"""

import resource
import sys
import time

import numpy as np

import hypergossip as hg
from benchmarks.timing import report
from hypergossip.core.random_keys import run_key
from hypergossip.engines import Job
from hypergossip.metrics.effort import choose_effort
from hypergossip.metrics.selection import metrics_program, read_measure

ROUNDS = 5


def main() -> None:
    """Prints the seconds and the memory."""
    given = [int(text) for text in sys.argv[1:3]]
    dimension, agents = (*given, *(10, 1_000_000)[len(given) :])
    begin = time.perf_counter()
    problem = hg.problems.quadratic(agents, dimension, 4, noise=0.1)
    network = hg.networks.ring(agents)
    made = time.perf_counter() - begin
    begin = time.perf_counter()
    algorithm = hg.Diamond(0.05, 0.2, 0.5, 0.5, hg.Neumann(10, 4.0))
    session = hg.Simulated().open(Job(algorithm, problem, network, run_key(0)[None]))
    everywhere = lambda v: np.broadcast_to(v, (1, agents, v.size))
    state = session.start(everywhere(problem.x0), everywhere(problem.y0))
    measured = read_measure(True, problem)
    program = metrics_program(measured, problem, choose_effort(problem, measured.metrics, 1, False, False))
    session.observe(state, program)
    state, _ = session.advance(state, 0, 1)
    first = time.perf_counter() - begin
    begin, spent = time.perf_counter(), time.process_time()
    state, _ = session.advance(state, 1, 1 + ROUNDS)
    each, busy = (time.perf_counter() - begin) / ROUNDS, (time.process_time() - spent) / ROUNDS
    begin = time.perf_counter()
    session.observe(state, program)
    row = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    report(
        f"DIAMOND on a ring of {agents:,}, p = {dimension}, q = 4",
        [
            ("the problem is made", f"{made:.1f} s"),
            ("first round after the call", f"{first:.1f} s"),
            ("a round", f"{each:.2f} s, {each / agents * 1e6:.2f} us per agent, wall / processor {each / busy:.2f}"),
            ("a row", f"{row:.2f} s, {row / each:.2f} of a round"),
            ("largest memory", f"{memory:.2f} GB"),
        ],
    )


if __name__ == "__main__":
    main()
