"""Measures and draws each part of the study; a part is measured in a process of its own."""

import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from hypergossip.figures import style
from hypergossip.figures.histories import spread
from studies.channels import costs, drawing
from studies.channels.cases import CASES, OTHERS, SEEDS, Panel, looks
from studies.channels.laws import LAWS, limits
from studies.channels.setting import METHODS, NETWORK, problem, trace

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
        run = trace(method, whole, panel.channel, rounds, seeds, network=panel.network or NETWORK)
        found[name] = (rounds, run.distances(whole))
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


def part(name: str, out: Path, quick: bool) -> tuple[dict[str, Any], float]:
    """Returns the numbers of one name, and the seconds of processor time that they took; in a process of its own."""
    begun = time.process_time()
    with jax.enable_x64(True):
        measures = {"bytes": lambda: cost(out), "others": lambda: others(quick)}
        numbers = measures[name]() if name in measures else case(name, out, quick)
    return numbers, time.process_time() - begun
