"""Seconds that a row of the history takes, in turn with another checkout: `python -m benchmarks.rows FOLDER`.

A whole `solve` with many rows, less its rounds and less a `solve` with the same rounds and two rows. DIAMOND and D-SGD
on a9a with five agents and five seeds; a folder of data may stand in $HYPERGOSSIP_DATA.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks.rounds import Runner
from benchmarks.timing import median_ratio, report

PAIRS = 5
ROWS = 40
PROGRAM = """
import sys, time, warnings
import hypergossip as hg
from hypergossip.problems import hyperparameter
warnings.simplefilter("ignore")
network = hg.networks.erdos_renyi(5, 0.5, seed=0, weights="laplacian")
problem = hyperparameter("a9a", 5, batch_size=32)
name, rows = sys.argv[1], int(sys.argv[3])
estimator = hg.Neumann(10, 4.0)
method = hg.Diamond(0.5, 0.75, 0.1, 0.1, estimator) if name == "DIAMOND" else hg.DSGD(0.5, 0.75, estimator)

def seconds(every):
    begin = time.perf_counter()
    run = hg.solve(method, problem, network, rounds=5 * rows, seeds=5, observe_every=every, check=False, progress=False)
    return time.perf_counter() - begin - run.history["seconds"].max()

for _ in sys.stdin:
    print((seconds(5) - seconds(5 * rows)) / (rows - 1), flush=True)
"""


def main() -> None:
    """Prints a row for each method."""
    other, here = Path(sys.argv[1]).resolve(), Path(__file__).parents[1]
    rows = []
    for name in ("DIAMOND", "D-SGD"):
        runners = [Runner(checkout, name, PROGRAM, ROWS) for checkout in (other, here)]
        seconds = np.array([[runner.run() for runner in runners] for _ in range(PAIRS + 1)])[1:]
        for runner in runners:
            runner.close()
        there, ours = np.median(seconds, axis=0)
        ratio, low, high = median_ratio(seconds[:, 0], seconds[:, 1])
        rows.append((name, f"{there:.3f} s -> {ours:.3f} s, ratio {ratio:.2f} [{low:.2f}, {high:.2f}]"))
    report(f"a row of the history, the other checkout's -> ours, {PAIRS} pairs, bootstrap 95 %", rows)


if __name__ == "__main__":
    main()
