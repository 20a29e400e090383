"""The folder of a run: its files, which are written atomically so that a kill never leaves a damaged file."""

import json
import os
import platform
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import jax
import numpy as np
import pandas as pd

from hypergossip.lab.configuration import Raw
from hypergossip.lab.toml_text import write_toml
from hypergossip.support.cores import cores

CONFIGURATION = "config.toml"
HISTORY = "history.parquet"
HISTORY_TEXT = "history.csv"
SUMMARY = "summary.json"
FIGURE = "figure.png"
ENDED = "ended.toml"  # in the folder of a method: its settings, written when it finishes
METHODS = "methods"  # a folder per method: its checkpoint, and its `hypergossip.Result` once it has finished
TABLE = "table.csv"  # the result of a tuning, instead of histories
BEST = "best.toml"
FILES = (CONFIGURATION, HISTORY, HISTORY_TEXT, SUMMARY, FIGURE, TABLE, BEST)


def check_place(folder: Path, option: str) -> None:
    """Raises ValueError if no file can be written into a folder, which need not exist yet; nothing is left there.

    Args:
        folder: The folder.
        option: What names it, in the message, such as "--out is runs/a".
    """
    place = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        why = f"{place} is a file" if place.is_file() else error.strerror
        raise ValueError(
            f"{option}, but no file can be written there ({why}); "
            "give a folder that you can write to, and whose path leads through no file."
        ) from None


def check_free(folder: Path, overwrite: bool) -> None:
    """Checks that a folder can be used for a new run, and changes nothing.

    Args:
        folder: The folder, which need not exist.
        overwrite: Whether the files of an earlier run will be removed.

    Raises:
        ValueError: If the folder has content that must not be removed, or cannot be written to, with advice.
    """
    if folder.is_dir() and any(folder.iterdir()):
        earlier = (folder / CONFIGURATION).is_file()
        if not earlier:
            raise ValueError(f"{folder} has files that are not from a run; give another folder with --out.")
        if not overwrite:
            raise ValueError(
                f"{folder} has an earlier run; resume it with 'hypergossip resume {folder}', replace it with "
                "--overwrite, or give another folder with --out."
            )
    elif folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder with --out.")
    check_place(folder, f"--out is {folder}")


def prepare(folder: Path, overwrite: bool) -> None:
    """Prepares a folder for a new run.

    Args:
        folder: The folder; created if it is missing.
        overwrite: Whether to remove the files of an earlier run, and nothing else.

    Raises:
        ValueError: As for `check_free`.
    """
    check_free(folder, overwrite)
    if overwrite and folder.is_dir():
        shutil.rmtree(folder / METHODS, ignore_errors=True)
        # The configuration marks the folder as a run, so it is removed last.
        for name in reversed(FILES):
            (folder / name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)


def write_configuration(folder: Path, raw: Raw) -> None:
    """Writes the configuration of the run."""
    write_text(folder / CONFIGURATION, write_toml(raw))


def write_histories(folder: Path, histories: Mapping[str, pd.DataFrame]) -> None:
    """Writes the history of every method in one table, as Parquet and as CSV, with the column "method" first."""
    if not histories:
        return
    frames = [history.assign(method=label) for label, history in histories.items()]
    table = pd.concat(frames, ignore_index=True)
    table = table[["method", *(column for column in table if column != "method")]]
    _replace(folder / HISTORY, lambda path: table.to_parquet(path, index=False))
    _replace(folder / HISTORY_TEXT, lambda path: table.to_csv(path, index=False))


def read_histories(folder: Path) -> dict[str, pd.DataFrame]:
    """Reads the histories that `write_histories` wrote.

    Raises:
        ValueError: If there are none, or the file is damaged.
    """
    path = folder / HISTORY
    if not path.is_file():
        raise ValueError(f"{folder} has no {HISTORY}; give the folder of a run in which a method has finished.")
    try:
        table = pd.read_parquet(path)
        return {str(label): rows.drop(columns="method") for label, rows in table.groupby("method", sort=False)}
    except Exception as error:
        raise ValueError(f"{path} is damaged ({error}); write it again with 'hypergossip resume {folder}'.") from None


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Writes a summary as strict JSON: a number that is not finite becomes null."""
    write_text(folder / SUMMARY, json.dumps(_plain(summary), indent=2, allow_nan=False) + "\n")


def read_summary(folder: Path) -> dict[str, Any]:
    """Reads the summary; it is empty if the file is missing or damaged, since it can be written again."""
    try:
        return dict(json.loads((folder / SUMMARY).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically."""
    _replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def versions() -> dict[str, Any]:
    """Returns the versions and the machine that a result depends on besides its configuration."""
    device = jax.devices()[0]
    packages = {name: version(name) for name in ("hypergossip", "jax", "jaxlib", "numpy")}
    machine = {"platform": platform.platform(), "device": device.device_kind, "devices": jax.device_count()}
    return {**packages, "python": platform.python_version(), **machine}


def machine() -> str:
    """Returns a short description of the machine and the versions."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass  # not Linux
    device = "no GPU" if jax.devices()[0].platform == "cpu" else jax.devices()[0].device_kind
    counted = "1 core" if cores() == 1 else f"{cores()} cores"
    return f"{counted} of {name}, {device}, Python {platform.python_version()}, jax {jax.__version__}"


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, bool | str | int | None):
        return value
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and not np.isfinite(number):
        return None
    return number
