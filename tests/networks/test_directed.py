"""Directed networks: whose rows and columns sum to one, which way edges go, and what their facts are."""

import networkx
import numpy as np
import pandas
import pytest

from hypergossip import networks

EDGES = [*((i, (i + 1) % 6) for i in range(6)), (0, 3), (0, 4)]
CHORDS = networks.from_edges(6, EDGES, directed=True)


def test_agents_pull_from_their_senders_and_push_to_their_receivers():
    A, B = CHORDS.mixing.toarray(), CHORDS.push.toarray()
    np.testing.assert_allclose(A.sum(axis=1), 1, rtol=0, atol=1e-15)
    np.testing.assert_allclose(B.sum(axis=0), 1, rtol=0, atol=1e-15)
    joined = {(j, i) for i, j in np.argwhere(A > 0).tolist() if i != j}
    assert joined == set(EDGES)
    np.testing.assert_array_equal(A > 0, B > 0)
    np.testing.assert_allclose(A[3], [1 / 3, 0, 1 / 3, 1 / 3, 0, 0])  # its own value, and those of 0 and 2
    np.testing.assert_allclose(B[:, 0], [1 / 4, 1 / 4, 0, 1 / 4, 1 / 4, 0])  # what it keeps, and what it sends
    assert CHORDS.degrees.tolist() == [3, 1, 1, 1, 1, 1]
    assert sorted(map(tuple, CHORDS.edges.tolist())) == sorted(EDGES)
    facts = (
        CHORDS.symmetric,
        CHORDS.doubly_stochastic,
        CHORDS.pushes,
        CHORDS.directed,
        CHORDS.connected,
        CHORDS.averages,
    )
    assert facts == (False, False, True, True, True, True)
    assert CHORDS.lambda_ == pytest.approx(np.sort(np.abs(np.linalg.eigvals(A)))[-2])


def test_lazy_weights_are_half_the_identity():
    lazy = networks.from_edges(6, EDGES, weights="lazy-uniform", directed=True)
    np.testing.assert_array_equal(lazy.mixing.toarray(), (np.eye(6) + CHORDS.mixing.toarray()) / 2)
    np.testing.assert_array_equal(lazy.push.toarray(), (np.eye(6) + CHORDS.push.toarray()) / 2)


def test_there_and_back_through_networkx_and_matrices():
    graph = CHORDS.to_networkx()
    assert set(graph.edges) == set(EDGES)
    assert graph[2][3]["weight"] == CHORDS.mixing[3, 2]
    again = networks.from_networkx(graph)
    given = networks.from_mixing(CHORDS.mixing, push=CHORDS.push)
    for one in (again, given):
        np.testing.assert_array_equal(one.mixing.toarray(), CHORDS.mixing.toarray())
        np.testing.assert_array_equal(one.push.toarray(), CHORDS.push.toarray())
    order = [5, 0, 4, 1, 3, 2]
    moved = CHORDS.relabelled(order)
    np.testing.assert_array_equal(moved.push.toarray(), CHORDS.push.toarray()[np.ix_(order, order)])


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13])
def test_circulant_digraphs_are_doubly_stochastic(n):
    for network in (networks.directed_ring(n), networks.directed_exponential(n)):
        W = network.mixing.toarray()
        assert network.push is None
        np.testing.assert_allclose([W.sum(axis=0), W.sum(axis=1)], 1, rtol=0, atol=1e-15)
        assert network.averages
    senders = {i: {(i + 2**k) % n for k in range((n - 1).bit_length())} for i in range(n)}
    graph = networks.directed_exponential(n).mixing.toarray()
    assert {i: set(np.flatnonzero(graph[i]).tolist()) - {i} for i in range(n)} == senders


def test_many_agents_have_the_same_lambda_as_the_circulant_formula():
    n = 1200  # beyond dense eigenvalues
    roots = np.exp(2j * np.pi * np.arange(1, n) / n)
    expected = np.abs(1 + sum(roots ** (2**k) for k in range(11))).max() / 12
    assert networks.directed_exponential(n).lambda_ == pytest.approx(expected, abs=1e-10)


def test_frames_of_pulling_and_pushing_are_paired_by_name():
    names = list("fbdace")
    A, B = (pandas.DataFrame(W.toarray(), names, names) for W in (CHORDS.mixing, CHORDS.push))
    order = list("abcdef")
    network = networks.from_mixing(A, push=B.loc[order, order])
    np.testing.assert_array_equal(network.push.toarray(), CHORDS.push.toarray())
    with pytest.raises(ValueError, match="those of other agents"):
        networks.from_mixing(A, push=B.rename(index={"a": "z"}, columns={"a": "z"}))


def test_a_push_that_is_the_mixing_itself_is_none():
    ring = networks.ring(4)
    assert networks.from_mixing(ring.mixing, push=ring.mixing).one_matrix


def test_uniform_weights_are_kept_where_all_edges_go_both_ways():
    both = networks.from_edges(3, [(0, 1), (1, 0), (1, 2), (2, 1)], weights="uniform", directed=True)
    np.testing.assert_allclose(both.mixing.toarray()[1], 1 / 3)
    np.testing.assert_allclose(both.push.toarray()[:, 1], 1 / 3)


def test_permutations_of_many_agents_do_not_average():
    for n in (3, 1200):
        assert networks.from_mixing(np.roll(np.eye(n), 1, axis=1)).averages is False
    chord = np.roll(np.eye(5), 1, axis=1)
    chord[0] = [0, 0.5, 0.5, 0, 0]  # cycles of five and of four agents
    assert networks.from_mixing(chord).averages


def test_edges_in_both_directions_are_one_undirected_edge():
    both = networks.from_edges(3, [(0, 1), (1, 0), (1, 2), (2, 1)], directed=True)
    np.testing.assert_array_equal(both.mixing.toarray(), networks.path(3).mixing.toarray())
    assert both.weights == "metropolis"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: networks.from_edges(3, [(0, 1), (1, 2)], "metropolis", directed=True),
            "'metropolis' weights need edges",
        ),
        (
            lambda: networks.from_edges(3, [(0, 1), (1, 2)], "best", directed=True),
            "no weights 'best'; choose 'uniform'",
        ),
        (lambda: networks.ring(4, "uniform"), "'uniform' weights are those of directed graphs"),
        (lambda: networks.directed_ring(4, "laplacian"), "'laplacian' weights need edges in both directions"),
        (lambda: networks.from_edges(3, [(0, 1), (0, 1)], directed=True), "from agent 0 to 1 occurs 2 times"),
        (lambda: networks.from_networkx(networkx.MultiDiGraph([(0, 1), (0, 1)])), r"networkx\.DiGraph\(graph\) keeps"),
        (lambda: networks.from_edges(2, [(1, 1)], directed=True), "Self-loops at agent 1"),
        (
            lambda: networks.from_mixing(CHORDS.push),
            "but all columns do. These are weights with which values are pushed",
        ),
        (lambda: networks.from_mixing(CHORDS.mixing, push=CHORDS.mixing), "column 0 of the weights with which values"),
        (lambda: networks.from_mixing(CHORDS.mixing, push=np.eye(6)), "zero and the other is not; both belong"),
        (lambda: networks.from_mixing(CHORDS.mixing.astype(np.float32)), "not to 1; rescale the weights in float64"),
        (lambda: networks.from_mixing(CHORDS.mixing, push=np.eye(5)), r"got shape \(5, 5\)"),
        (lambda: networks.from_edges(4, [(0, 1), (2, 3)], "fastest"), "need a connected graph"),
    ],
)
def test_what_is_no_directed_network_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
