"""The agents' names: kept by every way to a network, and used by every sentence about it."""

from dataclasses import replace

import networkx
import numpy as np
import pandas
import pytest
from named_edges import joined
from scipy.sparse import csr_array

from hypergossip import networks

CITIES = ("Paris", "Rome", "Oslo", "Bern")
ROADS = [("Oslo", "Bern"), ("Rome", "Bern"), ("Paris", "Bern"), ("Rome", "Paris")]


def weights(network):
    """(name, name) -> W."""
    matrix = network.mixing.toarray()
    return {(a, b): matrix[i, j] for i, a in enumerate(network.names) for j, b in enumerate(network.names)}


@pytest.fixture
def roads():
    return networks.from_networkx(networkx.Graph(ROADS))


def test_nodes_are_names_and_edges_join_them(roads):
    assert roads.names == ("Oslo", "Bern", "Rome", "Paris")
    assert joined(roads) == set(map(frozenset, ROADS))
    degree = {name: sum(name in road for road in ROADS) for name in CITIES}
    for a, b in ROADS:
        assert weights(roads)[a, b] == pytest.approx(1 / (1 + max(degree[a], degree[b])), abs=1e-15)


def test_relabelled_takes_the_names_along(roads):
    moved = roads.relabelled([3, 1, 0, 2])
    assert moved.names == ("Paris", "Bern", "Oslo", "Rome")
    assert weights(moved) == weights(roads)


def test_there_and_back_with_names(roads):
    graph = roads.to_networkx()
    assert list(graph) == list(roads.names)
    assert {frozenset(edge) for edge in graph.edges} == joined(roads)
    assert all(weight == weights(roads)[a, b] for a, b, weight in graph.edges(data="weight"))
    for again in (
        networks.from_networkx(graph),
        networks.from_edges(4, ROADS, names=roads.names),
        networks.from_mixing(roads.mixing, names=roads.names),
        replace(networks.from_mixing(roads.mixing), names=roads.names),
    ):
        assert again.names == roads.names
        np.testing.assert_array_equal(again.mixing.toarray(), roads.mixing.toarray())


def test_names_keep_their_kind():
    lattice = networkx.grid_2d_graph(2, 3)
    assert networks.from_networkx(lattice).names == tuple(lattice)
    assert set(networks.from_networkx(lattice).to_networkx()) == {(i, j) for i in range(2) for j in range(3)}
    assert networks.from_networkx(networkx.Graph([(10, 30), (30, 20)])).names == (10, 30, 20)
    assert networks.from_edges(3, [(10, 30), ("30", 20)], names=[10, 20, 30]).edges.tolist() == [[0, 2], [1, 2]]


def test_numbers_are_no_names_and_decide_the_order():
    numbered = networks.from_networkx(networkx.Graph([(2, 0), (0, 1)]))
    assert numbered.names is None
    assert numbered.edges.tolist() == [[0, 1], [0, 2]]
    assert networks.ring(4).names is networks.from_edges(2, [(0, 1)]).names is None
    texts = networks.from_networkx(networkx.Graph([("2", "0"), ("0", "1")]))  # as read_graphml gives them
    assert texts.names == ("0", "1", "2")
    assert texts.edges.tolist() == [[0, 1], [0, 2]]
    many = networks.from_networkx(networkx.relabel_nodes(networkx.path_graph(12), str))
    assert many.edges.tolist() == [[i, i + 1] for i in range(11)]  # and not in the order of "0", "1", "10", "11", "2"


GRAPHS = {
    "a loop": (networkx.Graph([*ROADS, ("Rome", "Rome")]), r"Self-loops at agent 'Rome': graph\.remove_edges_from\("),
    "two loops": (networkx.Graph([*ROADS, ("Rome", "Rome"), ("Oslo", "Oslo")]), r"agents 'Oslo' and 'Rome':"),
    "a parallel edge": (
        networkx.MultiGraph([*ROADS, ("Bern", "Rome")]),
        r"between agents 'Bern' and 'Rome' occurs 2 times; .*so networkx\.Graph\(graph\) keeps one",
    ),
    "parallel edges": (
        networkx.MultiGraph([*ROADS, *ROADS, *ROADS[:1]]),
        r"'Oslo' and 'Bern' occurs 3 times, and 3 more pairs have several edges",
    ),
    "no nodes": (networkx.Graph(), "no nodes"),
    "alike": (networkx.Graph([(1, "1"), ("1", "a")]), "The name '1' occurs more than once"),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_graphs_are_refused_with_the_names_and_the_remedy(case):
    graph, words = GRAPHS[case]
    with pytest.raises(ValueError, match=words):
        networks.from_networkx(graph)


FACTS = {
    "one way": (
        networkx.DiGraph([*ROADS, *(road[::-1] for road in ROADS[1:])]),
        "symmetric",
        "agents 'Oslo' and 'Bern' have a one-way edge",
    ),
    "one way between numbers": (
        networkx.DiGraph([(0, 1), (1, 0), (1, 2)]),
        "connected",
        "agent 2 sends nothing to the others along the edges' direction",
    ),
    "a source": (
        networkx.DiGraph([("a", "b"), ("b", "c"), ("c", "b")]),
        "connected",
        "agent 'a' receives nothing from the others along the edges' direction",
    ),
    "parts": (
        networkx.Graph([*ROADS, ("Lima", "Quito")]),
        "connected",
        "agents 'Lima' and 'Quito' are cut off from the others (2 components)",
    ),
    "a part of one": (
        networkx.Graph({"a": ["b"], "c": []}),
        "connected",
        "agent 'c' is cut off from the others (2 components)",
    ),
}


@pytest.mark.parametrize("case", FACTS)
def test_what_a_graph_lacks_is_a_fact_with_the_names(case):
    graph, fact, said = FACTS[case]
    network = networks.from_networkx(graph)
    assert not getattr(network, fact)
    assert network.fault(fact) == said


def test_a_directed_graph_with_all_edges_both_ways_is_undirected():
    there_and_back = networks.from_networkx(networkx.DiGraph(networkx.Graph(ROADS)))
    np.testing.assert_array_equal(
        there_and_back.mixing.toarray(), networks.from_networkx(networkx.Graph(ROADS)).mixing.toarray()
    )
    assert (there_and_back.symmetric, there_and_back.directed) == (True, False)


def test_what_is_advised_mends_it():
    graph = networkx.MultiGraph([*ROADS, *ROADS, ("Rome", "Rome"), ("Lima", "Quito")])
    graph.remove_edges_from(networkx.selfloop_edges(graph))
    graph = networkx.Graph(graph)
    graph = graph.subgraph(max(networkx.connected_components(graph), key=len))
    assert joined(networks.from_networkx(graph)) == set(map(frozenset, ROADS))
    directed = networkx.DiGraph(ROADS).to_undirected()
    assert joined(networks.from_networkx(directed)) == set(map(frozenset, ROADS))


@pytest.mark.parametrize(
    ("edges", "names", "words"),
    [
        (
            [*ROADS, ("Rome", "Pariss")],
            CITIES,
            r"no agent 'Pariss', as in the edge \('Rome', 'Pariss'\): .*'Paris', 'R",
        ),
        ([(0, 1)], CITIES, "no agent '0', as in"),
        ([*ROADS, ("Rome",)], CITIES, r"pairs of agents; got \('Rome',\)"),
        (["ab"], ["a", "b", "c", "d"], "pairs of agents; got 'ab'"),
        ([*ROADS, ("Paris", "Rome")], CITIES, "agents 'Paris' and 'Rome' occurs 2 times; .*give each pair once"),
        ([*ROADS, ("Oslo", "Oslo")], CITIES, "Self-loops at agent 'Oslo': omit them"),
        (ROADS, CITIES[:3], "3 names for 4 agents"),
        (ROADS, [*CITIES[:3], "Paris"], "name 'Paris' occurs more than once"),
        (ROADS, "abcd", "the text 'abcd'"),
        (ROADS, set(CITIES), "names are a set, whose order changes from process to process; give a list"),
        (ROADS, frozenset(CITIES), "names are a frozenset, whose order"),
        (ROADS, [*CITIES[:3], []], r"\[\] cannot be an agent's name"),
        (ROADS, None, r"got an edge \('Oslo', 'Bern'\)\. To give edges by name, give all 4 names"),
    ],
)
def test_edges_between_names_are_refused_by_name(edges, names, words):
    with pytest.raises(ValueError, match=words):
        networks.from_edges(4, edges, names=names)


def test_sentences_about_a_matrix_use_the_names(roads):
    matrix = roads.mixing.toarray()
    matrix[0, 1] += 0.1
    with pytest.raises(ValueError, match=r"^agents 'Oslo' and 'Bern': W\[0,1\]=0\.35 but W\[1,0\]=0\.25"):
        networks.from_mixing(matrix, names=roads.names)
    swapped = networks.Network(csr_array(np.array([[0.0, 1.0], [1.0, 0.0]])), "mine", "mine", names=("a", "b"))
    assert str(swapped.fault("averages")).startswith("between agent 'a' on one side and agent 'b' on the other")
    with pytest.raises(ValueError, match="2 names for 4 agents"):
        replace(roads, names=("a", "b"))


def test_a_number_for_names_is_refused(unchecked):
    with pytest.raises(ValueError, match=r"^The names are 4; give a sequence"):
        networks.from_edges(4, ROADS, names=4)


def test_collections_with_an_order_may_have_the_names(roads):
    graph = roads.to_networkx()
    for names in (graph.nodes, dict.fromkeys(CITIES), dict.fromkeys(CITIES).keys(), iter(CITIES), np.array(CITIES)):
        assert set(networks.from_edges(4, ROADS, names=names).names) == set(CITIES)


def test_the_index_of_a_frame_has_the_names(roads):
    matrix, names = roads.mixing.toarray(), list(roads.names)
    named = networks.from_mixing(pandas.DataFrame(matrix, names, names))
    assert named.names == roads.names
    np.testing.assert_array_equal(named.mixing.toarray(), matrix)
    assert networks.from_mixing(pandas.DataFrame(matrix, names, names), names=names).names == roads.names
    # The numbers of a frame that has no names say nothing, and those in another order say who is who.
    assert networks.from_mixing(pandas.DataFrame(matrix)).names is None
    assert networks.from_mixing(pandas.DataFrame(matrix), names=names).names == roads.names
    mixed = pandas.DataFrame(matrix).loc[[2, 0, 3, 1], [2, 0, 3, 1]]
    np.testing.assert_array_equal(networks.from_mixing(mixed).mixing.toarray(), matrix)
    assert networks.from_mixing(mixed).names is None


def test_a_frame_that_contradicts_itself_is_refused(roads):
    matrix, names = roads.mixing.toarray(), list(roads.names)
    with pytest.raises(ValueError, match=r"row 0 is 'Oslo' and column 0 is '\w+'\. .*frame\.to_numpy\(\)\.$"):
        networks.from_mixing(pandas.DataFrame(matrix, names, names[::-1]))
    with pytest.raises(ValueError, match=r"row 0 is 0 and column 0 is 'Oslo'"):
        networks.from_mixing(pandas.DataFrame(matrix, columns=names))
    with pytest.raises(ValueError, match="index has other names than names="):
        networks.from_mixing(pandas.DataFrame(matrix, names, names), names=names[::-1])
    with pytest.raises(ValueError, match="name 'Oslo' occurs more than once"):
        networks.from_mixing(pandas.DataFrame(matrix, ["Oslo"] * 4, ["Oslo"] * 4))
    with pytest.raises(ValueError, match=r"got shape \(4, 3\)"):
        networks.from_mixing(pandas.DataFrame(matrix[:, :3], names))
