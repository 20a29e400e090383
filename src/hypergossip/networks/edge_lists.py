"""Lists of edges in text files, with two names on each line.

The reader of NetworkX skips lines with one name, merges repeated edges, keeps spaces after commas as parts of names,
and reads "New York Chicago" as an edge between "New" and "York". The result is a different network without any
warning, so the lines are parsed here.
"""

import csv
import re

HEADINGS = (["source", "target"], ["from", "to"])
LIKELY_HEADINGS = (
    *HEADINGS,
    ["src", "dst"],
    ["u", "v"],
    ["id1", "id2"],
    ["id_1", "id_2"],
    ["node1", "node2"],
    ["node_1", "node_2"],
)
COLUMNS = ("weight", "weights", "distance", "length", "cost", "capacity", "type", "id", "label", "time", "timestamp")
_COMMENT = re.compile(r"(^|\s)#.*")
_ATTRIBUTES = re.compile(r"[\s,;]*\{.*\}$")  # as NetworkX writes them after an edge's names


def read_edge_list(text: str) -> list[tuple[str, str]]:
    """Returns the pairs of names.

    Args:
        text: Names are separated by tabs, commas or semicolons, if the first line contains one of them, and by spaces
            otherwise. Names with spaces may be in quotation marks. Numbers, attributes in braces and, unless names are
            separated by spaces, further columns may follow. A line that begins with "#" or "%" is a comment, and so is
            the text after " #" if names are separated by spaces. A first line "source,target" or "from,to" is a
            heading. One of `LIKELY_HEADINGS` is a heading if its names are not nodes of other lines, or if a column of
            `COLUMNS` follows.

    Raises:
        ValueError: A line has fewer or more than two names, or the lines list all neighbours of a node.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    if lines and lines[0][1].lower().startswith("%%matrixmarket"):
        raise ValueError(
            "it is a matrix in the MatrixMarket format; read it by scipy.io.mmread(path), and pass a mixing matrix to "
            "from_mixing, or networkx.from_scipy_sparse_array of an adjacency matrix to from_networkx"
        )
    lines = [(number, _ATTRIBUTES.sub("", line)) for number, line in lines if line and not line.startswith(("#", "%"))]
    if not lines:
        return []
    delimiter = next((mark for mark in "\t,;" if mark in _COMMENT.sub("", lines[0][1])), " ")
    rows = [(number, _fields(line, delimiter)) for number, line in lines]
    headed = _is_heading([fields for _, fields in rows], delimiter)
    rows = rows[1:] if headed else rows
    for number, fields in rows:
        if len(fields) < 2 or not all(fields[:2]):
            raise ValueError(f"line {number} has one name, but an edge has two: {' '.join(fields)!r}")
        if delimiter == " " and not all(map(_is_number, fields[2:])):
            raise ValueError(
                f"line {number} has more than two names: {' '.join(fields)!r}; put names with spaces in quotation "
                "marks, or separate names by tabs"
            )
    if not headed:
        _refuse_neighbours(rows)
    return [(fields[0], fields[1]) for _, fields in rows]


def _is_heading(rows: list[list[str]], delimiter: str) -> bool:
    """Returns whether the first row is a heading and not an edge."""
    fields = [field.lower() for field in rows[0]]
    names, columns = fields[:2], fields[2:]
    described = bool(columns) and all(column in COLUMNS for column in columns)
    if names not in LIKELY_HEADINGS or (delimiter == " " and columns and not described):
        return False
    if described or (delimiter != " " and names in HEADINGS):
        return True
    # As an edge it would be separate from all others, unless these contain one of its ends.
    return len(rows) > 1 and not {name for row in rows[1:] for name in row[:2]} & set(rows[0][:2])


def _refuse_neighbours(rows: list[tuple[int, list[str]]]) -> None:
    """Raises ValueError if every line is likely to hold a node and all its neighbours."""
    nodes = {name for _, fields in rows for name in fields[:2]}
    long = [(number, fields) for number, fields in rows if len(fields) > 3]
    if long and all(nodes.issuperset(fields) and len(set(fields)) == len(fields) for _, fields in long):
        number, fields = long[0]
        raise ValueError(
            f"line {number} names {len(fields)} nodes, {' '.join(fields)!r}, and looks like one of an adjacency list; "
            "write one edge on each line, or pass networkx.read_adjlist(path) to from_networkx"
        )


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
