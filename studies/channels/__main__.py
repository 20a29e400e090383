"""What channels do to five methods: `python -m studies.channels [NAME ...] [--out FOLDER] [--quick]`.

Nine agents, heterogeneous quadratics without gradient noise unless said, float64. Written are one figure for each
channel, one of distances against bytes, and all numbers (numbers.json), to docs/images/channels.
"""

import argparse
import json
import platform
import re
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
from benchmarks.timing import report
from PIL import Image

from hypergossip import PreflightWarning
from hypergossip.figures import style
from hypergossip.figures.histories import spread
from studies.channels import costs, drawing
from studies.channels.cases import CASES, OTHERS, SEEDS, Panel, looks
from studies.channels.laws import LAWS, limits
from studies.channels.setting import METHODS, problem, trace

FOLDER = Path(__file__).parents[2] / "docs" / "images" / "channels"
NAMES = (*CASES, "bytes", "others")
RUNS = 256  # over which a law's mean is taken


def distances(panel: Panel, quick: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns method -> rounds and distances, (looks,) and (looks, seeds), for one channel.

    Args:
        panel: The channel.
        quick: A few rounds of two seeds.
    """
    found = {}
    rounds, seeds = looks(50 if quick else panel.rounds), (2 if quick else SEEDS) if panel.random else 1
    for name, method in METHODS.items():
        whole = problem(name, dimension=panel.dimension)
        found[name] = (rounds, trace(method, whole, panel.channel, rounds, seeds).distances(whole))
    return found


def ends(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Returns method -> the last round, the number of seeds, and median, low and high of the distance there."""
    rows = {}
    for name, (rounds, values) in found.items():
        last = np.minimum(values[-1], 1e300)  # JSON has no infinity
        rows[name] = [int(rounds[-1]), values.shape[1], *(float(f"{float(one):.3g}") for one in spread(last))]
    return rows


def case(name: str, out: Path, quick: bool) -> dict[str, Any]:
    """Measures and draws one channel, and returns its numbers."""
    given = CASES[name]
    found = {key: distances(panel, quick) for key, panel in given.panels.items()}
    law = LAWS[given.law](8 if quick else RUNS) if given.law else None
    with style.look():
        write(drawing.curves(given, found, law), out / f"{name}.png")
    numbers: dict[str, Any] = {"ends": {key: ends(one) for key, one in found.items()}}
    if law is not None:
        numbers["laws"] = law.ratios
        numbers["law"] = {key: float(values[-1]) for key, values in law.measured.items()}
    return numbers


def write(figure: Any, path: Path) -> None:
    """Writes a figure with few colours, which takes a third of the bytes."""
    style.write(figure, path)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def text(numbers: Any) -> str:
    """Returns numbers as JSON, each list on one line."""
    lists = re.compile(r"\[[^\[\]{}]*\]")
    return lists.sub(lambda one: " ".join(one[0].split()), json.dumps(numbers, indent=1))


def cost(out: Path) -> dict[str, Any]:
    """Measures and draws the bytes to an accuracy."""
    rows, lines = costs.to_accuracy()
    with style.look():
        write(drawing.costs({name: lines[name] for name in ("DIAMOND", "SLAM")}), out / "bytes.png")
    return {"to_accuracy": rows, "edge_sums": costs.edge_sums_bytes()}


def others(quick: bool) -> dict[str, Any]:
    """Measures what no figure shows."""
    numbers: dict[str, Any] = {"ends": {key: ends(distances(panel, quick)) for key, panel in OTHERS.items()}}
    if not quick:
        numbers["laws"] = limits()
        numbers["precision"] = {str(bits): costs.precision(bits) for bits in (32, 64)}
        numbers |= {"high_loss": costs.high_loss(), "late": costs.late(), "walks": costs.walks()}
    return numbers


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.channels", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all of them if absent")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="where to write")
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it runs")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(NAMES)):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(NAMES)}.")
    warnings.simplefilter("ignore", PreflightWarning)
    print(f"Python {platform.python_version()}, jax {jax.__version__}, {jax.devices()[0].device_kind}")
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "numbers.json"
    numbers = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    seconds = []
    for name in given.names or NAMES:
        begun = time.perf_counter()
        with jax.enable_x64(True):
            parts = {"bytes": lambda: cost(given.out), "others": lambda: others(given.quick)}
            numbers[name] = parts[name]() if name in parts else case(name, given.out, given.quick)
        seconds.append((name, f"{time.perf_counter() - begun:.0f} s"))
        print(f"{name}: {seconds[-1][1]}", flush=True)
        ordered = {key: numbers[key] for key in NAMES if key in numbers}
        file.write_text(text(ordered) + "\n", encoding="utf-8")
    report("measured in", [*seconds, ("processor time", f"{time.process_time():.0f} s")])


if __name__ == "__main__":
    main()
