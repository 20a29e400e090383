"""TOML as text: decoding, writing, one line for a list of sections, and the line of an option in a file."""

import codecs
import io
import re
from collections.abc import Iterable, Mapping
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


def one_line(sections: Iterable[Mapping[str, Any]], mark: str = "") -> str:
    """Returns sections that name something as one line: "edge_sums, then loss (probability = 0.2)".

    Args:
        sections: The sections, each with a name and options.
        mark: A character before and after every section, such as a backtick in Markdown.
    """
    texts = []
    for section in sections:
        options = [
            " ".join(write_toml({key: value}).split())
            for key, value in section.items()
            if key != "name" and value is not None
        ]
        texts.append(f"{mark}{section['name']}{' (' + ', '.join(options) + ')' if options else ''}{mark}")
    return ", then ".join(texts)


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """Returns the number of the line, from 1, with an option or a section, or None if it is not found.

    Args:
        text: The document.
        path: The keys from the outermost section to the option; an entry of an array of tables has its number as key.
    """
    section: tuple[str, ...] = ()
    numbers: dict[tuple[str, ...], int] = {}  # how many sections an array of tables has so far
    best: tuple[int, int] | None = None  # how much of the path the line has, and minus its number
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[([^\[\]]+)\]\s*(#.*)?$", line)
        entry = re.match(r"\s*\[\[([^\[\]]+)\]\]\s*(#.*)?$", line)
        if header:
            section, keys = _split(header[1]), ()
        elif entry:
            array, keys = _split(entry[1]), ()
            numbers[array] = numbers.get(array, -1) + 1
            section = (*array, str(numbers[array]))
        else:
            keys = _split(line.partition("=")[0]) if "=" in line else ()
        here = (*section, *keys)
        depth = len(here) if path[: len(here)] == here and (header or entry or keys) else 0
        # An option in an inline table is on the line of the option that has the table.
        if depth and (depth == len(path) or (keys and path[-1] in line)):
            best = max(best or (0, 0), (depth, -number))
    return -best[1] if best else None


def _split(keys: str) -> tuple[str, ...]:
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+)', keys)
    return tuple(next(filter(None, part), "") for part in parts)
