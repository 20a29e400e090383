"""The result of `solve`, and how it is saved and loaded."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from hypergossip.running import snapshot as checkpoint
from hypergossip.running.snapshot import CheckpointError, Snapshot

POINT = "point.npz"


@dataclass(frozen=True)
class Result:
    """The result of a run with one seed or several.

    Attributes:
        x: Every agent's x, the user's pytree with leaves (agents, ...) or (seeds, agents, ...).
        y: Every agent's y, in the same form.
        history: One row per observed round (and seed); equations.md, "What is measured", explains the columns.
        saved: The state from which `solve(start=result)` resumes.
    """

    x: Any
    y: Any
    history: pd.DataFrame
    saved: Snapshot

    @property
    def rounds(self) -> int:
        """The number of completed rounds."""
        return self.saved.round

    def plot(self, path: Path | str) -> Path:
        """Writes a figure of the metric and its three parts against rounds and samples, and returns its path."""
        from hypergossip.figures.curves import convergence

        return convergence({self.saved.configuration["algorithm"].split("(")[0]: self.history}, path)

    def save(self, folder: Path | str) -> Path:
        """Writes the result into a folder that `hypergossip.load` reads: plain arrays and CSV, no pickles.

        Trees of dicts, lists and tuples are restored unchanged, and other containers as dicts from paths to leaves.
        """
        folder = checkpoint.write(folder, self.saved).parent
        arrays = {}
        shapes = {}
        for name, tree in (("x", self.x), ("y", self.y)):
            leaves: list[np.ndarray] = []
            shapes[name] = _describe(jax.tree.map(np.asarray, tree), leaves)
            arrays |= {f"{name}/{i}": leaf for i, leaf in enumerate(leaves)}
        arrays["structure"] = np.frombuffer(json.dumps(shapes).encode(), np.uint8)
        temporary = folder / f".{POINT}.{os.getpid()}"
        with open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(temporary, folder / POINT)
        self.history.to_csv(folder / "history.csv", index=False)
        return folder


def load(folder: Path | str) -> Result:
    """Reads a result that `Result.save` wrote.

    Args:
        folder: The folder.

    Raises:
        CheckpointError: If the folder contains no result, or a damaged one.
    """
    saved = checkpoint.read(folder)
    path = Path(folder) / POINT
    if not path.exists():
        raise CheckpointError(
            f"{folder} holds the checkpoint of a run that has not ended, not a result; "
            "resume the run with solve(..., checkpoint=folder)."
        )
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            structure = json.loads(file["structure"].tobytes())
            x, y = (_rebuild(structure[name], lambda i, name=name: file[f"{name}/{i}"]) for name in ("x", "y"))
    except Exception as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); restore it from a copy, or remove it and resume the run."
        ) from None
    return Result(x, y, frame(saved.rows, saved.configuration["seeds"] is not None), saved)


def frame(rows: dict[str, np.ndarray], seeded: bool) -> pd.DataFrame:
    """Builds the history from its columns, each (rows, runs), with a seed column only if seeds were given."""
    return pd.DataFrame({name: column.reshape(-1) for name, column in rows.items() if seeded or name != "seed"})


def _describe(tree: Any, leaves: list) -> Any:
    """Returns a JSON description of a tree, and appends its leaves to the list."""
    if type(tree) is dict:
        keys = {key: key if isinstance(key, str | int) else str(key) for key in tree}
        return {"dict": [[keys[key], _describe(value, leaves)] for key, value in tree.items()]}
    if type(tree) in (list, tuple):
        return {type(tree).__name__: [_describe(value, leaves) for value in tree]}
    if isinstance(tree, np.ndarray):
        leaves.append(tree)
        return len(leaves) - 1
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return {"dict": [[jax.tree_util.keystr(path), _describe(leaf, leaves)] for path, leaf in paths]}


def _rebuild(structure: Any, leaf: Any) -> Any:
    if isinstance(structure, int):
        return leaf(structure)
    kind, children = next(iter(structure.items()))
    if kind == "dict":
        return {key: _rebuild(child, leaf) for key, child in children}
    rebuilt = [_rebuild(child, leaf) for child in children]
    return tuple(rebuilt) if kind == "tuple" else rebuilt
