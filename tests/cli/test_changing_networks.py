"""[network] tables inside a network: the run is that of `solve`, and mistakes are named by their place."""

import json

import numpy as np
import pytest

import hypergossip as hg
from calling import call, done, refused

EXPERIMENT = """
[problem]
name = "quadratic"
noise = 0.1

[network]
{network}

[run]
rounds = 20
observe_every = 10

[methods.gtsgd]
upper_step = 0.05
lower_step = 0.1
hypergradient = {{ name = "conjugate_gradient", iterations = 4 }}
"""
RING = hg.networks.ring(4)
NETWORKS = {
    "links up": (
        'name = "links_up"\nprobability = 0.5\nseed = 3\ngraph = { name = "ring", n = 4 }',
        hg.networks.over_time.links_up(RING, 0.5, seed=3),
    ),
    "in turn": (
        'name = "in_turn"\nnetworks = [{ name = "ring", n = 4 }, { name = "star", n = 4, weights = "laplacian" }]',
        hg.networks.over_time.in_turn([RING, hg.networks.star(4, weights="laplacian")]),
    ),
    "one peer": ('name = "one_peer_exponential"\nn = 4', hg.networks.over_time.one_peer_exponential(4)),
}


@pytest.fixture
def written(tmp_path):
    def write(network):
        path = tmp_path / "experiment.toml"
        path.write_text(EXPERIMENT.format(network=network))
        return path

    return write


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_describes_a_network_that_changes(name, written, tmp_path):
    text, network = NETWORKS[name]
    out = tmp_path / "out"
    done("compare", "--config", written(text), "--out", out)
    method = hg.GTSGD(0.05, 0.1, hg.ConjugateGradient(4))
    problem = hg.problems.quadratic(4, noise=0.1)
    expected = hg.solve(method, problem, network, rounds=20, observe_every=10, seeds=1).history
    found = hg.load(out / "methods" / "gtsgd").history
    for column in ("metric", "bytes_sent"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-6)
    said = json.loads((out / "summary.json").read_text())["network"]
    assert said["name"] == network.name
    assert said["lambda"] == pytest.approx(network.lambda_)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "links_up"\nprobability = 0.5\ngraph = { name = "rign", n = 4 }', ["[network.graph]", "'ring'"]),
        (
            'name = "links_up"\nprobability = 0.5\ngraph = { name = "ring" }',
            ["[network.graph]", "lacks the option 'n'"],
        ),
        ('name = "links_up"\nprobability = 0.5\ngraph = "ring"', ["[network]", "takes a network"]),
        ('name = "links_up"\nprobability = 0.5\ngraph = { n = 4 }', ["[network.graph]", "the table has no name"]),
        ('name = "links_up"\nprobability = 2.0\ngraph = { name = "ring", n = 4 }', ["[network]", "got 2.0"]),
        ('name = "in_turn"\nnetworks = [{ name = "ring", n = 4 }, { name = "ring", n = 5 }]', ["different numbers"]),
        ('name = "directed_ring"\nn = 4\nweights = "metropolis"', ["need edges in both directions"]),
        ('name = "from_edges"\nn = 4\nedges = [[0, 1], [2, 3]]', ["connected", "agents 0 and 1 are cut off"]),
    ],
)
def test_mistakes_are_named_by_their_place(text, words, written, tmp_path, unchecked):
    said = refused(call("compare", "--config", written(text), "--out", tmp_path / "out"))
    assert all(word in said for word in words), said
