"""The comparison of killed runs: it finds one bit, also one of the channel's state."""

import numpy as np
import pytest
from studies.kills import AGENTS, CHANNELS, arrays, difference, stages

import hypergossip as hg
from hypergossip.running import snapshot

METHOD = hg.GTSGD(0.02, 0.3, hg.Exact())


def checkpoint(folder, channel, rounds=4):
    """A short run with a checkpoint, of the study's agents under one of its channels."""
    ring = hg.networks.ring(AGENTS)
    lazy = hg.networks.from_mixing((np.eye(AGENTS) + ring.mixing.toarray()) / 2)
    problem = hg.problems.quadratic(AGENTS, noise=0.1)
    options = {"channel": stages(channel), "measure": False, "progress": False}
    hg.solve(METHOD, problem, lazy, rounds=rounds, checkpoint=folder, **options)  # accepted, without a warning
    return folder


@pytest.mark.parametrize("channel", CHANNELS)
def test_one_bit_of_any_array_is_a_difference(tmp_path, channel):
    """The last arrays are those of the links; a flipped bit of each array is found under its number."""
    whole, other = (checkpoint(tmp_path / name, channel) for name in ("whole", "other"))
    assert difference(whole, other) == ""
    saved = snapshot.read(other)
    for number, leaf in enumerate(saved.leaves):
        changed = leaf.copy()
        changed.reshape(-1).view(np.uint8)[-1] ^= 1
        leaves = [changed if k == number else one for k, one in enumerate(saved.leaves)]
        snapshot.write(other, saved._replace(leaves=leaves))
        assert difference(whole, other) == f"state {number}"


def test_the_state_of_the_channels_is_compared(tmp_path):
    """Running sums at senders and links, late messages, their own vectors and a flag; copies at senders and links."""
    counts = {channel: arrays(checkpoint(tmp_path / channel, channel)) for channel in CHANNELS}
    assert counts["edge_sums"] - counts["none"] == 5
    assert counts["common_copy"] - counts["none"] == 2
