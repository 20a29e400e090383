"""Engines agree under some channels (test_every_channel.py has all of them), and bytes of a message are as stated."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import hypergossip as hg
from channels.setting import AGENTS, CHANNELS, DIAMOND, ENGINES, NETWORK, SLAM, TRACKED, agree, problem, run
from hypergossip import channels

PAIRS = [
    ("Debug", "edge sums, noise and delay"),
    ("Sharded", "reciprocal"),
    ("Sharded", "edge sums, noise and delay"),
    ("unequal blocks", "one-sided loss"),
    ("unequal blocks", "lower level"),
]


@pytest.mark.parametrize(("engine", "name"), PAIRS)
def test_engines_agree(engine, name):
    """Some channels and rounds; test_every_channel.py has all of them."""
    changing = replace(TRACKED, upper_step=hg.PowerDecay(0.1, 2.0, 1 / 3), rho=hg.InverseStep(0.025))
    agree(changing, problem(noise=0.1, share="both"), CHANNELS[name], ENGINES[engine], 3 if engine == "Debug" else 50)


def test_a_checkpoint_of_another_channel_is_refused(tmp_path):
    run(SLAM, problem(), channels.Loss(0.1), 3, checkpoint=tmp_path)
    with pytest.raises(hg.CheckpointError, match="channel"):
        run(SLAM, problem(), channels.Loss(0.2), 3, checkpoint=tmp_path)
    with pytest.raises(hg.CheckpointError, match="channel"):
        run(SLAM, problem(), None, 3, checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("loss", 80),  # u and x, five numbers of eight bytes each
        ("pilot", 88),
        ("edge sums", 84),
        ("rounding", 2 * (5 + 8)),
        ("random rounding", 2 * (4 + 8)),  # 30 bits are four bytes
        ("lattice", 2 * 10),
        ("copy", 2 * (3 + 8)),
        ("largest", 2 * (2 * 8 + 2 * 4)),
        ("random entries", 2 * 2 * 8),
    ],
)
def test_bytes_of_one_message(name, size):
    found = run(DIAMOND, problem(), CHANNELS[name], 1)
    assert found.history["bytes_sent"].iloc[-1] == pytest.approx(size * NETWORK.degrees.mean())


def test_relabelled_agents_have_relabelled_links():
    order = np.random.default_rng(0).permutation(AGENTS).tolist()
    whole = problem(noise=0.1)
    for name in ("one-sided loss", "bursts", "edge sums, noise and delay", "copy"):
        one = run(DIAMOND, whole, CHANNELS[name], 30)
        other = run(DIAMOND, whole.relabelled(order), CHANNELS[name], 30, NETWORK.relabelled(order))
        np.testing.assert_allclose(one.x[order], other.x, rtol=0, atol=1e-12)


def test_a_sweep_and_several_seeds_are_the_single_runs():
    whole, channel = problem(noise=0.1), CHANNELS["edge sums"]
    together = run(DIAMOND, whole, channel, 20, seeds=3)
    for seed in range(3):
        alone = run(DIAMOND, whole, channel, 20, seed=seed)
        np.testing.assert_allclose(together.x[seed], alone.x, rtol=0, atol=1e-12)


def test_a_single_agent_sends_nothing():
    whole = hg.problems.quadratic(1, 3, 2)
    one, other = (run(DIAMOND, whole, channel, 20, hg.networks.single()) for channel in (None, channels.Loss(0.5)))
    np.testing.assert_array_equal(one.x, other.x)


@pytest.mark.parametrize("bits", [1, 8, 31, 32])
def test_all_numbers_of_bits_work_in_both_precisions(bits):
    for precise in (False, True):
        with jax.enable_x64(precise):
            found = run(DIAMOND, problem(), [channels.CommonCopy(0.1), channels.Quantize(bits)], 5)
            assert np.isfinite(found.x).all()
            assert found.x.dtype == (np.float64 if precise else np.float32)
