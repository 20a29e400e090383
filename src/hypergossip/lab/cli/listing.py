"""The output of ``hypergossip list``."""

import sys
from collections.abc import Iterator

from hypergossip.data import names
from hypergossip.support.registry import KINDS, descriptions, nearest

DATA = "data"


def lines(kind: str | None) -> Iterator[str]:
    """Yields one line per name: the name, its kind if there are several, and its description.

    The parts are separated by tabs, and aligned in columns on a terminal.

    Args:
        kind: One of the registry's kinds, or "data"; None for all kinds.

    Raises:
        ValueError: If there is no such kind.
    """
    kinds = (*KINDS, DATA)
    if kind is not None and kind not in kinds:
        raise ValueError(f"there is no list of {kind!r}; {nearest(kind, kinds)}")
    for one in kinds if kind is None else (kind,):
        for name, text in (names() if one == DATA else descriptions(one)).items():
            columns = [name, text] if kind else [name, one, text]
            yield "".join(map("{:<20}".format, columns)).rstrip() if sys.stdout.isatty() else "\t".join(columns)
