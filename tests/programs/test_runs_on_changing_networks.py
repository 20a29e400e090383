"""Whole runs on networks that change or are directed: engines agree, under channels too, and optima are reached."""

import jax
import numpy as np
import pytest

import hypergossip as hg
from engines.changing import CHANGING, DIAMOND, DIRECTED, NETWORKS, PROBLEM, PUSH_PULL, STEPS


def same(one, other, atol):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=atol), (one.x, one.y), (other.x, other.y))
    np.testing.assert_array_equal(one.history["bytes_sent"], other.history["bytes_sent"])


@pytest.mark.parametrize("name", NETWORKS)
def test_engines_agree(name):
    method = PUSH_PULL if name in DIRECTED else DIAMOND
    run = lambda engine, rounds: hg.solve(method, PROBLEM, NETWORKS[name], rounds=rounds, engine=engine, measure=False)
    simulated = run(hg.Simulated(), 50)
    for devices in (2, 4):
        same(run(hg.Sharded(devices), 50), simulated, 1e-10)
    same(run(hg.Debug(), 3), run(hg.Simulated(), 3), 1e-12)


@pytest.mark.parametrize(
    "channel",
    [hg.channels.Noise(0.01), hg.channels.GilbertElliott(0.2, 0.4), [hg.channels.Loss(0.3), hg.channels.Quantize(8)]],
)
@pytest.mark.parametrize("name", ["links up", "matchings", "in turn"])
@pytest.mark.filterwarnings("ignore::hypergossip.channels.requirements.ChannelWarning")
def test_engines_agree_under_a_channel(name, channel):
    run = lambda engine, rounds: hg.solve(
        DIAMOND, PROBLEM, CHANGING[name], rounds=rounds, engine=engine, measure=False, channel=channel
    )
    simulated = run(hg.Simulated(), 50)
    same(run(hg.Sharded(4), 50), simulated, 1e-10)
    same(run(hg.Debug(), 2), run(hg.Simulated(), 2), 1e-12)
    ideal = hg.solve(DIAMOND, PROBLEM, CHANGING[name], rounds=50, measure=False)
    assert np.abs(simulated.x - ideal.x).max() > 1e-6


EXACT = {"DIAMOND": DIAMOND, "SLAM": hg.Slam(**STEPS, rho=0.5, gamma=1.0)}


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("name", CHANGING)
def test_methods_reach_the_optimum_however_the_links_change(name, method):
    problem = hg.problems.quadratic(6, 4, 3, noise=0.0)
    done = hg.solve(EXACT[method], problem, CHANGING[name], rounds=8000, measure=False)
    best = hg.solve(DIAMOND, problem, hg.networks.complete(6), rounds=4000, measure=False).x[0]
    assert ((done.x - best) ** 2).sum(axis=1).mean() < 1e-20
