"""The file of what is recorded, and how far apart two runs are."""

import json
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("runs.npz")
TOLERANCE = 1e-12
SMALLEST = 1e-6  # a table whose largest number is below is compared as if that were this
Runs = dict[str, dict[str, np.ndarray]]  # "case" or "case on engine" -> name -> numbers


def write(path: Path, runs: Runs, about: dict[str, Any]) -> None:
    """Writes all numbers as one vector and their names beside it: a file of its own for each would be mostly names."""
    shapes = {case: {name: table.shape for name, table in numbers.items()} for case, numbers in runs.items()}
    values = np.concatenate([table.ravel() for numbers in runs.values() for table in numbers.values()])
    text = json.dumps({"about": about, "shapes": shapes}, separators=(",", ":"))
    with open(path, "wb") as file:
        np.savez_compressed(file, values=values, index=np.frombuffer(text.encode(), np.uint8))


def read(path: Path = FILE) -> tuple[Runs, dict[str, Any]]:
    """Reads what `write` wrote: the runs, and what was said about them."""
    with np.load(path) as file:
        values, index = file["values"], json.loads(file["index"].tobytes())
    runs, at = {}, 0
    for case, shapes in index["shapes"].items():
        runs[case] = {}
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            runs[case][name] = values[at : at + size].reshape(shape)
            at += size
    assert at == len(values)
    return runs, index["about"]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, relative to the largest number of the second; infinite where only one is NaN."""
    assert one.shape == other.shape, f"{one.shape} where {other.shape} is recorded"
    known = ~np.isnan(other)
    if np.any(np.isnan(one) == known):
        return np.inf
    scale = max(float(np.max(np.abs(other[known]), initial=0.0)), SMALLEST)
    return float(np.max(np.abs(one[known] - other[known]), initial=0.0)) / scale
