"""TOML as text: decoding, writing, and finding the line of an option; parsing is left to the standard library."""

import codecs
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w


def read_utf8(path: Path) -> str:
    """Returns the text of a UTF-8 file, with or without a byte order mark and with any line ends.

    Args:
        path: The file.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not UTF-8 text; the message names the line.
    """
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in raw:
        raise ValueError(f"{path} is not UTF-8 text (it looks like UTF-16); save it as UTF-8.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(f"{path} is not UTF-8 text (line {line}); save it as UTF-8, as TOML requires.") from None
    return io.StringIO(text, newline=None).read()


def write_toml(tables: Mapping[str, Any]) -> str:
    """Returns `tables` of dicts, lists, strings, numbers and booleans as a TOML document, without None values."""
    return tomli_w.dumps(_without_none(tables))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """Returns the number of the line, from 1, with an option or a section, or None if it is not found.

    Args:
        text: The document.
        path: The keys from the outermost section to the option.
    """
    section: tuple[str, ...] = ()
    best: tuple[int, int] | None = None  # how much of the path the line has, and minus its number
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[([^\[\]]+)\]\s*(#.*)?$", line)
        if header:
            section, keys = _split(header[1]), ()
        else:
            keys = _split(line.partition("=")[0]) if "=" in line else ()
        here = (*section, *keys)
        depth = len(here) if path[: len(here)] == here and (header or keys) else 0
        # An option in an inline table is on the line of the option that has the table.
        if depth and (depth == len(path) or (keys and path[-1] in line)):
            best = max(best or (0, 0), (depth, -number))
    return -best[1] if best else None


def _split(keys: str) -> tuple[str, ...]:
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+)', keys)
    return tuple(next(filter(None, part), "") for part in parts)
