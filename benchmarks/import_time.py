"""`import hypergossip` against `import jax`, in fresh interpreters, in turn."""

import subprocess
import sys
import time

from benchmarks.timing import report

TURNS = 7


def main() -> None:
    """Prints the ratio."""
    seconds: dict[str, list[float]] = {"jax": [], "hypergossip": []}
    for _ in range(TURNS):
        for module, taken in seconds.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
            taken.append(time.perf_counter() - begin)
    whole = "import hypergossip as hg; [getattr(hg, name) for name in hg.__all__]"
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", whole], check=True)
    everything = time.perf_counter() - begin
    report(
        "import",
        [
            *((f"import {module}", f"{min(taken):.2f} s") for module, taken in seconds.items()),
            ("hypergossip / jax", f"{min(seconds['hypergossip']) / min(seconds['jax']):.2f} (below 1.5)"),
            ("hypergossip and the use of every name / jax", f"{everything / min(seconds['jax']):.2f}"),
        ],
    )


if __name__ == "__main__":
    main()
