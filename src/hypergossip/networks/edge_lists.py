"""Lists of edges in text: two names a line.

NetworkX's own reader passes over lines with one name, makes one edge of an edge that comes twice, keeps blanks after
commas as parts of names, and takes "New York Chicago" for an edge between "New" and "York". A network that is read so
is another one, and nothing says so; hence the lines are read here.
"""

import csv
import re

HEADINGS = (["source", "target"], ["from", "to"])
_COMMENT = re.compile(r"(^|\s)#.*")
_ATTRIBUTES = re.compile(r"[\s,;]*\{.*\}$")  # as NetworkX writes them behind an edge's names


def read_edge_list(text: str) -> list[tuple[str, str]]:
    """Returns the pairs of names.

    Args:
        text: Names are separated by tabs, commas or semicolons, whichever the first line has, and otherwise by blanks;
            names with blanks may stand in quotation marks. Behind them may be numbers, attributes in braces and, unless
            names are separated by blanks, further columns. A line that begins with "#" is a comment, and so is what
            follows " #" where names are separated by blanks. A first line "source,target" or "from,to" is a heading.

    Raises:
        ValueError: A line has less than two names, or more words than these.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    lines = [(number, _ATTRIBUTES.sub("", line)) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        return []
    delimiter = next((mark for mark in "\t,;" if mark in _COMMENT.sub("", lines[0][1])), " ")
    rows = [(number, _fields(line, delimiter)) for number, line in lines]
    if delimiter != " " and [field.lower() for field in rows[0][1][:2]] in HEADINGS:
        rows = rows[1:]
    for number, fields in rows:
        if len(fields) < 2 or not all(fields[:2]):
            raise ValueError(f"line {number} has one name and an edge has two: {' '.join(fields)!r}")
        if delimiter == " " and not all(map(_is_number, fields[2:])):
            raise ValueError(
                f"line {number} has more than two names: {' '.join(fields)!r}; put names with blanks in quotation "
                "marks, or separate names by tabs"
            )
    return [(fields[0], fields[1]) for _, fields in rows]


def _fields(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        line = " ".join(_COMMENT.sub("", line).split())
    (row,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    return [field.strip() for field in row]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
