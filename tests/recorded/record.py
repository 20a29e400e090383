"""Records what every method does, on every engine, so that later work can be held to it.

    PYTHONPATH=<a checkout>/src:tests python -m recorded.record tests/recorded/runs.npz [--only-draws]

runs `recorded.cases` on the library of that checkout and writes the file that `test_recorded_runs.py` compares with.
In the repository's file, the runs that draw nothing are of version 0.1.0.

It may be recorded anew for one reason only: a change to the random streams (which key draws what) that is meant. Then,
in one commit, the runs that draw nothing are first shown to be what they were, and those that draw are replaced:
``--only-draws`` does both, and refuses if a run that draws nothing has changed. Whatever else makes the test fail is a
change to a method, an engine or a count, and is to be found instead.

A case that claims to draw nothing is run with a second seed, and must be the same to the last bit. Engines that agree
with `Simulated` to `SAME` share its record.
"""

import argparse
import platform
from pathlib import Path

import jax

import hypergossip as hg
from fast_compile import compile_fast
from recorded.cases import CASES, ENGINES, REFERENCE, SEED, Case
from recorded.comparison import expected, far, lateness
from recorded.table import Runs, difference, read, write

SAME = 1e-13


def apart(one: dict, other: dict) -> float:
    """How far two runs are apart, infinitely where they do not hold the same."""
    return max(difference(one[name], other[name]) for name in one) if one.keys() == other.keys() else float("inf")


def record(name: str, case: Case) -> Runs:
    """Runs a case on the reference and its engines."""
    runs: Runs = {}
    for place in dict.fromkeys((REFERENCE, *case.engines)):
        numbers = case.run(ENGINES[place], SEED)
        if not case.draws and apart(case.run(ENGINES[place], SEED + 1), numbers) > 0:
            raise SystemExit(f"{name} on {place} is said to draw nothing, and depends on the seed.")
        far = apart(numbers, runs[name]) if runs else 0.0
        print(f"{name}, on {place}: {f'{far:.1e} from {REFERENCE}' if runs else 'recorded'}", flush=True)
        if not runs or far > SAME:
            runs[f"{name} on {place}" if runs else name] = numbers
    return runs


def main() -> None:
    """Records what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only-draws", action="store_true", help="keep, and hold to, the runs that draw nothing")
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", 8)
    compile_fast()
    before, about = read(asked.file) if asked.only_draws else ({}, {})
    runs: Runs = {}
    for name, case in CASES.items():
        if case.record is not None:
            continue
        new = record(name, case)
        old = {key: numbers for key, numbers in before.items() if key == name or key.startswith(f"{name} on ")}
        if asked.only_draws and not case.draws:
            if new.keys() != old.keys() or any(far(new[key], expected(old[key], lateness(name))) for key in old):
                raise SystemExit(f"{name} draws nothing, and has changed; nothing was written.")
            new = old
        runs |= new
    library = {"hypergossip": hg.__version__, "jax": jax.__version__, "python": platform.python_version()}
    write(asked.file, runs, {"deterministic": about.get("deterministic", library), "drawing": library})
    print(f"{len(runs)} records, {asked.file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
