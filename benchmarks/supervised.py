"""diamond-fig1 on MNIST, one seed, its four methods and 2,000 rounds: the wall time of all that a user waits for.

Compilation, measuring (a row every 50 rounds, in float64) and the test set are in it; tuning, which is 16 such runs and
more a method, is not.
"""

import argparse
import time
from pathlib import Path

import jax

import hypergossip as hg
from benchmarks.timing import report
from hypergossip.lab.build import build
from hypergossip.lab.configuration import Source, validate
from hypergossip.lab.experiments.meta_learning import DIAMOND_FIG1


def main() -> None:
    """Prints seconds a method and in all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.supervised", description=__doc__)
    parser.add_argument("--data-dir", metavar="DIR", help="where MNIST is")
    parser.add_argument("--rounds", type=int, default=2000, help="of every method (2000)")
    parser.add_argument("--seeds", type=int, default=1, help="in one call (1)")
    options = parser.parse_args()
    folder = str(Path(options.data_dir).resolve()) if options.data_dir else None
    asked = {"problem.data_dir": folder, "run.rounds": options.rounds, "run.seeds": options.seeds}
    nowhere = Source("", "")
    configuration = validate(
        DIAMOND_FIG1.configuration(DIAMOND_FIG1.cases[0], DIAMOND_FIG1.methods, False, asked), nowhere
    )
    rows, begun = [], time.perf_counter()
    experiment = build(configuration, nowhere)
    rows.append(("reading and dividing the images", f"{time.perf_counter() - begun:7.1f}"))
    for label, algorithm in experiment.algorithms.items():
        started = time.perf_counter()
        result = hg.solve(
            algorithm,
            experiment.problem,
            experiment.network,
            rounds=options.rounds,
            seeds=options.seeds,
            observe_every=configuration.run.rows_every,
        )
        rounds = result.history.groupby("seed")["seconds"].last().max()
        rows.append((label, f"{time.perf_counter() - started:7.1f}  (of which the rounds {rounds:.1f})"))
    rows.append(("in all", f"{time.perf_counter() - begun:7.1f}"))
    what = f"diamond-fig1 on MNIST, {options.rounds:,} rounds, seeds in one call: {options.seeds}"
    report(f"{what}, {jax.devices()[0].device_kind}: seconds", rows)


if __name__ == "__main__":
    main()
