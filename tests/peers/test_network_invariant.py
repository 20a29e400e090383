"""The sum that the network conserves, as its agents compute it by themselves, and that errors of links show in it."""

import json

import numpy as np
import pytest
from networked import within
from several_agents import DIAMOND, SeveralAgents, running

import hypergossip as hg
from hypergossip.peers import invariant, invariant_gossip
from hypergossip.peers.snapshot import direction

SLAM = hg.Slam(hg.PowerDecay(0.05), 0.1, 1.0, hg.InverseStep(0.1), hg.Exact())  # a rho that changes
TRIANGLE = ((1, 2), (0, 2), (0, 1))


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(invariant, "SECONDS", 0.3)
    monkeypatch.setattr(invariant_gossip, "TICK", 0.05)


@pytest.mark.parametrize("method", [DIAMOND, SLAM], ids=["DIAMOND", "SLAM"])
def test_the_sum_is_zero_whatever_is_lost(tmp_path, method):
    with running(SeveralAgents(tmp_path, method, loss=0.2)) as made:
        assert within(lambda: made.all_know(after=40), 60)
        found = made.found.values()
        assert sum(link.missed for agent in made.agents.values() for link in agent.links.exchange.links.values()) > 0
        assert all(one.agents == 4 and one.value < 1e-14 for one in found)
        assert all(1e-14 < one.limit < 1e-11 for one in found)
        assert max(made.worst.values()) < 0.2
        assert not any(made.alarms.values())


def test_two_weights_of_one_link_are_an_alarm_at_every_agent(tmp_path):
    def wrong(agent) -> None:  # no file can say so: the two ends compare the weights that they were given
        plain = agent._program.set_weights
        agent._program.set_weights = lambda weights: plain(weights * np.array([1.2, 1.0]))

    with running(SeveralAgents(tmp_path), {0: wrong}) as made:
        assert within(lambda: made.all_know(after=10), 60)
        assert all(one.value > 1e-7 for one in made.found.values())  # 1e-2 in most directions
        assert max(made.terms.values()) < 1e-12  # what each agent can check by itself is as it should be
        for alarm in made.alarms.values():
            assert "different weights" in alarm
            assert len(alarm) < 1_000


def test_a_sum_that_one_end_has_wrong_is_an_alarm_at_every_agent(tmp_path):
    def wrong(agent) -> None:
        take = agent.links.mailbox.take
        agent.links.mailbox.take = lambda place, j: (
            numbers if (numbers := take(place, j)) is None or j == 2 else numbers + 1e-6
        )

    with running(SeveralAgents(tmp_path), {1: wrong}) as made:
        assert within(lambda: made.all_know(after=10), 60)
        assert max(made.terms.values()) < 1e-12
        assert all(one.value > 1e-11 for one in made.found.values())
        assert all("lost or changed" in alarm for alarm in made.alarms.values())


def test_agents_that_leave_and_return_are_no_alarm(tmp_path):
    with running(SeveralAgents(tmp_path, graph=TRIANGLE, loss=0.1)) as made:
        assert within(lambda: made.all_know(after=20), 60)
        made.stop(2)
        left = made.round
        assert within(lambda: made.all_know(after=left), 60)
        assert within(lambda: {one.agents for one in made.found.values()} == {2}, 60)
        made.start(2)
        begun = made.round
        whole = lambda: all(one and one.agents == 3 and one.round > begun for one in made.found.values())
        assert within(whole, 60)
        assert max(made.worst.values()) < 0.2
        assert max(made.terms.values()) < 1e-12


@pytest.mark.parametrize(
    ("method", "channel"),
    [(hg.DSGD(0.05, 0.1, hg.Exact()), None), (DIAMOND, [hg.channels.EdgeSums(), hg.channels.Loss(0.1)])],
    ids=["no sum", "another channel"],
)
def test_an_agent_says_where_there_is_no_invariant(tmp_path, method, channel):
    made = SeveralAgents(tmp_path, method, graph=((1,), (0,)), channel=channel)
    agent = made.make(0)
    try:
        report = json.loads(agent._reports._status())
        assert report["invariant"] is None
        assert report["conserves"] is False
    finally:
        agent.close()


def test_agents_that_choose_different_spacings_share_snapshots(tmp_path):
    agent = SeveralAgents(tmp_path, graph=((1,), (0,))).make(0)
    try:
        watch = agent._invariant
        due = lambda: {round + 1 for round in range(200) if watch.due(round)}
        assert due() == {1, 2, 4, 8, 16, 32, 64, 128}
        watch._spacing = 64
        wide = due()
        watch._spacing = 16
        assert wide <= due()
        watch._first = 100
        assert {101, 102, 104, 108} <= due()
    finally:
        agent.close()


def test_directions_are_the_same_for_all_agents_and_others_in_another_round():
    one = direction(bytes(16), 7, 1000)
    assert abs(one.mean()) < 0.15
    assert one.var() == pytest.approx(1, abs=0.15)
    np.testing.assert_array_equal(one, direction(bytes(16), 7, 1000))
    assert (one != direction(bytes(16), 8, 1000)).mean() > 0.9
    assert (one != direction(bytes([1] * 16), 7, 1000)).mean() > 0.9
    assert direction(bytes(16), 7, 3).tolist() == one[:3].tolist()
