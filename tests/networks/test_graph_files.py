"""Networks from files: as NetworkX writes them, as other programs and people do, and as they should be refused."""

import bz2
import gzip
import importlib.resources
import json

import networkx
import numpy as np
import pytest
from named_edges import joined, written

import hypergossip as hg
from hypergossip import networks

GRAPH = networkx.Graph(
    [("New York", "Chicago"), ("Chicago", "Kyōto"), ("Kyōto", "O'Hare & <co>"), ("Kyōto", "New York")]
)
WRITERS = {
    "graphml": networkx.write_graphml,
    "gml": networkx.write_gml,
    "json": lambda graph, path: path.write_text(json.dumps(networkx.node_link_data(graph))),
    "links.json": lambda graph, path: path.write_text(json.dumps(networkx.node_link_data(graph, edges="links"))),
    "tsv": lambda graph, path: networkx.write_edgelist(graph, path, delimiter="\t"),
    "csv": lambda graph, path: networkx.to_pandas_edgelist(graph).to_csv(path, index=False),
    "edgelist": lambda graph, path: networkx.write_edgelist(graph, path, delimiter=", "),
    "txt.gz": lambda graph, path: networkx.write_edgelist(graph, path, delimiter=";", data=False),
    "graphml.bz2": networkx.write_graphml,
}
TOPOLOGIES = importlib.resources.files("topohub") / "data"


def pairs(graph):
    return {frozenset(map(str, edge)) for edge in graph.edges}


@pytest.mark.parametrize("ending", WRITERS)
def test_what_networkx_writes_is_read(tmp_path, ending):
    path = tmp_path / f"cities.{ending}"
    WRITERS[ending](GRAPH, path)
    network = networks.from_file(path, weights="laplacian")
    assert joined(network) == pairs(GRAPH)
    assert network.weights == "laplacian"
    assert network.name == path.name.split(".")[0] + (".links" if "links" in ending else "")
    assert joined(networks.from_file(str(path))) == pairs(GRAPH)
    assert pairs(networks.read_graph(path)) == pairs(GRAPH)


@pytest.mark.parametrize("ending", WRITERS)
def test_nodes_that_were_numbers_keep_them(tmp_path, ending):
    graph = networkx.Graph([(11, 3), *networkx.path_graph(12).edges])  # begins with 11
    path = tmp_path / f"numbers.{ending}"
    WRITERS[ending](graph, path)
    network = networks.from_file(path)
    np.testing.assert_array_equal(network.mixing.toarray(), networks.from_networkx(graph).mixing.toarray())


@pytest.mark.parametrize("ending", ["graphml", "gml", "json", "edgelist"])
def test_attributes_and_weights_are_not_looked_at(tmp_path, ending):
    graph = GRAPH.copy()
    networkx.set_edge_attributes(graph, {edge: {"weight": 2.5, "kind": "a, b"} for edge in graph.edges})
    networkx.set_node_attributes(graph, 7, "size")
    path = tmp_path / f"cities.{ending}"
    WRITERS[ending](graph, path)
    assert joined(networks.from_file(path)) == pairs(GRAPH)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("ending", ["graphml", "gml", "json", "csv"])
def test_a_byte_order_mark_and_packing_change_nothing(tmp_path, ending, mark):
    plain = tmp_path / f"cities.{ending}"
    WRITERS[ending](GRAPH, plain)
    content = mark + plain.read_bytes()
    for name, packed in (("a.GZ", gzip.compress(content)), ("a.bz2", bz2.compress(content)), ("a", content)):
        path = written(tmp_path, f"{ending}.{name}", packed)
        assert joined(networks.from_file(path, format="edges" if ending == "csv" else ending)) == pairs(GRAPH)


LABELLED = 'graph [ node [ id 4 label "A" ] node [ id 7 label "{}" ] edge [ source 4 target 7 ] ]'


def test_labels_of_gml_are_names_where_they_do_not_repeat(tmp_path):
    path = written(tmp_path, "a.gml", LABELLED.format("B"))
    assert networks.from_file(path).names == ("A", "B")
    assert networks.from_file(path, label="id").names == (4, 7)
    twice = written(tmp_path, "b.gml", LABELLED.format("A"))
    with pytest.raises(ValueError, match=r"^b\.gml: label = 'label' .*: 2 nodes are called 'A'; label = 'id' uses"):
        networks.from_file(twice)
    assert networks.from_file(twice, label="id").names == (4, 7)
    some = written(tmp_path, "c.gml", LABELLED.replace('label "{}"', ""))
    with pytest.raises(ValueError, match=r"1 of 2 nodes have no 'label'; label = 'id' uses"):
        networks.from_file(some)
    none = written(tmp_path, "d.gml", LABELLED.replace('label "{}"', "").replace('label "A"', ""))
    assert networks.from_file(none).names == (4, 7)


def test_any_attribute_can_have_the_names(tmp_path):
    graph = networkx.Graph([(0, 1), (1, 2)])
    networkx.set_node_attributes(graph, {0: "a", 1: "b", 2: "c"}, "name")
    for ending in ("graphml", "gml", "json"):
        path = tmp_path / f"named.{ending}"
        WRITERS[ending](graph, path)
        assert networks.from_file(path, label="name").names == ("a", "b", "c")
        with pytest.raises(ValueError, match=r"3 of 3 nodes have no 'city' \(they have .*'name'\); label = 'id'"):
            networks.from_file(path, label="city")


PARALLEL = networkx.MultiGraph([("a", "b"), ("b", "c"), ("c", "b")])
HAND_MADE = {  # where NetworkX would see one edge, or none
    "x.gml": 'graph [ node [ id 0 label "b" ] node [ id 1 label "c" ] ' + 2 * "edge [ source 0 target 1 ] " + "]",
    "x.json": '{"nodes": [{"id": "b"}, {"id": "c"}], "links": [{"source": "b", "target": "c"}, '
    '{"source": "c", "target": "b"}]}',
    "x.csv": "b,c\nc,b",
}


@pytest.mark.parametrize("ending", ["graphml", "gml", "json", "tsv", *HAND_MADE])
def test_parallel_edges_are_refused_by_name_and_mended_as_advised(tmp_path, ending):
    if ending in HAND_MADE:
        path = written(tmp_path, ending, HAND_MADE[ending])
    else:
        path = tmp_path / f"x.{ending}"
        WRITERS[ending](PARALLEL, path)
    with pytest.raises(
        ValueError, match=r"^x\.\w+: The edge between agents 'b' and 'c' occurs 2 times; .*Graph"
    ) as told:
        networks.from_file(path)
    advice = (
        f"networkx.Graph(graph) keeps one edge of each pair, where graph = hypergossip.networks.read_graph('{path}')"
    )
    assert advice in str(told.value)
    mended = networks.from_networkx(networkx.Graph(networks.read_graph(path)))
    assert frozenset(("b", "c")) in joined(mended)


REFUSED = {
    "unknown ending": (
        "a.dot",
        "x",
        r"a\.dot ends in none of \.graphml, .*give its format, one of 'graphml', ",
    ),
    "no ending": ("a.gz", gzip.compress(b"x"), r"a\.gz ends in none of"),
    "empty": ("a.gml", " \n", r"^a\.gml is empty\.$"),
    "only a comment": ("a.txt", "# nothing\n", r"^a\.txt: The graph has no nodes"),
    "no nodes": ("a.json", '{"nodes": [], "edges": []}', "The graph has no nodes"),
    "cut off": ("a.json", '{"nodes": [{"id": ', r"^a\.json cannot be read as node-link JSON: Expecting value"),
    "another JSON": ("a.json", "[1, 2]", r"no 'nodes' and 'edges' \(or 'links'\), as networkx\.node_link_data"),
    "no graph": ("a.gml", "Creator 1", r"cannot be read as GML: input contains no graph\.$"),
    "not closed": ("a.gml", "graph [ node [ id 0 ", r"a\.gml cannot be read as GML: expected"),
    "not XML": ("a.graphml", "<graphml", r"a\.graphml cannot be read as GraphML: .*line 1"),
    "another XML": ("a.xml", "<html></html>", "cannot be read as GraphML: file not successfully read as graphml"),
    "not UTF-8": ("a.csv", b"a,\xff", "cannot be read as a list of edges: byte 2 is not UTF-8; save"),
    "damaged packing": ("a.csv.gz", b"a,b", r"a\.csv\.gz cannot be unpacked: Not a gzipped file"),
    "short packing": ("a.csv.bz2", bz2.compress(b"a,b")[:-9], r"a\.csv\.bz2 cannot be unpacked"),
    "ends of other names": (
        "a.json",
        '{"nodes": [{"id": 1}, {"id": 2}], "edges": [{"from": 1, "to": 2}]}',
        r"""the edge {"from": 1, "to": 2} has no 'source' and 'target', as networkx\.node_link_data""",
    ),
    "edges as pairs": (
        "a.json",
        '{"nodes": [{"id": 1}, {"id": 2}], "edges": [[1, 2]]}',
        r"edge \[1, 2\] has no 'source'",
    ),
    "nodes as plain names": (
        "a.json",
        '{"nodes": ["a", "b"], "edges": [{"source": "a", "target": "b"}]}',
        r"""the node 'a' is not an object; write it as {"id": "a"}""",
    ),
    "an unknown node in JSON": (
        "a.json",
        '{"nodes": [{"id": "a"}, {"id": "b"}], "edges": [{"source": "a", "target": "B"}]}',
        "an edge names 'B', which is not one of the graph's nodes",
    ),
    "an unknown node in GraphML": (
        "a.graphml",
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="undirected"><node id="a"/>'
        '<edge source="a" target="b"/></graph></graphml>',
        "an edge names 'b', which is not one of the graph's nodes",
    ),
    "an unknown node in GML": ("a.gml", "graph [ node [ id 0 ] edge [ source 0 target 1 ] ]", "undefined target 1"),
    "a node twice": ("a.gml", "graph [ node [ id 0 ] node [ id 0 ] ]", "node id 0 is duplicated"),
    "a loop": ("a.csv", "a,b\nb,b", r"Self-loops at agent 'b': graph.remove_edges_from\(.*, where graph = hypergossip"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, case):
    name, content, words = REFUSED[case]
    with pytest.raises(ValueError, match=words) as told:
        networks.from_file(written(tmp_path, name, content))
    assert "\n" not in str(told.value)


def test_a_directed_graph_and_one_of_several_parts_are_read_with_their_facts(tmp_path):
    one_way = networks.from_file(written(tmp_path, "a.gml", LABELLED.format("B").replace("[", "[ directed 1", 1)))
    assert one_way.directed
    assert (one_way.names, one_way.weights) == (("A", "B"), "uniform")
    assert one_way.fault("symmetric") == "agents 'A' and 'B' have a one-way edge"
    parts = networks.from_file(written(tmp_path, "a.csv", "a,b\nc,d\nd,e"))
    assert parts.fault("connected") == "agents 'a' and 'b' are cut off from the others (2 components)"


def test_other_wrong_calls_get_advice(tmp_path):
    good = written(tmp_path, "a.txt", "a b")
    for path, options, words in (
        ("absent.gml", {}, r"absent\.gml cannot be read \(No such file .*starts from the working directory"),
        (tmp_path, {"format": "gml"}, r"cannot be read \(Is a directory\)"),
        (good, {"format": "dot"}, "format is 'dot'; choose one of graphml, gml, json, edges"),
        (good, {"weights": "metropolys"}, "no weights called 'metropolys'"),
        (good, {"label": "name"}, "2 of 2 nodes have no 'name'; label = 'id'"),
    ):
        with pytest.raises(ValueError, match=words):
            networks.from_file(path, **options)


@pytest.mark.parametrize("group", ["topozoo", "sndlib"])
def test_every_real_topology_is_read_or_says_why_not(group):
    for path in sorted((TOPOLOGIES / group).iterdir(), key=str):
        data = json.loads(path.read_text())
        network = networks.from_file(path)
        ids, names = ([node[key] for node in data["nodes"]] for key in ("id", "name"))
        links = [frozenset((str(edge["source"]), str(edge["target"]))) for edge in data["edges"]]
        assert network.agents == len(ids)
        assert len(network.edges) == len(links)
        assert joined(network) == set(links)
        if path.name == "Geant2012.json":  # its numbers have gaps
            assert network.names == tuple(ids) != tuple(map(str, range(len(ids))))
        if len(set(names)) == len(names):
            named, by_id = networks.from_file(path, label="name"), dict(zip(map(str, ids), names))
            assert named.names == tuple(names)
            assert joined(named) == {frozenset(by_id[end] for end in link) for link in links}
        else:
            with pytest.raises(ValueError, match="nodes are called"):
                networks.from_file(path, label="name")


def test_a_run_on_a_real_topology_pairs_its_nodes_with_the_problem_s_agents():
    network = networks.from_file(TOPOLOGIES / "topozoo" / "Abilene.json", label="name")
    order = sorted(network.names)
    plain = hg.problems.quadratic(agents=11)
    named = hg.Problem.from_oracles(
        plain.oracles, x0=plain.upper.unravel(plain.x0), y0=plain.lower.unravel(plain.y0), names=order
    )
    hand = network.relabelled([network.names.index(name) for name in order])
    algorithm = hg.DSGD(0.05, 0.1, hg.Exact())
    runs = [
        hg.solve(algorithm, problem, chosen, rounds=4, check=False, measure=False)
        for problem, chosen in ((named, network), (plain, hand), (plain, network))
    ]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    assert np.abs(runs[0].x - runs[2].x).max() > 1e-6
