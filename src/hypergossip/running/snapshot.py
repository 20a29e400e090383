"""A run on disk: one file of plain arrays, written atomically, so that an interruption leaves the previous file."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from hypergossip.core.algorithm import Cost

FILE = "checkpoint.npz"
VERSION = 1
DIGEST_BYTES = 32
REFERENCE_POINT = "reference_point/x", "reference_point/y"


class Snapshot(NamedTuple):
    """The contents of a checkpoint.

    Attributes:
        round: The number of completed rounds.
        seconds: The compiled running time so far, in seconds.
        leaves: The state's leaves, each (runs, agents, ...).
        cost: Every agent's counts, each (runs, agents).
        rows: The history so far: column -> (rows, runs).
        configuration: The identity of the run: name -> description or digest.
        reference_point: A point near the last measured ones: every agent's x, (agents, p), and its lower solution
            there, (agents, q).
    """

    round: int
    seconds: float
    leaves: list[np.ndarray]
    cost: Cost
    rows: dict[str, np.ndarray]
    configuration: Mapping[str, Any]
    reference_point: tuple[np.ndarray, np.ndarray] | None = None


class CheckpointError(RuntimeError):
    """A checkpoint is damaged, or belongs to another configuration."""


class Digest:
    """A fingerprint of pytrees of arrays: values, shapes and types."""

    def __init__(self) -> None:
        """Makes an empty fingerprint."""
        self._total = hashlib.sha256()

    def add(self, tree: Any) -> "Digest":
        """Adds the arrays of a tree, in order, and returns itself."""
        for leaf in jax.tree.leaves(tree):
            array = np.ascontiguousarray(leaf)
            self._total.update(f"{array.shape}{array.dtype}".encode())
            self._total.update(array.reshape(-1).view(np.uint8).data)  # without a copy
        return self

    @property
    def bytes(self) -> bytes:
        """The fingerprint of the arrays added so far, `DIGEST_BYTES` long."""
        return self._total.digest()

    @property
    def text(self) -> str:
        """The fingerprint of the arrays added so far."""
        return self._total.hexdigest()[:16]


def check_folder(folder: Any, name: str) -> None:
    """Raises ValueError if the argument is not the path of a folder, which need not exist.

    Args:
        folder: The argument.
        name: Its name in messages.
    """
    if not isinstance(folder, str | os.PathLike):
        raise ValueError(f"{name} is {folder!r}; give the path of a folder.")
    for place in (Path(folder), *Path(folder).parents):
        if place.exists():
            if not place.is_dir():
                raise ValueError(f"{name} is {str(folder)!r}, but {place} is a file; give the path of a folder.")
            return


def write(folder: Path | str, saved: Snapshot) -> Path:
    """Writes a checkpoint atomically and returns its path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"state/{i}": leaf for i, leaf in enumerate(saved.leaves)}
    arrays |= {f"spent/{name}": count for name, count in saved.cost._asdict().items()}
    arrays |= {f"rows/{name}": column for name, column in saved.rows.items()}
    arrays |= {} if saved.reference_point is None else dict(zip(REFERENCE_POINT, saved.reference_point, strict=True))
    about = {
        "version": VERSION,
        "round": saved.round,
        "seconds": saved.seconds,
        "leaves": len(saved.leaves),
        "columns": list(saved.rows),
        "configuration": dict(saved.configuration),
    }
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    path, temporary = folder / FILE, folder / f".{FILE}.{os.getpid()}"
    with open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return path


def read(folder: Path | str) -> Snapshot:
    """Reads a checkpoint.

    Raises:
        CheckpointError: If there is no checkpoint, or it is damaged.
    """
    path = Path(folder) / FILE
    if not path.exists():
        raise CheckpointError(f"there is no checkpoint (a file {FILE}) in {folder}; check the path.")
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            leaves = [file[f"state/{i}"] for i in range(about["leaves"])]
            cost = Cost(*(file[f"spent/{name}"] for name in Cost._fields))
            rows = {name: file[f"rows/{name}"] for name in about["columns"]}
            x, y = REFERENCE_POINT
            reference_point = (file[x], file[y]) if x in file else None
    except PermissionError:
        raise
    except Exception as error:  # a wrong byte can break any step of reading: zip, header, shape, checksum
        raise CheckpointError(
            f"{path} is damaged ({error}); remove it to start again, or restore it from a copy."
        ) from None
    if about["version"] != VERSION:
        raise CheckpointError(
            f"{path} was written in format {about['version']}, but this version of hypergossip reads format {VERSION}; "
            "finish that run with the version that started it."
        )
    return Snapshot(about["round"], about["seconds"], leaves, cost, rows, about["configuration"], reference_point)


def check_same(configuration: Mapping[str, Any], saved: Snapshot, folder: Path | str) -> None:
    """Raises `CheckpointError` if a run and a checkpoint differ, and names the differences."""
    # The data are a part of the problem. Their separate digest is for a run that resumes from a result.
    names = [name for name in configuration if name != "data"]
    different = [name for name in names if saved.configuration.get(name) != configuration[name]]
    if different:
        name = different[0]
        raise CheckpointError(
            f"the checkpoint in {folder} belongs to another configuration: {', '.join(different)} differ "
            f"({name}: {saved.configuration.get(name)} there, {configuration[name]} here). "
            "Give another folder, or the configuration that wrote it; nothing was changed in the folder."
        )
