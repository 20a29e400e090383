"""Engines agree after 50 rounds under every channel; nine agents on three devices, and unequally on four."""

import pytest

import hypergossip as hg
from channels.setting import CHANNELS, ENGINES, SLAM, TRACKED, agree, problem


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("engine", ["Sharded", "unequal blocks"])
def test_several_devices_agree_with_one(engine, name):
    agree(TRACKED, problem(noise=0.1, share="both"), CHANNELS[name], ENGINES[engine], 50)


@pytest.mark.parametrize("name", CHANNELS)
def test_one_agent_at_a_time_agrees_with_all_together(name):
    """A small network, since each round of each agent takes long without compilation."""
    whole = hg.problems.quadratic(4, 5, 4, noise=0.1, share="both")
    agree(SLAM, whole, CHANNELS[name], hg.Debug(), 50, hg.networks.ring(4))
