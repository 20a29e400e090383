"""Under every channel engines agree, stopped runs resume bit for bit, and bytes are those that a round encodes."""

import numpy as np
import pytest

import hypergossip as hg
from channels.setting import AGENTS, CHANNELS, DIAMOND, ENGINES, SLAM, TRACKED, agree, problem, run
from hypergossip.engines.links import Sender


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("engine", ["Sharded", "unequal blocks"])
def test_several_devices_agree_with_one(engine, name):
    """After 50 rounds; nine agents on three devices, and on four, one of which runs an agent twice."""
    agree(TRACKED, problem(noise=0.1, share="both"), CHANNELS[name], ENGINES[engine], 50)


@pytest.mark.parametrize("name", CHANNELS)
def test_one_agent_at_a_time_agrees_with_all_together(name):
    """A small network, since each round of each agent takes long without compilation."""
    whole = hg.problems.quadratic(4, 5, 4, noise=0.1, share="both")
    agree(SLAM, whole, CHANNELS[name], hg.Debug(), 50, hg.networks.ring(4))


@pytest.mark.parametrize("name", CHANNELS)
def test_stopped_and_resumed_is_never_stopped(name, tmp_path):
    """The state of senders and links is in the checkpoint and in the result."""

    def made(rounds, **more):
        return run(SLAM, problem(noise=0.1), CHANNELS[name], rounds, observe_every=4, seed=5, **more)

    whole = made(17)
    made(6, checkpoint=tmp_path)
    resumed = made(17, checkpoint=tmp_path)
    again = made(11, start=made(6))
    for one in (resumed, again):
        for leaf, other in zip(whole.saved.leaves, one.saved.leaves, strict=True):
            np.testing.assert_array_equal(leaf, other)
    rows = whole.history.merge(resumed.history, on="round", suffixes=("", " too"))
    assert len(rows) == len(whole.history)
    for column in ("bytes_sent", "conserved"):
        np.testing.assert_array_equal(rows[column], rows[f"{column} too"])


@pytest.mark.parametrize("name", CHANNELS)
def test_bytes_are_those_of_the_messages_that_a_round_encodes(name, monkeypatch):
    """Counted while the agents run one at a time without compilation: each message, for each of its links."""
    sent, send = [], Sender.send

    def counted(self, vector, call, layout, *more):
        assert sum(layout.sizes) == vector.size
        links = int((np.asarray(self._here.weights) != 0).sum())
        sent.append(self._channel.message_bytes(layout) * links)
        return send(self, vector, call, layout, *more)

    monkeypatch.setattr(Sender, "send", counted)
    found = run(DIAMOND, problem(), CHANNELS[name], 2, engine=hg.Debug())
    assert len(sent) == 2 * AGENTS
    assert found.history["bytes_sent"].iloc[-1] == sum(sent) / AGENTS
