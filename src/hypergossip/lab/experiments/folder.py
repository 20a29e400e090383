"""The folder of a run: what lies where in it, written so that a kill at any moment leaves what was there before."""

import json
import os
import platform
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from hypergossip.engines.teams import cores
from hypergossip.lab.configuration import Raw
from hypergossip.lab.toml_text import write_toml

CONFIGURATION = "config.toml"
HISTORY = "history.parquet"
HISTORY_TEXT = "history.csv"
SUMMARY = "summary.json"
FIGURE = "figure.png"
ENDED = "ended.toml"  # in a method's folder: what it was asked, written when it has ended
METHODS = "methods"  # a folder a method: its checkpoint, and its `hypergossip.Result` once it is finished
TABLE = "table.csv"  # of a tuning, in place of histories
BEST = "best.toml"
FILES = (CONFIGURATION, HISTORY, HISTORY_TEXT, SUMMARY, FIGURE, TABLE, BEST)


def prepare(folder: Path, overwrite: bool) -> None:
    """Makes a folder ready for a new run.

    Args:
        folder: The folder; made if it is missing.
        overwrite: Remove an earlier run's files, and nothing else.

    Raises:
        ValueError: If something is in it that may not be removed, with advice.
    """
    if folder.is_dir() and any(folder.iterdir()):
        earlier = (folder / CONFIGURATION).is_file()
        if not earlier:
            raise ValueError(f"{folder} holds files that are not of a run; give another folder by --out.")
        if not overwrite:
            raise ValueError(
                f"{folder} holds an earlier run; go on with it by 'hypergossip resume {folder}', replace it by "
                "--overwrite, or give another folder by --out."
            )
        shutil.rmtree(folder / METHODS, ignore_errors=True)
        # The configuration is what marks the folder as a run's, so it goes last.
        for name in reversed(FILES):
            (folder / name).unlink(missing_ok=True)
    elif folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder by --out.")
    folder.mkdir(parents=True, exist_ok=True)


def write_configuration(folder: Path, raw: Raw) -> None:
    """Writes the configuration that the run goes by."""
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
    """Reads what `write_histories` wrote.

    Raises:
        ValueError: If there is none, or it is damaged.
    """
    path = folder / HISTORY
    if not path.is_file():
        raise ValueError(f"{folder} has no {HISTORY}; give the folder of a run that has finished a method.")
    try:
        table = pd.read_parquet(path)
        return {str(label): rows.drop(columns="method") for label, rows in table.groupby("method", sort=False)}
    except Exception as error:
        raise ValueError(f"{path} is damaged ({error}); 'hypergossip resume {folder}' writes it anew.") from None


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Writes a summary as strict JSON: a number that is not finite becomes null."""
    write_text(folder / SUMMARY, json.dumps(_plain(summary), indent=2, allow_nan=False) + "\n")


def read_summary(folder: Path) -> dict[str, Any]:
    """Reads the summary; empty where there is none or it is damaged, for it can be made again."""
    try:
        return dict(json.loads((folder / SUMMARY).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically."""
    _replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def versions() -> dict[str, Any]:
    """Returns what a result depends on besides its configuration."""
    device = jax.devices()[0]
    packages = {name: version(name) for name in ("hypergossip", "jax", "jaxlib", "numpy")}
    machine = {"platform": platform.platform(), "device": device.device_kind, "devices": jax.device_count()}
    return {**packages, "python": platform.python_version(), **machine}


def machine() -> str:
    """Returns the machine and the versions in words."""
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
