"""Lists of edges in files: headings, comments and further columns, and what is no list of edges."""

import pytest
from named_edges import joined, written

from hypergossip import networks

LISTS = {
    "blanks": "# cities\n\na b\nb   c # an edge\n\tc\td\n",
    "numbers behind": "a b 1.5\nb c 2\nc d 1e-3",
    "quotation marks": '"a" b\nb "c"\n c  d ',
    "commas": "a, b\nb,c\nc , d\n",
    "columns": "a,b,fibre,3\nb,c,copper,\nc,d,,",
    "a heading": "Source,Target,Type\na,b,Undirected\nb,c,Undirected\nc,d,Undirected",
    "a mark and carriage returns": "\ufefffrom;to\r\na;b\r\nb;c\r\nc;d\r\n",
    "a quoted heading": '"source","target"\n"a","b"\n"b","c"\n"c","d"',
    "SNAP's heading": "id_1,id_2\na,b\nb,c\nc,d",
    "a heading of columns": "node1,node2,colour\na,b,red\nb,c,red\nc,d,blue",
    "a heading in capitals": "SRC\tDST\na\tb\nb\tc\nc\td",
    "a heading with blanks": "source target weight\na b 1\nb c 1\nc d 1",
    "a heading of two words": "from to\na b\nb c\nc d",
    "per cent": "% sym unweighted\n% 3 4 4\na b\nb c\n%% end\nc d",
    "two numbers behind": "a b 1 1\nb c 1 2\nc d 2 1",
    "a comment after a blank": "a b # north, south\nb c\nc d",
}


@pytest.mark.parametrize("case", LISTS)
def test_lists_that_people_write(tmp_path, case):
    network = networks.from_file(written(tmp_path, "list.txt", LISTS[case]))
    assert network.names == ("a", "b", "c", "d")
    assert network.edges.tolist() == [[0, 1], [1, 2], [2, 3]]


@pytest.mark.parametrize("mark", [" ", ",", "\t"])
def test_a_first_line_whose_words_are_nodes_of_other_lines_is_an_edge(tmp_path, mark):
    for text in ("u v\nv w\nw u", "id1 id2\nid2 id3", "u v", "src dst 2\ndst a 3"):
        network = networks.from_file(written(tmp_path, "list.txt", text.replace(" ", mark)))
        assert joined(network) == {frozenset(line.split()[:2]) for line in text.splitlines()}
    described = written(tmp_path, "list.txt", "u v weight\nv w 1\nw u 2".replace(" ", mark))
    assert joined(networks.from_file(described)) == {frozenset("vw"), frozenset("wu")}


def test_numbers_behind_that_cannot_be_neighbours_are_weights(tmp_path):
    for text in (
        "0 1 1 1\n1 2 2 1",
        "0 1 2 7\n1 2 0 7",
        "0 1 2\n1 2 0\n",
        "source,target,a,b\n0,1,2,3\n1,2,3,0\n2,3,0,1",
    ):
        network = networks.from_file(written(tmp_path, "list.txt", text))
        assert network.edges.tolist() == [[i, i + 1] for i in range(network.agents - 1)]


def test_names_in_lists_may_have_blanks_commas_and_number_signs(tmp_path):
    for text in ('"New York, NY",Router #1', "New York, NY\tRouter #1", "New York, NY\tRouter #1\tx"):
        network = networks.from_file(written(tmp_path, "list.csv", text))
        assert network.names == ("New York, NY", "Router #1")


REFUSED = {
    "one name": ("a.txt", "a b\nc\n", "line 2 has one name, but an edge has two: 'c'"),
    "one name and a comma": ("a.csv", "a,b\n\nb,\n", "line 3 has one name"),
    "names with blanks": (
        "a.txt",
        "New York Chicago\n",
        "line 1 has more than two names: 'New York Chicago'; put names",
    ),
    "an adjacency list": (
        "a.txt",
        "0 1 2 3\n1 2 3 0\n2 3 0 1\n3 0 1 2\n",
        r"line 1 names 4 nodes, '0 1 2 3', and looks like .*adjacency list; write one edge on each line, or pass ",
    ),
    "an adjacency list with commas": ("a.csv", "0,1\n1,2,3,0\n2,3\n", "line 2 names 4 nodes"),
    "a matrix": (
        "a.txt",
        "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 2\n",
        r"MatrixMarket format; read it by scipy\.io\.mmread",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_list_of_edges_is_refused_in_one_sentence(tmp_path, case):
    name, content, words = REFUSED[case]
    with pytest.raises(ValueError, match=rf"^{name} cannot be read as a list of edges: .*{words}") as told:
        networks.from_file(written(tmp_path, name, content))
    assert "\n" not in str(told.value)
