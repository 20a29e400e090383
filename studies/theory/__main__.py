"""Measures the claims that are named, or all of them; writes a CSV and a figure each, and prints the fitted numbers."""

import argparse
import importlib
import platform
import time
import warnings
from pathlib import Path

import jax
from benchmarks.timing import report

from hypergossip import PreflightWarning
from hypergossip.figures import style
from studies.theory import NAMES

FOLDER = Path(__file__).parents[2] / "docs" / "theory"


def run(name: str, folder: Path, quick: bool = False) -> None:
    """Measures one claim, in float64."""
    claim = importlib.import_module(f"studies.theory.{name}")
    begin = time.perf_counter()
    with jax.enable_x64(True):
        table = claim.measure(quick)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
    with style.look():
        figure = claim.draw(table)
    style.write(figure, folder / f"{name}.png")
    seconds = ("measured in", f"{time.perf_counter() - begin:.0f} s")
    report(f"{name}: {claim.__doc__.splitlines()[0]}", [*claim.report(table), seconds])


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.theory", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all of them if absent")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="where to write (docs/theory)")
    parser.add_argument("--quick", action="store_true", help="a few seconds of each, to see that it runs")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(NAMES)):
        parser.error(f"no claim is called {', '.join(unknown)}; there are {', '.join(NAMES)}.")
    warnings.simplefilter("ignore", PreflightWarning)
    device = jax.devices()[0].device_kind
    print(f"Python {platform.python_version()}, jax {jax.__version__}, {device}, {platform.machine()}")
    for name in given.names or NAMES:
        run(name, given.out, given.quick)


if __name__ == "__main__":
    main()
