"""Neighbours open a link only if they run the same configuration and were given the same weight for it."""

import pytest
from networked import within
from several_agents import SeveralAgents, running

from hypergossip.peers import standalone

TRIANGLE = ((1, 2), (0, 2), (0, 1))
SAME = {(i, j): 0.25 for i in range(3) for j in range(3) if i != j}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(standalone, "START_SECONDS", 1.0)


def open_links(made):
    """Every open link, from both of its ends."""
    found = set()
    for i, agent in made.agents.items():
        found |= {(i, j) for j, link in agent.links.exchange.links.items() if link.opening is not None}
    return found


def test_a_link_with_two_weights_stays_closed_and_both_ends_name_it(tmp_path):
    with running(SeveralAgents(tmp_path, graph=TRIANGLE, weights=SAME | {(0, 1): 0.3})) as made:
        assert within(lambda: open_links(made) == {(0, 2), (2, 0), (1, 2), (2, 1)}, 60)
        before = made.round
        assert within(lambda: made.round > before + 20, 60)
        assert (0, 1) not in open_links(made)
        alarms = made.alarms
        assert "the link to agent-1 is 0.3 in this agent's file and 0.25 in that of agent-1" in alarms[0]
        assert "the link to agent-0 is 0.25 in this agent's file and 0.3 in that of agent-0" in alarms[1]
        assert alarms[2] == ""
        made.stop(0)
        made._weights = SAME
        made.start(0)
        assert within(lambda: len(open_links(made)) == 6, 60)
        assert within(lambda: set(made.alarms.values()) == {""}, 10)


def test_a_given_weight_and_the_metropolis_rule_do_not_agree(tmp_path):
    weights = {ends: weight for ends, weight in SAME.items() if ends[0] != 2}
    with running(SeveralAgents(tmp_path, graph=TRIANGLE, weights=weights)) as made:
        assert within(lambda: open_links(made) == {(0, 1), (1, 0)}, 60)
        assert within(lambda: all(made.alarms.values()), 10)
        assert "agent-2 is 0.25 in this agent's file and the Metropolis rule in that" in made.alarms[1]


def test_weights_agree_up_to_rounding(tmp_path):
    with running(SeveralAgents(tmp_path, graph=TRIANGLE, weights=SAME | {(0, 1): 0.25 * (1 + 1e-15)})) as made:
        assert within(lambda: len(open_links(made)) == 6, 60)
        assert not any(made.alarms.values())


def test_another_configuration_is_named_while_the_others_run(tmp_path):
    made = SeveralAgents(tmp_path, graph=TRIANGLE)
    with running(made):
        assert within(lambda: len(open_links(made)) == 6, 60)
        made.stop(1)
        made._given["seed"] = 5
        (tmp_path / "1/agent.npz").unlink(missing_ok=True)  # of the configuration before
        made.start(1)
        assert within(lambda: "agent-1 runs another configuration" in made.alarms[0], 60)
        assert within(lambda: "agent-0 runs another configuration" in made.alarms[1], 60)
        before = made.agents[0].links.round
        assert within(lambda: made.agents[0].links.round > before + 20, 60)
        assert open_links(made) == {(0, 2), (2, 0)}
