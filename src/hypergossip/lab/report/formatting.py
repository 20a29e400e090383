"""Numbers, names and tables for people."""

from collections.abc import Iterable, Sequence

import numpy as np

ABSENT = "–"


def cost(column: str, number: float | int) -> str:
    """Returns a cost for people; a dash where there is none."""
    if not np.isfinite(number):
        return ABSENT
    if column == "seconds":
        return f"{number:.2g}" if number < 10 else f"{number:,.0f}"
    if column == "bytes_sent" and number >= 1000:
        return f"{number / 1e6:.3g} MB" if number >= 1e6 else f"{number / 1e3:.3g} kB"
    return f"{number:,.0f}"


def three_digits(number: float | int) -> str:
    """Returns three significant digits; a dash for what is not finite."""
    if not np.isfinite(number):
        return ABSENT
    return f"{number:.3g}" if number == 0 or 1e-3 <= abs(number) < 1e4 else f"{number:.1e}".replace("e-0", "e-")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns a Markdown table's lines, its first column to the left and the others to the right."""
    escaped = lambda cells: "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    return [escaped(head), "| --- |" + " ---: |" * (len(head) - 1), *(escaped(row) for row in rows)]


def whole(number: float | int) -> str:
    """Returns a number for a sentence: whole from 10 on, with three figures below."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.3g}"


def joined(names: Iterable[str]) -> str:
    """Returns "a", "a and b", or "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
