"""Networks from files, given in a configuration or on the command line."""

import importlib.resources
import json

import networkx
import numpy as np
import pytest

import hypergossip as hg
from calling import call, done, refused
from small_experiment import EXPERIMENT

CITIES = networkx.Graph([("Rome", "Oslo"), ("Oslo", "Bern"), ("Bern", "Rome"), ("Bern", "Lima")])
RING = 'name = "ring"\nn = 3'


def experiment(folder, lines):
    path = folder / "named.toml"
    path.write_text(EXPERIMENT.replace(RING, lines))
    return path


def test_an_experiment_on_a_network_from_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    networkx.write_graphml(CITIES, "cities.graphml")
    path = experiment(tmp_path, 'name = "from_file"\npath = "cities.graphml"\nweights = "laplacian"')
    done("run", "--config", path, "--method", "D-SGD", "--rounds", 2, "--out", tmp_path / "run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["network"]["name"] == "cities"
    assert summary["network"]["names"] == ["Rome", "Oslo", "Bern", "Lima"]
    assert summary["problem"]["agents"] == 4
    network = hg.networks.from_networkx(CITIES, weights="laplacian")
    problem = hg.problems.quadratic(4, noise=0.1)
    algorithm = hg.DSGD(0.1, hg.PowerDecay(0.2, 1.0, 1 / 3), hg.Exact())
    ours = hg.solve(algorithm, problem, network, rounds=2, seeds=2, check=False, measure=False)
    np.testing.assert_array_equal(hg.load(tmp_path / "run" / "methods" / "D-SGD").x, ours.x)
    done("plot", tmp_path / "run", "--out", tmp_path / "again.png")


def test_a_real_topology_given_only_by_options(tmp_path):
    path = importlib.resources.files("topohub") / "data" / "topozoo" / "Abilene.json"
    options = ("--network", "from_file", "--set", f"network.path={path}", "--set", "network.label=name")
    config = experiment(tmp_path, 'name = "from_file"')
    done("run", "--config", config, "--method", "D-SGD", "--rounds", 1, "--out", tmp_path / "run", *options)
    assert "Kansas City" in json.loads((tmp_path / "run" / "summary.json").read_text())["network"]["names"]


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        ('path = "absent.gml"', ("[network] absent.gml cannot be read", "the working directory", "line 5")),
        ("weights = 'metropolis'", ("[network] from_file lacks the option 'path'",)),
        ('path = "a.csv"\nlable = "x"', ("no option 'lable'", "'label'", "line 8")),
        ("path = 3", ("[network] path is 3; give the name of a file",)),
        ('path = "a.csv"', ("[network] a.csv: Self-loops at agent 'Oslo':", "graph.remove_edges_from(")),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path, monkeypatch, lines, parts):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("Rome,Oslo\nOslo,Oslo\n")
    path = experiment(tmp_path, f'name = "from_file"\n{lines}')
    sentence = refused(call("run", "--config", path, "--method", "D-SGD", "--out", tmp_path / "out"))
    for part in parts:
        assert part in sentence, sentence
    assert not (tmp_path / "out").exists()
