"""Node and agent of the same name are one, in whatever order either side lists them."""

import networkx
import numpy as np
import pytest
from mpe2 import simple_spread_v3

import hypergossip as hg
from hypergossip.networks.pairing import paired
from hypergossip.problems.actor_critic import actor_critic, from_parallel, navigation

ORDER = ("d", "b", "a", "c")
EDGES = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]
GRAPH = networkx.Graph(EDGES)  # its nodes come as a, b, c, d
ALGORITHM = hg.GTSGD(0.1, 0.2, hg.ConjugateGradient(5))


def lower(x, y, batch):
    return 0.5 * ((y - batch["t"].mean(axis=0)) ** 2).sum() + 0.5 * ((y - x) ** 2).sum()


def upper(x, y, batch):
    return ((y - batch["t"].mean(axis=0)) ** 2).sum() + 0.1 * (x**2).sum()


def problem(order=ORDER, named=True):
    """Every agent has a target of its own, which goes with its name."""
    data = {"t": np.array([np.full((2, 2), float(ord(name) ** 2 % 7)) for name in order])}
    names = {"names": list(order)} if named else {}
    return hg.Problem(upper, lower, upper_data=data, lower_data=data, x0=np.zeros(2), y0=np.zeros(2), **names)


def by_hand(order):
    """The Metropolis matrix in this order of the names, from the edges alone."""
    degree = {name: sum(name in edge for edge in EDGES) for name in order}
    W = np.array(
        [[((a, b) in EDGES or (b, a) in EDGES) / (1 + max(degree[a], degree[b])) for b in order] for a in order]
    )
    return W + np.diag(1 - W.sum(axis=1))


def solved(about, network, **options):
    return hg.solve(ALGORITHM, about, network, rounds=6, observe_every=3, **options)


def test_the_edges_join_the_right_agents():
    network = hg.networks.from_networkx(GRAPH)
    assert network.names != ORDER
    there = paired(problem(), network)
    assert there.names == ORDER
    np.testing.assert_allclose(there.mixing.toarray(), by_hand(ORDER), atol=1e-15)
    assert paired(problem(network.names), network) is network


def test_solve_is_that_of_the_network_permuted_by_hand():
    ours = solved(problem(), hg.networks.from_networkx(GRAPH))
    hand = solved(problem(named=False), hg.networks.from_mixing(by_hand(ORDER)))
    np.testing.assert_allclose(ours.x, hand.x, rtol=0, atol=1e-14)
    np.testing.assert_allclose(ours.history["metric"], hand.history["metric"], rtol=1e-12)
    elsewhere = solved(problem(sorted(ORDER)), hg.networks.from_networkx(GRAPH))  # the same agents in another order
    for place, name in enumerate(sorted(ORDER)):
        np.testing.assert_allclose(elsewhere.x[place], ours.x[ORDER.index(name)], rtol=0, atol=1e-13)
    unlike = solved(problem(named=False), hg.networks.from_networkx(GRAPH))  # by position: other neighbours
    assert np.abs(unlike.x - hand.x).max() > 1e-3


def test_tune_pairs_by_name():
    grid = {"upper_step": [0.05, 0.1]}
    told = [
        hg.tune(ALGORITHM, about, network, grid=grid, rounds=5, seeds=1).table["score"]
        for about, network in (
            (problem(), hg.networks.from_networkx(GRAPH)),
            (problem(named=False), hg.networks.from_mixing(by_hand(ORDER))),
        )
    ]
    np.testing.assert_allclose(*told, rtol=1e-12)


def test_without_names_on_either_side_the_position_decides():
    for about, network in (
        (problem(named=False), hg.networks.from_networkx(GRAPH)),
        (problem(), hg.networks.ring(4)),
        (problem(named=False), hg.networks.ring(4)),
    ):
        assert paired(about, network) is network


def test_numbers_that_name_the_agents_are_the_network_s_numbers():
    graph = networkx.Graph([(2, 0), (0, 3), (3, 1)])
    about = problem(["2", "0", "3", "1"])  # list(graph), as its data may be ordered, too
    for network in (
        hg.networks.from_networkx(graph),
        hg.networks.from_networkx(networkx.relabel_nodes(graph, str)),
        hg.networks.from_networkx(networkx.relabel_nodes(graph, {0: "0", 1: "1"})),
    ):
        there = paired(about, network)
        assert tuple(map(str, there.names)) == about.names
        assert there.edges.tolist() == [[0, 1], [1, 2], [2, 3]]


LONG = networkx.relabel_nodes(networkx.path_graph(9), "n{}".format)


@pytest.mark.parametrize(
    ("names", "words", "graph"),
    [
        (list("abce"), "only the problem has 'e', and only the network has 'd'. Give both the same names", GRAPH),
        (list("pqrs"), "only the problem has 'p', 'q', 'r', 's', and only the network has 'a', 'b', 'c', 'd'", GRAPH),
        (list("abcD"), "only the problem has 'D', and", GRAPH),
        (list("abcd"), r"only the problem has 'a', 'b', 'c', 'd', and only the .*'n4' and 4 more", LONG),
    ],
)
def test_other_names_are_refused(names, words, graph):
    for call in (paired, lambda about, network: solved(about, network, check=False)):
        with pytest.raises(ValueError, match=words):
            call(problem(names), hg.networks.from_networkx(graph))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b"], "are 2 names for 4 agents"),
        (["a", "b", "c", "a"], "name 'a' occurs more than once"),
        ([1, "1", 2, 3], "name '1' occurs more than once"),
        ("abcd", "the text 'abcd'"),
    ],
)
def test_names_are_one_for_each_agent(names, words):
    with pytest.raises(ValueError, match=words):
        hg.Problem.from_oracles(problem().oracles, x0=np.zeros(2), y0=np.zeros(2), names=names)


def test_names_go_with_their_agents_and_into_messages():
    about = problem()
    assert about.names == ORDER
    assert about.relabelled([2, 0, 3, 1]).names == ("a", "d", "c", "b")
    assert about.agent_label(2) == "agent 2 ('a')"
    unnamed = problem(named=False)
    assert unnamed.names is None
    assert unnamed.relabelled([1, 0, 2, 3]).names is None
    assert unnamed.agent_label(2) == "agent 2"


def test_a_game_s_agents_have_their_names():
    game = from_parallel(lambda: simple_spread_v3.parallel_env(N=4), horizon=3)
    about = actor_critic(game, episodes=1, test_episodes=1)
    assert about.names == ("agent_0", "agent_1", "agent_2", "agent_3")
    graph = networkx.relabel_nodes(GRAPH, dict(zip(ORDER, about.names)))  # its nodes come in another order
    network = paired(about, hg.networks.from_networkx(graph))
    np.testing.assert_allclose(network.mixing.toarray(), by_hand(ORDER), atol=1e-15)
    assert actor_critic(navigation(2), episodes=1, test_episodes=1).names is None
