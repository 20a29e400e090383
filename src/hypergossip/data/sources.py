"""Finds, checks and downloads the files of data sets.

The locations are, in this order: the folder that the caller names, the cache, the folder named by the environment
variable HYPERGOSSIP_DATA, and a download of the published file into the cache. Content is used only if its SHA-256 is
the known one, so results do not depend on the location.
"""

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from hypergossip.support.extras import require

Content = TypeVar("Content")

_DOWNLOAD_TIMEOUT_SECONDS = 30.0


class DataUnavailable(RuntimeError):
    """A data set could not be read. The message says which locations were tried and what to do."""


class Source(NamedTuple):
    """One published file.

    Attributes:
        dataset: the data set of which it is a part.
        names: the accepted file names, in order of preference, including that of the url.
        folder: the folder of the file relative to a location; the location itself is searched as well.
        url: the address of the published file.
        sha256: the SHA-256 of the file at the url, in hexadecimal.
    """

    dataset: str
    names: tuple[str, ...]
    folder: str
    url: str
    sha256: str


def cache_folder() -> Path:
    """The folder of downloaded and unpacked files: $XDG_CACHE_HOME/hypergossip, or ~/.cache/hypergossip.

    A relative $XDG_CACHE_HOME is ignored, as the XDG base directory specification requires.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "hypergossip"


def read_checked(path: Path, sha256: str) -> bytes:
    """Read a file, unpacked if its name ends in .gz, and check the unpacked content.

    Args:
        path: the file.
        sha256: the expected SHA-256 of the unpacked content, in hexadecimal.

    Returns:
        The unpacked content.

    Raises:
        OSError, EOFError, zlib.error: the file cannot be read or unpacked.
        ValueError: the content is not the expected one.
    """
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("its SHA-256 is not that of the published data")
    return content


def obtain(source: Source, decode: Callable[[Path], Content], data_dir: Path | None) -> Content:
    """Read one file from the first location that has an intact copy of it.

    Args:
        source: the file.
        decode: reads and checks a copy; any exception that it raises means that this copy is damaged.
        data_dir: the folder that the caller names, or None. A damaged file in it is an error, since the caller named
            it; a damaged file elsewhere is skipped.

    Returns:
        The result of `decode`.

    Raises:
        DataUnavailable: no location has an intact copy, or the copy in `data_dir` is damaged.
    """
    failures = []
    for place, folder in _places(data_dir):
        damaged = None
        for path in _candidates(folder, source):
            try:
                if path.is_file():
                    return decode(path)
            except Exception as error:  # a damaged archive may raise any exception of its decompressor
                damaged = f"{path} is damaged or unreadable ({_reason(error)})"
                if place == "data_dir":
                    raise DataUnavailable(
                        f"The file {damaged}, so it was not used: download it again, or remove it to use the cache, "
                        "$HYPERGOSSIP_DATA or a download."
                    ) from error
        failures.append(damaged or f"it is not in {folder} ({place})")
    if not os.environ.get("HYPERGOSSIP_DATA"):
        failures.append("$HYPERGOSSIP_DATA is not set")
    try:
        return decode(_download(source))
    except (OSError, ValueError) as error:
        failures.append(f"the download of {source.url} failed ({_reason(error)})")
        raise DataUnavailable(
            f"Data set {source.dataset!r} needs the file {' or '.join(source.names)}, which no location has: "
            f"{'; '.join(failures)}; put the file in one of these folders, name its folder by data_dir or "
            "$HYPERGOSSIP_DATA, or connect to the internet."
        ) from error


def _places(data_dir: Path | None) -> Iterator[tuple[str, Path]]:
    if data_dir is not None:
        yield "data_dir", data_dir
    yield "the cache", cache_folder()
    if shared := os.environ.get("HYPERGOSSIP_DATA"):
        yield "$HYPERGOSSIP_DATA", Path(shared)


def _candidates(folder: Path, source: Source) -> Iterator[Path]:
    for inner in dict.fromkeys((folder / source.folder, folder)):
        for name in source.names:
            yield inner / name


def _download(source: Source) -> Path:
    """Download the published file into the cache. A file that fails its checksum is never stored."""
    pooch = require("pooch", "data", f"Downloading the data set {source.dataset}")
    folder = cache_folder() / source.folder
    logger, level = pooch.get_logger(), pooch.get_logger().level
    logger.setLevel("WARNING")  # the caller reports failures in full
    try:
        return Path(
            pooch.retrieve(
                source.url,
                known_hash=f"sha256:{source.sha256}",
                fname=source.url.rpartition("/")[2],
                path=folder,
                downloader=pooch.HTTPDownloader(timeout=_DOWNLOAD_TIMEOUT_SECONDS),
            )
        )
    finally:
        logger.setLevel(level)


def _reason(error: Exception) -> str:
    """The exception in one line, without a full stop."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:")
