"""Reads graphs from files written by NetworkX, by other programs or by hand."""

import bz2
import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from hypergossip.networks.edge_lists import read_edge_list
from hypergossip.networks.from_matrix import of_graph
from hypergossip.networks.network import Network
from hypergossip.support.agent_names import repetitions
from hypergossip.support.extras import require

PACKED = {".gz": gzip.decompress, ".gzip": gzip.decompress, ".bz2": bz2.decompress}


def from_file(path: Any, weights: str | None = None, format: str | None = None, label: str | None = None) -> Network:
    """The network in a file: GraphML, GML, node-link JSON, or a list of edges with two names on each line.

    Agents have the nodes' names and are in the file's order. Nodes that are the numbers 0 to n - 1 are in the order of
    the numbers. Attributes, including edge weights, are ignored.

    Args:
        path: the file, a string or a `pathlib.Path`; it may be compressed (.gz, .bz2). A relative path starts from the
            working directory.
        weights: as for `from_edges`.
        format: "graphml", "gml", "json" or "edges"; None: by the file's ending. Node-link JSON is the result of
            `networkx.node_link_data`, with the edges under "edges" or, as before NetworkX 3.6, "links". In a list of
            edges, names are separated by tabs, commas, semicolons or spaces; "#" or "%" begins a comment, and a first
            line such as "source,target", "from,to", "src,dst", "u,v", "id_1,id_2" or "node1,node2" is a heading.
        label: the nodes' attribute that has their names, such as "name"; "id": their identifiers in the file. None:
            "label" in GML if nodes have one, and "id" otherwise.

    Raises:
        ValueError: the file is missing, damaged, empty or of an unknown format, names are missing or repeat, or the
            graph has a self-loop or parallel edges; the message names the nodes and the remedy.
    """
    graph = read_graph(path, format, label)
    where = f", where graph = hypergossip.networks.read_graph({str(path)!r})"
    try:
        return of_graph(graph, _bare(Path(path)).stem, weights, where)
    except ValueError as error:
        raise ValueError(f"{Path(path).name}: {error}") from None


def read_graph(path: Any, format: str | None = None, label: str | None = None) -> Any:
    """The NetworkX graph in a file, for graphs that must be corrected before `from_networkx` accepts them.

    Args:
        path: as for `from_file`.
        format: likewise.
        label: likewise.

    Returns:
        A `networkx.Graph`, which is directed or has parallel edges if the file's graph is or does.

    Raises:
        ValueError: the file is missing, damaged or of an unknown format, or names are missing or repeat.
    """
    if not isinstance(path, str | Path):
        raise ValueError(f"path is {path!r}; give the name of a file, such as 'networks/abilene.graphml'.")
    path = Path(path).expanduser()
    kind = _kind(path, format)
    content = _content(path)
    require("networkx", "networks", "Reading a graph from a file")
    try:
        graph = kind.read(content)
    except Exception as error:  # readers raise many types of exceptions
        reason = " ".join(str(error).split()).removesuffix(".") or type(error).__name__
        raise ValueError(f"{path.name} cannot be read as {kind.title}: {reason}.") from error
    return _simplified(_labelled(graph, kind, label, path.name))


class _Kind(NamedTuple):
    """A file format.

    Attributes:
        title: Its name.
        endings: The endings of its files.
        read: A function from a file's bytes to a NetworkX graph whose nodes are the file's identifiers.
        label: The attribute that has the nodes' names, if all nodes have it.
    """

    title: str
    endings: tuple[str, ...]
    read: Callable[[bytes], Any]
    label: str = "id"


def _kind(path: Path, format: str | None) -> _Kind:
    if format is not None and format not in FORMATS:
        raise ValueError(f"format is {format!r}; choose one of {', '.join(FORMATS)}.")
    if format is not None:
        return FORMATS[format]
    ending = _bare(path).suffix.lower()
    for kind in FORMATS.values():
        if ending in kind.endings:
            return kind
    endings = ", ".join(ending for kind in FORMATS.values() for ending in kind.endings)
    raise ValueError(f"{path.name} ends in none of {endings}; give its format, one of {', '.join(map(repr, FORMATS))}.")


def _bare(path: Path) -> Path:
    """The path without the ending of its compression."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}); a relative path starts from the working directory."
        ) from None
    if unpack := PACKED.get(path.suffix.lower()):
        try:
            content = unpack(content)
        except Exception as error:  # a damaged file raises OSError, EOFError, ValueError or zlib.error
            raise ValueError(f"{path.name} cannot be unpacked: {error}.") from error
    if not content.strip():
        raise ValueError(f"{path.name} is empty.")
    return content


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8; save the file in this encoding") from None


def _graphml(content: bytes) -> Any:
    import networkx

    graph = networkx.read_graphml(io.BytesIO(content))
    elements = ElementTree.fromstring(content).iter()
    declared = {element.get("id") for element in elements if element.tag.rpartition("}")[2] == "node"}
    return _only(graph, declared)


def _gml(content: bytes) -> Any:
    import networkx

    text = _text(content)
    try:
        return networkx.parse_gml(text, label="id")
    except networkx.NetworkXError as error:
        if not (str(error).startswith("edge #") and "is duplicated" in str(error)):
            raise
    # Many files with parallel edges lack the line that NetworkX needs. With it, `of_graph` can name the edges.
    return networkx.parse_gml(re.sub(r"^(\s*graph\s*\[)", r"\1 multigraph 1 ", text, count=1, flags=re.M), label="id")


def _node_link(content: bytes) -> Any:
    import networkx

    data = json.loads(content)
    key = next((key for key in ("edges", "links") if isinstance(data, dict) and key in data), None)
    if key is None or "nodes" not in data:
        raise ValueError("it has no 'nodes' and 'edges' (or 'links'), as networkx.node_link_data(graph) has")
    if plain := [node for node in data["nodes"] if not isinstance(node, dict)]:
        raise ValueError(f'the node {plain[0]!r} is not an object; write it as {{"id": {json.dumps(plain[0])}}}')
    for edge in data[key]:
        if not isinstance(edge, dict) or not {"source", "target"} <= edge.keys():
            raise ValueError(
                f"the edge {json.dumps(edge)} has no 'source' and 'target', as networkx.node_link_data(graph) calls an "
                "edge's ends"
            )
    data = {"directed": False, **data, "multigraph": True}  # otherwise repeated edges would be merged
    declared = set(networkx.node_link_graph({**data, key: []}, edges=key))
    return _only(networkx.node_link_graph(data, edges=key), declared)


def _edges(content: bytes) -> Any:
    import networkx

    return networkx.MultiGraph(read_edge_list(_text(content)))


def _simplified(graph: Any) -> Any:
    """The same graph, as a type without parallel edges if it has none."""
    import networkx

    simple = networkx.DiGraph(graph) if graph.is_directed() else networkx.Graph(graph)
    return simple if simple.number_of_edges() == graph.number_of_edges() else graph


def _only(graph: Any, declared: set[Any]) -> Any:
    """The graph, if its nodes are among these: NetworkX adds a node for every end of an edge."""
    if unknown := [node for node in graph if node not in declared]:
        raise ValueError(f"an edge names {unknown[0]!r}, which is not one of the graph's nodes")
    return graph


FORMATS = {
    "graphml": _Kind("GraphML", (".graphml", ".xml"), _graphml),
    "gml": _Kind("GML", (".gml",), _gml, "label"),
    "json": _Kind("node-link JSON", (".json",), _node_link),
    "edges": _Kind("a list of edges", (".edgelist", ".edges", ".txt", ".csv", ".tsv"), _edges),
}


def _labelled(graph: Any, kind: _Kind, label: str | None, file: str) -> Any:
    """The graph with the values of an attribute as its nodes."""
    import networkx

    wanted = kind.label if label is None else label
    values = {} if wanted == "id" else networkx.get_node_attributes(graph, wanted)
    if wanted == "id" or (label is None and not values):
        return graph
    there = f"{file}: label = {wanted!r} gives no names"
    advice = "label = 'id' uses the nodes' identifiers in the file."
    if missing := [node for node in graph if node not in values]:
        has = sorted({str(name) for _, attributes in graph.nodes(data=True) for name in attributes})
        others = f" (they have {', '.join(map(repr, has))})" if has and not values else ""
        raise ValueError(f"{there}: {len(missing)} of {len(graph)} nodes have no {wanted!r}{others}; {advice}")
    if repeated := repetitions(values.values()):
        count = sum(str(value) == repeated[0] for value in values.values())
        more = f", and {len(repeated) - 1} more of the names repeat" if len(repeated) > 1 else ""
        raise ValueError(f"{there}: {count} nodes are called {repeated[0]!r}{more}; {advice}")
    return networkx.relabel_nodes(graph, values)
