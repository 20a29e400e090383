"""What channels do to five methods: `python -m studies.channels [NAME ...] [--out FOLDER] [--quick]`.

Nine agents, heterogeneous quadratics without gradient noise unless said, float64. Written are one figure for each
channel, one of distances against bytes, and all numbers (numbers.json), to docs/images/channels.
"""

import argparse
import json
import platform
import re
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jax
from benchmarks.timing import report

from studies.channels.measuring import NAMES, part
from studies.channels.tables import NUMBERS


def text(numbers: Any) -> str:
    """Returns numbers as JSON, each list on one line."""
    lists = re.compile(r"\[[^\[\]{}]*\]")
    return lists.sub(lambda one: " ".join(one[0].split()), json.dumps(numbers, indent=1))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.channels", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all of them if absent")
    parser.add_argument("--out", type=Path, default=NUMBERS.parent, metavar="FOLDER", help="where to write")
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it runs")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(NAMES)):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(NAMES)}.")
    print(f"Python {platform.python_version()}, jax {jax.__version__}, {jax.devices()[0].device_kind}")
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "numbers.json"
    numbers = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    chosen = given.names or NAMES
    begun, rows, processor = time.perf_counter(), [], 0.0
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        # The last one takes longest, so it begins first.
        waiting = {name: pool.submit(part, name, given.out, given.quick) for name in reversed(chosen)}
        for name in chosen:
            numbers[name], seconds = waiting[name].result()
            processor += seconds
            rows.append((name, f"{seconds:.0f} s of processor time"))
            print(*rows[-1], flush=True)
    ordered = {name: numbers[name] for name in NAMES if name in numbers}
    file.write_text(text(ordered) + "\n", encoding="utf-8")
    both = f"{time.perf_counter() - begun:.0f} s, {processor:.0f} s of processor time"
    report("measured in", [*rows, ("all, by two processes", both)])


if __name__ == "__main__":
    main()
