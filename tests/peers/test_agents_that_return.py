"""What an agent that fails and returns needs: equal weights at both ends, a checkpoint, and sums without its links."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.peers import agent_checkpoint
from hypergossip.peers.agent_settings import AgentSettings, Neighbour
from hypergossip.peers.exchange import Stopped
from hypergossip.peers.openings import metropolis_weights
from hypergossip.peers.own_program import OwnProgram
from hypergossip.peers.round_program import Transfer
from hypergossip.peers.standalone import RunningAgent
from hypergossip.support.ports import free_ports
from laws.table import METHODS
from refusals import refused

RUN, DIGEST = "ab" * 16, bytes(16)
WITH_SUMS = [name for name, row in METHODS.items() if row.algorithm.vectors.masses or row.algorithm.vectors.differences]


def test_both_ends_have_the_weight_of_the_network():
    network = hg.networks.erdos_renyi(9, 0.4, seed=1)
    W, degrees = network.mixing.toarray(), np.asarray(network.degrees)
    for i in range(9):
        who = [j for j in range(9) if j != i and W[i, j] != 0]
        found = metropolis_weights(len(who), {j: int(degrees[j]) for j in who}, dict.fromkeys(who))
        np.testing.assert_allclose(found, W[i, who], rtol=1e-15)


def test_a_neighbour_of_unknown_degree_has_no_weight():
    assert metropolis_weights(2, {4: 3}, {4: None, 7: None}).tolist() == [0.25, 0.0]
    assert metropolis_weights(2, {}, {4: 0.3}).tolist() == [0.3]


def program(method) -> OwnProgram:
    neighbours = (Neighbour("b", 1, "tcp/127.0.0.1:1"), Neighbour("c", 2, "tcp/127.0.0.1:2"))
    problem = hg.problems.quadratic(3, 4, 3, noise=0.1, share="both" if method is SLAM else "upper")
    own = OwnProgram(AgentSettings("a", 0, 3, RUN, "tcp/127.0.0.1:3", neighbours, method, problem, 10))
    own.set_weights(np.asarray([0.3, 0.2]))
    return own


def test_agents_need_not_know_how_many_they_are():
    neighbours = (Neighbour("b", 1, "tcp/127.0.0.1:1"),)
    own = lambda n: AgentSettings("a", 0, n, RUN, "tcp/127.0.0.1:3", neighbours, DIAMOND, hg.problems.quadratic(n), 10)
    assert OwnProgram(own(3)).digest == OwnProgram(own(4)).digest


DIAMOND = hg.Diamond(0.05, 0.1, 0.3, 0.3, hg.Exact())
SLAM = hg.Slam(hg.PowerDecay(0.05), 0.1, 1.0, hg.InverseStep(0.1), hg.Exact())  # a rho that changes


class Neighbours:
    """Two neighbours that start at the agent's point, as all agents do, and whose later sums are random."""

    def __init__(self) -> None:
        self.rng, self.sums, self.own = np.random.default_rng(0), None, None

    def send(self, place, vector, own) -> None:
        self.own = own
        self.sums = np.stack([own, own]) if self.sums is None else self.sums + self.rng.normal(size=self.sums.shape)

    def collect(self, place):
        return self.sums, np.broadcast_to(self.own, self.sums.shape), np.ones(2, bool)


def after_rounds(own: OwnProgram, rounds: int):
    state, neighbours = own.begin(), Neighbours()
    own.prepare(state)
    for number in range(rounds):
        state = own.round(number, state, Transfer(neighbours.send, neighbours.collect))
    return state


@pytest.mark.parametrize("method", [DIAMOND, SLAM], ids=["DIAMOND", "SLAM"])
def test_what_a_link_has_added_can_be_taken_out_again(method):
    own = program(method)
    state = after_rounds(own, 5)
    conserved = lambda state: np.concatenate(
        [np.ravel(leaf) for leaf in jax.tree.leaves(own._method.conserved(state.agents))]
    )
    assert np.abs(conserved(state)).max() > 1e-2
    assert np.abs(own.term(state)).max() < 1e-12
    one_less = own.without_links(state, np.asarray([True, False]))
    assert np.abs(own.term(one_less)).max() < 1e-12
    assert np.abs(conserved(one_less) - conserved(state)).max() > 1e-2
    none = own.without_links(one_less, np.asarray([False, True]))
    assert np.abs(conserved(none)).max() < 1e-12
    for before, after in ((state.agents.x, none.agents.x), (state.agents.y, none.agents.y)):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", WITH_SUMS)
def test_every_method_with_sums_can_return(name):
    own = program(METHODS[name].algorithm)
    state = own.begin()
    moved = jax.tree.map(lambda leaf: leaf + 1.5 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, state.agents)
    none = own.restarted(state._replace(agents=moved))
    assert all(np.abs(np.asarray(leaf)).max() < 1e-12 for leaf in jax.tree.leaves(own._method.conserved(none.agents)))


def test_an_agent_that_stops_in_the_middle_of_a_round_keeps_the_one_before(tmp_path):
    address = f"tcp/127.0.0.1:{free_ports(1)[0]}"
    neighbours = (Neighbour("b", 1, "tcp/127.0.0.1:1"),)
    problem = hg.problems.quadratic(2)
    agent = RunningAgent(AgentSettings("a", 0, 2, RUN, address, neighbours, DIAMOND, problem, 10, state=tmp_path))
    try:
        agent.links.exchange.links[1].opening = 0  # it counts, and never sends
        until = time.monotonic() + 0.3
        agent.links.exchange.stopping = lambda: time.monotonic() > until
        with pytest.raises(Stopped):
            agent._round(0)
    finally:
        agent.close()
    assert (tmp_path / agent_checkpoint.FILE).exists()


def test_an_agent_that_returns_has_no_term_in_the_conserved_sum():
    own = program(DIAMOND)
    state = own.restarted(after_rounds(own, 5))
    np.testing.assert_allclose(state.agents.u, state.agents.p, atol=1e-15)
    assert all(not np.asarray(leaf).any() for leaf in jax.tree.leaves(state.links))


def test_a_checkpoint_is_read_again_and_one_of_another_run_is_not(tmp_path):
    agents = program(DIAMOND).begin().agents
    agent_checkpoint.write(tmp_path, RUN, DIGEST, 7, agents)
    kept = agent_checkpoint.read(tmp_path, RUN, DIGEST, agents)
    assert kept is not None
    assert kept.round == 7
    for one, other in zip(jax.tree.leaves(agents), jax.tree.leaves(kept.agents), strict=True):
        np.testing.assert_array_equal(one, other)
    assert agent_checkpoint.read(tmp_path, "cd" * 16, DIGEST, agents) is None
    assert agent_checkpoint.read(None, RUN, DIGEST, agents) is None
    assert agent_checkpoint.read(tmp_path / "nothing", RUN, DIGEST, agents) is None


def test_damaged_checkpoints_are_refused(tmp_path):
    agents = program(DIAMOND).begin().agents
    agent_checkpoint.write(tmp_path, RUN, DIGEST, 7, agents)
    refused(lambda: agent_checkpoint.read(tmp_path, RUN, bytes([1] * 16), agents), ["another configuration"])
    larger = jax.tree.map(lambda leaf: jnp.zeros((9,)), agents)
    refused(lambda: agent_checkpoint.read(tmp_path, RUN, DIGEST, larger), ["another configuration"])
    (tmp_path / agent_checkpoint.FILE).write_bytes(b"PK nonsense")
    refused(lambda: agent_checkpoint.read(tmp_path, RUN, DIGEST, agents), ["damaged", "remove it"])


def test_a_channel_without_edge_sums_is_refused():
    neighbours = (Neighbour("b", 1, "tcp/127.0.0.1:1"),)
    make = lambda channel: OwnProgram(
        AgentSettings(
            "a", 0, 2, RUN, "tcp/127.0.0.1:3", neighbours, DIAMOND, hg.problems.quadratic(2), 10, channel=channel
        )
    )
    refused(lambda: make(hg.channels.Loss(0.1)), ["EdgeSums"])
    assert str(make(None).channel) == "EdgeSums()"
